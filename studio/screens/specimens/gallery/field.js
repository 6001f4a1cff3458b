// The gallery itself: of however many specimens, those in sight are on the page, and some beside
// them. Each has one element as long as it is there, which changes in its place.
const GAP_PX = 10, CAPTION_PX = 36, BESIDE_ROWS = 2, REST_MS = 40;
const WIDTHS = { small: 72, medium: 96, large: 176 };

class Field {
  // does: what pressing and keys lead to.
  constructor(root, catalogue, choice, does) {
    Object.assign(this, { catalogue, choice, does, cells: new Map(), active: null, width: 'medium' });
    this.node = root.appendChild(make('div', 'specimen-field'));
    this.node.setAttribute('role', 'group');
    this.node.setAttribute('aria-label', 'Specimens. Arrow keys move, Space chooses, Enter shows one large, 0 to 5 rate, S stars, M opens the menu.');
    this.space = this.node.appendChild(make('div', 'specimen-space'));
    this.node.addEventListener('scroll', () => this.redraw(), { passive: true });
    this.node.addEventListener('click', (event) => this.press(event));
    this.node.addEventListener('dblclick', (event) => {
      const label = event.target.closest('.thumbnail') && labelOf(event.target);
      if (!label || event.shiftKey) return;
      this.choice.toggle(label);  // As it was before the first of the two presses.
      this.does.look(label);
    });
    this.node.addEventListener('keydown', (event) => this.type(event));
    this.node.addEventListener('focusin', (event) => {
      const label = labelOf(event.target);
      if (label && label !== this.active) this.setActive(label);
    });
    new ResizeObserver(() => this.measure()).observe(this.node);
  }

  measure() {
    const { clientWidth: width } = this.space, { clientHeight: height } = this.node;
    if (!width || !height) return;
    const first = this.place, wanted = WIDTHS[this.width];
    this.columns = Math.max(2, Math.floor((width + GAP_PX) / (wanted + GAP_PX)));
    this.cell = Math.floor((width - GAP_PX * (this.columns - 1)) / this.columns);
    this.row = this.cell + CAPTION_PX + GAP_PX;
    this.height = height;
    this.resize();
    if (this.goal !== undefined) this.goTo(this.goal);
    else if (this.columned !== this.columns && this.columned) this.goTo(first);
    this.columned = this.columns;
    this.redraw();
  }

  resize() {
    if (this.row) this.space.style.height = `${this.rows * this.row}px`;
  }

  get rows() {
    return Math.ceil(this.catalogue.labels.length / this.columns);
  }

  // The number of the first specimen in sight.
  get place() {
    if (!this.row) return this.goal ?? 0;
    return Math.max(0, Math.round(this.node.scrollTop / this.row)) * (this.columned ?? this.columns);
  }

  // How many specimens are in sight at once.
  get inSight() {
    return this.row ? Math.max(1, Math.floor(this.height / this.row)) * this.columns : 1;
  }

  // Show the specimen of a number at the top.
  goTo(place) {
    if (!this.row) {
      this.goal = place;
      return;
    }
    this.goal = undefined;
    this.node.scrollTop = Math.floor(place / this.columns) * this.row;
    this.redraw();
  }

