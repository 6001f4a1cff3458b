// What is shown and in which order: above the gallery; and where in it one is: below.
class Tools {
  // kinds, orders: as the studio knows them; changed(view): another list is wanted.
  constructor(root, { kinds, orders }, changed) {
    this.changed = changed;
    this.node = root.appendChild(make('div', 'specimen-tools'));
    this.kinds = this.node.appendChild(make('span', 'kinds'));
    this.kinds.setAttribute('role', 'radiogroup');
    this.kinds.setAttribute('aria-label', 'Which specimens');
    const group = `kind-${Math.random().toString(36).slice(2)}`;
    this.radios = kinds.map((kind) => {
      const around = this.kinds.appendChild(make('label', 'kind'));
      const radio = around.appendChild(make('input'));
      Object.assign(radio, { type: 'radio', name: group, value: kind });
      around.append(kind);
      radio.addEventListener('change', () => this.ask({ kind }));
      return radio;
    });
    this.search = this.field('search', 'Search', 'Search, or tag:river', 'wide', 'search');
    this.search.title = 'Texts in label, name, note or tags, with commas between: all of them must be there';
    this.batches = this.field('text', 'Batches from:to', 'batches 500:1000', '', 'batches');
    this.rated = this.choice('Rating', [['0', 'any rating'], ...RATINGS.map((n) => [String(n), n < 5 ? `${n} or better` : 'only 5'])], (value) => this.ask({ rated: Number(value) }));
    this.order = this.choice('Order', orders, (order) => this.ask({ order }));
  }

  field(type, name, placeholder, kind, part) {
    const made = this.node.appendChild(entry(type, name, placeholder));
    if (kind) made.classList.add(kind);
    made.maxLength = 200;
    const ask = () => {
      clearTimeout(this.typing);
      if (made.value.trim() !== this.view[part]) this.ask({ [part]: made.value.trim() });
    };
    made.addEventListener('change', ask);
    made.addEventListener('input', () => {
      clearTimeout(this.typing);
      if (type === 'search') this.typing = setTimeout(ask, 350);
    });
    made.addEventListener('keydown', (event) => { if (event.key === 'Enter') ask(); });
    return made;
  }

  choice(name, options, chosen) {
    const made = this.node.appendChild(choices(name, options));
    made.addEventListener('change', () => chosen(made.value));
    return made;
  }

  ask(parts) {
    this.changed({ ...this.view, ...parts, place: 0 });
  }

  show(view) {
    this.view = view;
    for (const radio of this.radios) radio.checked = radio.value === view.kind;
    for (const [field, value] of [[this.search, view.search], [this.batches, view.batches]]) {
      if (document.activeElement !== field) field.value = value;
    }
    this.rated.value = String(view.rated);
    this.order.value = view.order;
  }
}

class Foot {
  // does: goTo(place), find(text), size(name), none(), all(), newer(), stack(mode).
  constructor(root, does) {
    this.does = does;
    this.node = root.appendChild(make('div', 'specimen-foot'));
    this.total = this.node.appendChild(make('span', 'small quiet number'));
    this.chosen = this.node.appendChild(make('span', 'small number'));
    this.none = this.node.appendChild(button('Choose none', 'plain quiet-button', '', () => does.none()));
    this.none.dataset.action = 'none';
    this.all = this.node.appendChild(button('Choose all', 'plain quiet-button', '', () => does.all()));
    this.newer = this.node.appendChild(button('', 'plain', '', () => does.newer()));
    this.node.append(make('span', 'push'));
    this.slider = this.node.appendChild(make('input', 'slide'));
    Object.assign(this.slider, { type: 'range', min: 0, step: 1 });
    this.slider.setAttribute('aria-label', 'Place in the gallery');
    this.slider.addEventListener('input', () => does.goTo(Number(this.slider.value)));
    this.place = this.node.appendChild(make('span', 'small quiet number place'));
    this.find = this.node.appendChild(entry('text', 'Go to a number or a label', 'go to'));
    this.find.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && this.find.value.trim()) does.find(this.find.value.trim());
    });
    this.sizes = this.node.appendChild(choices('Size of the pictures', [['small', 'small'], ['medium', 'medium'], ['large', 'large']]));
    this.sizes.addEventListener('change', () => does.size(this.sizes.value));
    for (const node of [this.none, this.newer]) node.hidden = true;
  }

  showCounts(total, chosen, newer) {
    write(this.total, count(total, 'specimen', 'specimens'));
    write(this.chosen, chosen ? `${chosen.toLocaleString('en')} chosen` : '');
    show(this.none, chosen > 0);
    show(this.all, total > 0 && chosen < total);
    show(this.newer, Boolean(newer));
    if (newer) write(this.newer, newer.added ? `Show ${newer.added.toLocaleString('en')} new` : 'Sort again');
  }

  showPlace(place, end, total) {
    show(this.slider, end - place < total);
    this.slider.max = String(Math.max(0, total - 1));
    if (document.activeElement !== this.slider) this.slider.value = String(place);
    const text = total ? `${(place + 1).toLocaleString('en')} to ${Math.min(end, total).toLocaleString('en')}` : '';
    write(this.place, text);
    this.slider.setAttribute('aria-valuetext', text);
  }
}
