// What people say of specimens, written in its place: name, rating, star, tags, note. Of several at
// once all but the name.
class Editor {
  // mark(marks): says it; told(sentence).
  constructor(catalogue, mark) {
    Object.assign(this, { catalogue, mark, row: null, many: 0 });
    this.node = make('div', 'specimen-editor');
    const line = this.node.appendChild(make('div', 'line'));
    this.star = line.appendChild(button('☆', 'plain star-it', '', () => this.mark({ star: !this.starred })));
    this.rating = new Rating('', (rating) => this.mark({ rating }));
    line.append(this.rating.node);
    this.name = entry('text', 'Name', 'A name');
    this.name.maxLength = 60;
    this.name.addEventListener('change', () => this.rename());
    this.named = this.node.appendChild(labelled('Name', this.name));
    const tags = this.node.appendChild(make('div', 'tags'));
    this.tags = tags.appendChild(make('span', 'tag-list'));
    this.tag = entry('text', 'Add a tag', 'Add a tag');
    this.tag.maxLength = 60;
    this.known = tags.appendChild(make('datalist'));
    this.known.id = `known-tags-${Math.random().toString(36).slice(2)}`;
    this.tag.setAttribute('list', this.known.id);
    this.tag.addEventListener('keydown', (event) => { if (event.key === 'Enter') this.addTag(); });
    this.tag.addEventListener('change', () => this.addTag());
    tags.append(this.tag);
    this.note = make('textarea', 'field');
    Object.assign(this.note, { rows: 3, maxLength: 2000, placeholder: 'A note' });
    this.note.setAttribute('aria-label', 'Note');
    this.note.addEventListener('change', () => this.mark({ note: this.note.value }));
    this.node.append(labelled('Note', this.note));
    for (const node of [this.name, this.note]) {
      node.addEventListener('keydown', (event) => {
        if (event.key === 'Escape' && this.row) {
          node.value = node === this.name ? this.row.name : this.row.note;
          node.blur();
          event.stopPropagation();
          event.preventDefault();
        } else if (event.key === 'Enter' && (node === this.name || event.ctrlKey)) node.blur();
      });
    }
  }

  addTag() {
    const tag = this.tag.value.trim();
    this.tag.value = '';
    if (tag) this.mark({ tag });
  }

  async rename() {
    const name = this.name.value.trim();
    if (!name || !this.row || name === this.row.name) {
      this.name.value = this.row?.name ?? '';
      return;
    }
    if (!await this.mark({ name })) this.name.value = this.row?.name ?? '';
  }

  // rows: those of the specimens that are meant, as far as they are known.
  show(rows, many) {
    const [row] = rows, one = many === 1;
    this.starred = rows.length > 0 && rows.every((each) => each.starred);
    write(this.star, this.starred ? '★ Starred' : one ? '☆ Star it' : '☆ Star them');
    this.star.setAttribute('aria-pressed', String(this.starred));
    const ratings = new Set(rows.map((each) => each.rating));
    this.rating.show(ratings.size === 1 ? [...ratings][0] ?? 0 : 0);
    show(this.named, one);
    const other = !one || this.row?.label !== row?.label;
    this.row = one ? row : null;
    this.fill(this.name, one ? row?.name ?? '' : '', other);
    this.fill(this.note, one ? row?.note ?? '' : '', other);
    this.note.placeholder = one ? 'A note' : 'A note for all of them';
    this.showTags(rows);
    const options = this.catalogue.tags.join('\n');
    if (this.offered !== options) {
      this.offered = options;
      this.known.replaceChildren(...this.catalogue.tags.map((tag) => new Option(tag, tag)));
    }
  }

  fill(field, value, other) {
    if (!other && document.activeElement === field) return;  // Somebody writes there.
    if (field.value !== value) field.value = value;
  }

  showTags(rows) {
    const tags = [...new Set(rows.flatMap((row) => row.tags))].sort();
    const now = tags.join('\n');
    if (this.shownTags === now) return;
    this.shownTags = now;
    this.tags.replaceChildren(...tags.map((tag) => button(`${tag} ×`, 'tag', `Remove the tag ${tag}`, () => this.mark({ untag: tag }))));
  }
}