  reveal(place) {
    const top = Math.floor(place / this.columns) * this.row, { scrollTop } = this.node;
    if (top < scrollTop) this.node.scrollTop = top;
    if (top + this.row > scrollTop + this.height) this.node.scrollTop = top + this.row - this.height;
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      if (this.row && this.node.isConnected) this.draw();
    });
  }

  draw() {
    const { labels } = this.catalogue, { scrollTop } = this.node;
    const first = Math.max(0, Math.floor(scrollTop / this.row) - BESIDE_ROWS) * this.columns;
    const end = (Math.ceil((scrollTop + this.height) / this.row) + BESIDE_ROWS) * this.columns;
    const wanted = new Map();
    for (let place = first; place < Math.min(end, labels.length); place++) wanted.set(labels[place], place);
    if (!wanted.has(this.active) && this.catalogue.places.has(this.active) && this.cells.get(this.active)?.node.contains(document.activeElement)) {
      wanted.set(this.active, this.catalogue.places.get(this.active));  // It has the keyboard.
    }
    for (const [label, cell] of this.cells) {
      if (wanted.has(label)) continue;
      cell.node.remove();
      this.cells.delete(label);
    }
    for (const [label, place] of wanted) this.put(label, place);
    this.describe([...wanted.keys()].filter((label) => !this.catalogue.knows(label)));
    this.does.moved();
  }

  put(label, place) {
    let cell = this.cells.get(label);
    if (!cell) {
      cell = makeCell(label);
      this.cells.set(label, cell);
      this.space.append(cell.node);
    }
    const [column, row] = [place % this.columns, Math.floor(place / this.columns)];
    const at = `translate(${column * (this.cell + GAP_PX)}px, ${row * this.row}px)`;
    if (cell.at !== at || cell.width !== this.cell) {
      Object.assign(cell.node.style, { transform: at, width: `${this.cell}px`, height: `${this.row - GAP_PX}px` });
      [cell.at, cell.width] = [at, this.cell];
    }
    const tab = label === this.active || (!this.cells.has(this.active) && place === this.place) ? 0 : -1;
    fillCell(cell, this.catalogue.row(label), this.choice.has(label), this.catalogue.stackAt(label), tab);
  }

  describe(missing) {
    clearTimeout(this.describing);
    if (!missing.length) return;
    this.describing = setTimeout(async () => {
      if (this.asking) return;  // What came too late is asked for when this has come.
      this.asking = true;
      const came = await this.catalogue.describe(missing);
      this.asking = false;
      if (came) {
        this.redraw();
        this.does.changed();
      }
    }, this.asking ? REST_MS * 4 : REST_MS);
  }

  setActive(label) {
    const before = this.active;
    this.active = label;
    for (const each of [before, label]) {
      const cell = this.cells.get(each);
      if (cell) setTab(cell, each === label ? 0 : -1);
    }
    this.does.changed();
  }

  focus(place) {
    const { labels } = this.catalogue;
    if (!labels.length) return;
    const label = labels[Math.min(labels.length - 1, Math.max(0, place))];
    this.reveal(this.catalogue.places.get(label));
    this.setActive(label);
    this.draw();
    this.cells.get(label).thumbnail.focus({ preventScroll: true });
  }

  press(event) {
    const label = labelOf(event.target), pressed = event.target.closest('button');
    if (!label || !pressed) return;
    this.setActive(label);
    if ('cityMenu' in pressed.dataset) return;
    if (pressed.classList.contains('star')) this.does.star([label]);
    else if (pressed.classList.contains('magnify')) this.does.look(label);
    else if (pressed.classList.contains('stack-size')) this.does.spread(label);
    else if (event.shiftKey) this.choice.extend(this.catalogue, label);
    else if (event.detail < 2) this.choice.toggle(label);
  }

  type(event) {
    if (isTyping(event.target) || event.altKey) return;
    const { key } = event, { places } = this.catalogue;
    const label = labelOf(event.target) ?? this.active, place = places.get(label) ?? this.place;
    const steps = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns,
      PageUp: -this.inSight, PageDown: this.inSight, Home: -Infinity, End: Infinity,
    };
    const onThumbnail = event.target === this.node || event.target.classList.contains('thumbnail');
    let known = true;
    if (key in steps) {
      if (event.shiftKey && label && !this.choice.anchor) this.choice.anchor = label;
      this.focus(place + steps[key]);
      if (event.shiftKey) this.choice.extend(this.catalogue, this.active);
    } else if (key === 'Enter' && onThumbnail && label) this.does.look(label);
    else if (key === ' ' && onThumbnail && label) this.choice.toggle(label);
    else if ((event.ctrlKey || event.metaKey) && key === 'a') this.choice.set(this.catalogue.labels);
    else if (event.ctrlKey || event.metaKey) known = false;
    else if (key === 'Escape') this.choice.set([]);
    else if (/^[0-5]$/.test(key) && label) this.does.rate(this.meant(label), Number(key));
    else if (key === 's' && label) this.does.star(this.meant(label));
    else known = false;
    if (known) event.preventDefault();
  }

  // Keys are meant for all that are chosen where they are pressed on one of them.
  meant(label) {
    return this.choice.has(label) ? this.choice.list : [label];
  }
}

const labelOf = (node) => node.closest?.('.specimen')?.dataset.label;

const makeCell = (label) => {
  const node = make('figure', 'picture specimen');
  node.dataset.label = label;
  const thumbnail = node.appendChild(button('', 'thumbnail', '', () => {}));
  thumbnail.dataset.label = label;
  const image = thumbnail.appendChild(make('img'));
  Object.assign(image, { alt: '', draggable: false, decoding: 'async' });
  const star = node.appendChild(button('☆', 'star', `Star city ${label}`, () => {}));
  const magnify = node.appendChild(button('⤢', 'magnify', `Look at city ${label}`, () => {}));
  const more = node.appendChild(button('⋯', 'more', `What can be done with city ${label}`, () => {}));
  more.setAttribute('aria-haspopup', 'menu');
  Object.assign(more.dataset, { cityMenu: '', label });
  node.dataset.city = label;
  const stack = node.appendChild(button('', 'stack-size', '', () => {}));
  stack.hidden = true;
  const caption = node.appendChild(make('figcaption'));
  const said = caption.appendChild(make('span', 'said', label));
  const dots = caption.appendChild(make('span', 'dots'));
  dots.setAttribute('aria-hidden', 'true');
  return { node, thumbnail, image, star, magnify, more, stack, caption, said, dots };
};

const setTab = (cell, tab) => {
  for (const node of [cell.thumbnail, cell.star, cell.magnify, cell.more, cell.stack]) {
    if (node.tabIndex !== tab) node.tabIndex = tab;
  }
};

const fillCell = (cell, row, chosen, stacked, tab) => {
  const now = JSON.stringify([row ?? null, chosen, stacked]);
  setTab(cell, tab);
  if (cell.now === now) return;
  cell.now = now;
  const { label } = cell.node.dataset, name = row?.name ? ` ${row.name}` : '';
  cell.node.classList.toggle('chosen', chosen);
  cell.node.classList.toggle('stacked', stacked > 1);
  cell.thumbnail.setAttribute('aria-pressed', String(chosen));
  const rated = row?.rating ? `, rated ${row.rating} of 5` : '';
  cell.thumbnail.setAttribute('aria-label', `City ${label}${name}${rated}`);
  show(cell.stack, stacked > 1);
  write(cell.stack, stacked > 1 ? String(stacked) : '');
  cell.stack.setAttribute('aria-label', `${stacked} nearly alike: spread out or lay together`);
  if (!row) return;
  if (row.picture && cell.image.getAttribute('src') !== row.picture) cell.image.src = row.picture;
  cell.star.setAttribute('aria-pressed', String(Boolean(row.starred)));
  write(cell.star, row.starred ? '★' : '☆');
  write(cell.said, `${label}${name}`);
  write(cell.dots, '●'.repeat(row.rating ?? 0));
  cell.caption.title = [`${label}${name}`, row.tags.join(', '), row.note].filter(Boolean).join('\n');
};
