// Beside the gallery: what is chosen, what is said of it, and what can be done with it.
class Side {
  constructor(root, catalogue, choice, does) {
    Object.assign(this, { catalogue, choice, does });
    this.node = root.appendChild(make('section', 'card specimen-side'));
    this.title = this.node.appendChild(make('h3'));
    this.hint = this.node.appendChild(make('p', 'small quiet'));
    this.hint.textContent = 'Press a picture to choose it, with Shift all up to it. Arrow keys move, Space chooses, Enter shows one large, 0 to 5 rate, S stars, M opens the menu of a city. Drop an exported picture anywhere here to find its way back.';
    this.one = this.node.appendChild(make('div', 'one'));
    this.picture = this.one.appendChild(button('', 'thumbnail', 'Look at it large', () => this.does.look(this.shown[0])));
    this.image = this.picture.appendChild(make('img', 'crisp'));
    this.image.alt = '';
    this.facts = this.one.appendChild(make('p', 'small quiet'));
    this.editor = new Editor(catalogue, (marks) => this.does.mark(this.shown, marks));
    this.node.append(this.editor.node);
    this.ways = this.node.appendChild(make('div', 'line'));
    this.ways.append(button('Look', 'plain', 'Look at it large', () => this.does.look(this.shown[0])));
    this.explore = this.ways.appendChild(make('a', 'plain', 'Explore from here'));
    this.layExports();
    this.layStacks();
  }

  layExports() {
    const form = this.exports = this.node.appendChild(make('form', 'export-form'));
    form.id = 'exports';
    form.append(make('h4', '', 'Export'));
    const line = form.appendChild(make('div', 'line'));
    this.into = line.appendChild(choices('Export as', [['files', 'single files'], ['zip', 'one ZIP'], ['sheet', 'a contact sheet'], ['a3', 'a print sheet, A3'], ['a2', 'a print sheet, A2']]));
    this.format = line.appendChild(choices('Format', [['jpg', 'JPEG'], ['png', 'PNG'], ['webp', 'WebP']]));
    const more = form.appendChild(make('div', 'line'));
    this.size = entry('text', 'Size in pixels', '1024');
    this.size.title = 'Such as 2048 or 1920x1080, into which they fit, or own. By default smaller ones become 1024 px.';
    this.quality = entry('number', 'Quality');
    Object.assign(this.quality, { min: 1, max: 100, value: 95 });
    more.append(labelled('Size', this.size), labelled('Quality', this.quality));
    const go = this.go = form.appendChild(make('button', 'plain strong', 'Export'));
    go.type = 'submit';
    this.told = form.appendChild(make('p', 'small'));
    this.told.setAttribute('role', 'status');
    this.links = form.appendChild(make('div', 'films'));
    this.command = form.appendChild(make('div', 'command'));
    this.commandText = this.command.appendChild(make('code'));
    this.command.append(button('Copy', 'plain quiet-button', 'Copy the command', () => navigator.clipboard?.writeText(this.commandText.textContent)));
    for (const node of [this.links, this.command]) node.hidden = true;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.export();
    });
  }

  async export() {
    this.does.quiet();
    const labels = this.shown, { into, format, size, quality } = this;
    const much = count(labels.length, 'specimen', 'specimens');
    this.go.disabled = true;
    write(this.told, `Exporting ${much} …`);
    const answer = await this.catalogue.ask('export', {
      labels: labels.join(' '), into: into.value, format: format.value, size: size.value.trim(),
      quality: Number(quality.value) || 95,
    });
    this.go.disabled = false;
    write(this.told, answer?.said ?? '');
    show(this.links, Boolean(answer));
    show(this.command, Boolean(answer));
    if (!answer) return;
    write(this.commandText, answer.command);
    this.links.replaceChildren(...answer.links.map(({ name, url }) => {
      const link = make('a', 'plain', name);
      Object.assign(link, { href: url, download: name });
      return link;
    }));
  }

  layStacks() {
    const part = this.node.appendChild(make('div', 'stack-tools'));
    part.append(make('h4', '', 'Near-duplicates'));
    const line = part.appendChild(make('div', 'line'));
    this.find = line.appendChild(button('Find them', 'plain', '', () => this.findStacks()));
    this.mode = line.appendChild(choices('Near-duplicates', [['stacked', 'in stacks'], ['only', 'stacks alone'], ['flat', 'each by itself']]));
    this.mode.addEventListener('change', () => this.does.stack(this.stacks, this.mode.value));
    this.beneath = line.appendChild(button('Choose those beneath', 'plain', '', () => this.choice.set(this.catalogue.beneath)));
    this.stacked = part.appendChild(make('p', 'small quiet'));
    this.stacked.setAttribute('role', 'status');
    for (const node of [this.mode, this.beneath]) node.hidden = true;
  }

  forgetStacks() {
    this.stacks = null;
    write(this.stacked, '');
    for (const node of [this.mode, this.beneath]) node.hidden = true;
  }

  async findStacks() {
    this.find.disabled = true;
    write(this.stacked, `Comparing all ${count(this.catalogue.all.length, 'specimen', 'specimens')} …`);
    const answer = await this.catalogue.ask('stacks', {});
    this.find.disabled = false;
    write(this.stacked, answer?.said ?? '');
    if (!answer) return;
    this.stacks = answer.stacks;
    for (const node of [this.mode, this.beneath]) show(node, this.stacks.length > 0);
    if (this.mode.value === 'flat') this.mode.value = 'stacked';
    this.does.stack(this.stacks, this.mode.value);
  }

  // Show what is chosen; where nothing is, the one that has the keyboard.
  show(active) {
    const { choice, catalogue } = this;
    this.shown = choice.labels.size ? choice.list : active && catalogue.places.has(active) ? [active] : [];
    const rows = this.shown.map((label) => catalogue.row(label)).filter((row) => row && !row.gone);
    const [row] = rows, one = this.shown.length === 1 && row;
    write(this.title, !this.shown.length ? 'Nothing chosen' : one ? `${row.label}${row.name ? ` ${row.name}` : ''}` : `${count(this.shown.length, 'specimen', 'specimens')} chosen`);
    show(this.hint, !this.shown.length);
    show(this.one, Boolean(one));
    show(this.ways, Boolean(one));
    show(this.editor.node, this.shown.length > 0);
    show(this.exports, this.shown.length > 0);
    if (one) {
      if (this.image.getAttribute('src') !== row.picture) this.image.src = row.picture;
      write(this.facts, `${row.origin} · kept ${row.kept}`);
      this.explore.href = exploreAddress(catalogue.run, row.label);
    }
    if (this.shown.length) this.editor.show(rows, this.shown.length);
  }
}
