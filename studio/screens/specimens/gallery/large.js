// One specimen large, over the page: arrow keys go on, 0 to 5 rate, S stars, Space chooses.
class LargeView {
  constructor(root, catalogue, choice, does) {
    Object.assign(this, { catalogue, choice, does, label: null });
    this.node = root.appendChild(make('dialog', 'large-view'));
    this.node.setAttribute('aria-label', 'A specimen, large');
    this.node.tabIndex = -1;
    const stage = this.node.appendChild(make('div', 'stage'));
    stage.append(button('‹', 'step', 'The one before', () => this.step(-1)));
    this.image = stage.appendChild(make('img', 'crisp'));
    stage.append(button('›', 'step', 'The next one', () => this.step(1)));
    const side = this.node.appendChild(make('div', 'beside'));
    const head = side.appendChild(make('div', 'line'));
    this.title = head.appendChild(make('b', 'title'));
    head.append(make('span', 'push'));
    head.append(button('×', 'plain', 'Close', () => this.node.close()));
    this.facts = side.appendChild(make('p', 'small quiet'));
    this.editor = new Editor(catalogue, (marks) => this.does.mark([this.label], marks));
    side.append(this.editor.node);
    this.choose = side.appendChild(button('', 'plain', '', () => this.choice.toggle(this.label)));
    this.explore = side.appendChild(make('a', 'plain', 'Explore from here'));
    side.append(make('p', 'small quiet keys', '← → go on · 0 to 5 rate · S stars · Space chooses · Esc closes'));
    this.node.addEventListener('keydown', (event) => this.type(event));
    this.node.addEventListener('close', () => this.closed());
    this.node.addEventListener('click', (event) => { if (event.target === this.node) this.node.close(); });
  }

  get isOpen() {
    return this.node.open;
  }

  look(label) {
    this.label = label;
    if (!this.node.open) {
      this.node.showModal();
      this.node.focus();
    }
    this.show();
    this.does.opened(label);
  }

  closed() {
    const { label } = this;
    this.label = null;
    this.image.removeAttribute('src');
    this.does.opened('');
    this.does.focus(label);
  }

  step(by) {
    const { labels, places } = this.catalogue;
    if (!labels.length) return;
    const place = Math.min(labels.length - 1, Math.max(0, (places.get(this.label) ?? 0) + by));
    this.look(labels[place]);
  }

  async show() {
    const { label, catalogue } = this, { labels, places } = catalogue, place = places.get(label);
    const near = [0, 1, 2, -1].map((by) => labels[(place ?? NaN) + by]).filter(Boolean);
    const missing = (near.length ? near : [label]).filter((each) => !catalogue.row(each));
    if (missing.length) await catalogue.describe(missing);
    if (this.label !== label) return;
    const row = catalogue.row(label);
    if (!row || row.gone) {
      this.node.close();
      return;
    }
    const source = `${row.picture}&size=large`;
    if (this.image.getAttribute('src') !== source) {
      // The small picture stands there until the large one has come.
      this.image.style.backgroundImage = `url("${row.picture}")`;
      this.image.src = source;
    }
    this.image.alt = `City ${label}`;
    write(this.title, `${label}${row.name ? ` ${row.name}` : ''}`);
    const at = place === undefined ? '' : `${(place + 1).toLocaleString('en')} of ${labels.length.toLocaleString('en')} · `;
    write(this.facts, `${at}${row.origin} · kept ${row.kept}`);
    this.editor.show([row], 1);
    write(this.choose, this.choice.has(label) ? 'Chosen' : 'Choose it');
    this.choose.setAttribute('aria-pressed', String(this.choice.has(label)));
    this.explore.href = exploreAddress(catalogue.run, label);
    for (const each of near.slice(1)) {
      const next = catalogue.row(each);
      if (next?.picture) new Image().src = `${next.picture}&size=large`;  // It is there when one goes on.
    }
  }

  type(event) {
    const { key } = event;
    if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -Infinity, End: Infinity };
    let known = true;
    if (key in steps) this.step(steps[key]);
    else if (/^[0-5]$/.test(key)) this.does.mark([this.label], { rating: Number(key) });
    else if (key === 's') this.does.star([this.label]);
    else if (key === ' ' && event.target === this.node) this.choice.toggle(this.label);
    else known = false;
    if (known) event.preventDefault();
    event.stopPropagation();
  }
}

const exploreAddress = (run, label) => {
  const batch = label.split('.')[0];
  return `?${new URLSearchParams({ run, tab: 'Explore', city: label, seen: batch, shown: 24 })}`;
};
