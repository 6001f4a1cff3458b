// An atlas over training: a slider and a button move its cities smoothly from map to map.

const STEP_MS = 900, MAPS_KEPT = 48, SPRITES_KEPT = 6, LINES = 8;

class MapGrowth {
  constructor(view) {
    this.view = view;
    this.bar = view.root.querySelector('.atlas-growth');
    [this.button, this.slider, this.said] = ['play', 'slider', 'said'].map(
      (name) => view.root.querySelector(`[data-growth=${name}]`),
    );
    this.slider.addEventListener('input', () => {
      this.stop();
      this.go(Number(this.slider.value));
    });
    this.slider.addEventListener('keydown', (event) => {
      if (event.key !== ' ') return;
      event.preventDefault();
      this.toggle();
    });
    this.button.addEventListener('click', () => this.toggle());
    this.take(null);
  }

  // atlas: as the view takes it, with maps: [{batch, points, near, sheets}, ...] by ascending
  // batches, and reach: how far from the middle cities lie; null where it is not over training.
  take(atlas) {
    this.stop();
    const goesOn = this.atlas && atlas && this.atlas.run === atlas.run && this.atlas.space === atlas.space;
    [this.atlas, this.maps, this.wish] = [atlas, atlas?.maps ?? [], null];
    [this.known, this.pictures, this.around] = [new Map(), new Map(), new Map()];
    if (!goesOn) this.position = Math.max(0, this.maps.length - 1);
    this.position = Math.min(this.position, Math.max(0, this.maps.length - 1));
    this.bar.hidden = !this.maps.length;
    this.slider.max = Math.max(1, this.maps.length - 1);
  }

  // The number of the map that is nearest to where one is, and its batch.
  get number() {
    return Math.round(this.position);
  }

  get batch() {
    return this.maps[this.number]?.batch;
  }

  // What an address says of where one is: nothing at the last map, where one begins.
  get moment() {
    return this.maps.length && this.number < this.maps.length - 1 ? this.batch : null;
  }

  async show(atlas, isWanted) {
    const found = this.find(atlas.maps), number = found < 0 ? atlas.maps.length - 1 : found;
    const first = await this.read(atlas, number);
    if (!isWanted()) return;
    this.take(atlas);
    this.view.take(atlas, first);
    this.begin();
  }

  // The number of the map that an address asks for; -1 where it asks for none.
  find(maps) {
    return this.wanted ? maps.findIndex((map) => map.batch >= this.wanted) : -1;
  }

  // Go to the batch that an address has asked for, else to where one was.
  begin() {
    if (!this.maps.length) return;
    const found = this.find(this.maps);
    this.wanted = null;
    this.go(found < 0 ? this.position : found);
  }

  // The places of a map, once they are there; those that were asked for longest ago go.
  load(number) {
    const found = this.known.get(number) ?? this.read(this.atlas, number);
    this.known.delete(number);
    this.known.set(number, found);
    if (this.known.size > MAPS_KEPT) this.known.delete(this.known.keys().next().value);
    found.catch(() => this.known.delete(number));
    return found;
  }

  async read(atlas, number) {
    const answer = await fetch(atlas.maps[number].points);
    if (!answer.ok) throw new Error(`map ${number} was answered with ${answer.status}`);
    const points = new MapPoints(new Float32Array(await answer.arrayBuffer()), atlas.columns);
    for (const column of [points.x, points.y]) {
      for (let i = 0; i < points.count; i++) column[i] = 0.5 + column[i] / (2 * atlas.reach);
    }
    points.index();
    return points;
  }

  // Let the cities lie where they lie at a position between two maps; the latest one wins.
  async go(position) {
    this.position = Math.min(this.maps.length - 1, Math.max(0, position));
    const low = Math.floor(this.position), high = Math.ceil(this.position), wish = this.wish = {};
    this.slider.value = this.position;
    this.tellBatch(low, high);
    try {
      const [from, to] = await Promise.all([this.load(low), this.load(high)]);
      if (wish !== this.wish) return;
      this.blend(from, to, ease(this.position - low));
      this.showPictures(this.number);
      this.lookAround();
      if (high + 1 < this.maps.length) this.load(high + 1).catch(() => {});
    } catch (error) {
      this.said.textContent = 'This map could not be fetched.';
      console.warn('A map over training could not be fetched:', error.message);
    }
    this.view.tellRest();
  }

  tellBatch(low, high) {
    const [before, after] = [low, high].map((at) => this.maps[at].batch.toLocaleString('en'));
    const said = low === high ? `batch ${before}` : `batch ${before} to ${after}`;
    this.said.textContent = said;
    this.slider.setAttribute('aria-valuetext', said);
  }

  blend(from, to, at) {
    const { view } = this, { points } = view;
    if (!points || points.count !== from.count) return;
    for (const name of this.atlas.columns) {
      const [column, a, b] = [points[name], from[name], to[name]];
      for (let i = 0; i < points.count; i++) column[i] = a[i] + (b[i] - a[i]) * at;
    }
    points.index();
    if (view.by === 'faithful') view.recolour();
    else view.redraw();
  }

  // Pictures of a batch take the place of those of another as soon as they are there.
  async showPictures(number) {
    if (this.shown === this.maps[number]) return;
    let found = this.pictures.get(number);
    if (!found) {
      found = new Sprites(this.maps[number].sheets, this.atlas.sprite_px, () => this.view.redraw());
      this.pictures.set(number, found);
      if (this.pictures.size > SPRITES_KEPT) this.pictures.delete(this.pictures.keys().next().value);
      await found.fetch(0);
    }
    if (!this.maps.length || number !== this.number) return;
    [this.shown, this.view.sprites] = [this.maps[number], found];
    this.view.redraw();
  }

  // Lines lead to those that are nearest to the chosen city at the batch.
  async lookAround() {
    const { view, number } = this, { chosen } = view;
    if (!this.maps.length || chosen < 0) return;
    const { near } = this.maps[number];
    if (!this.around.has(near)) this.around.set(near, fetch(near).then((answer) => answer.arrayBuffer()));
    const rows = new Int32Array(await this.around.get(near)), k = this.atlas.neighbours;
    if (number !== this.number || chosen !== view.chosen) return;
    view.neighbours = [...rows.slice(chosen * k, (chosen + 1) * k)].slice(0, LINES);
    view.redraw();
  }

  // Go to the map before or behind.
  step(by) {
    if (!this.maps.length) return;
    this.stop();
    this.go(by < 0 ? Math.ceil(this.position) - 1 : Math.floor(this.position) + 1);
  }

  toggle() {
    if (this.playing) this.stop();
    else if (this.maps.length > 1) this.play();
  }

  play() {
    const last = this.maps.length - 1, playing = this.playing = {};
    let [at, before] = [this.position >= last ? 0 : this.position, performance.now()];
    this.sayPlaying(true);
    const tick = (now) => {
      if (playing !== this.playing) return;
      if (!this.bar.offsetParent) return this.stop();
      at = Math.min(last, at + (now - before) / STEP_MS);
      before = now;
      this.go(calm.matches ? Math.floor(at) : at);  // Without motion it goes from map to map.
      if (at >= last) return this.stop();
      return requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  stop() {
    this.playing = null;
    this.sayPlaying(false);
  }

  sayPlaying(on) {
    this.button.textContent = on ? '❚❚' : '▶';
    this.button.setAttribute('aria-label', on ? 'Pause' : 'Play through training');
  }
}
