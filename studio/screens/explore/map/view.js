// The map of an atlas: points, pictures of some of them, the chosen city and its neighbours.

const MAX_PICTURES = 220, MANY_IN_VIEW = 3000, SLIDE_MS = 700, REST_MS = 500;
const STARRED = '#dcae62', TAGS_TOLD = 12;

// The number of a tag for each city, -1 without one. Of several it is the rarest, which says most.
function tagsOf(atlas, count) {
  const found = new Float32Array(count).fill(-1);
  for (const [at, [, numbers]] of atlas.tags.entries()) {
    for (const i of numbers) found[i] = at;
  }
  return found;
}

// A tag in its colour, and how many cities have it.
function tellTag([name, numbers], at) {
  const told = document.createElement('span');
  told.className = 'tag-told';
  told.style.setProperty('--colour', CLUSTER_COLOURS[at % CLUSTER_COLOURS.length]);
  told.textContent = `${name} ${numbers.length.toLocaleString('en')}`;
  return told;
}

class MapView {
  // tell(action, values): what was chosen.
  constructor(root, tell) {
    [this.root, this.tell] = [root, tell];
    this.field = root.querySelector('.atlas-field');
    this.tip = root.querySelector('.atlas-tip');
    this.legend = root.querySelector('.atlas-legend');
    this.splats = new Splats(root.querySelector('.atlas-points'));
    this.over = root.querySelector('.atlas-over');
    this.ink = this.over.getContext('2d');
    this.tipInk = this.tip.querySelector('canvas').getContext('2d');
    this.camera = new Camera(() => {
      this.redraw();
      this.tellRest();
    });
    this.growth = new MapGrowth(this);
    this.near = { label: null, neighbours: [] };
    this.rested = ' ';  // The whole map, and no moment.
    this.forget();
    this.hands = new MapHands(this);
    new ResizeObserver(() => this.resize()).observe(this.field);
  }

  forget() {
    [this.atlas, this.points, this.sprites, this.line] = [null, null, null, null];
    [this.chosen, this.hovered, this.neighbours, this.pictures] = [-1, -1, [], []];
    this.picked = new Set();
  }

  // atlas: {run, batch, prefix, first, count, points, columns, sheets, sprite_px, clusters, starred, tags},
  // whose points and sheets are addresses, and tags [name, numbers of cities]; null where there is
  // none. Over training it has `maps`, too, and when cities settled.
  async show(atlas) {
    const asked = this.asked = {};
    this.root.hidden = !atlas;
    if (!atlas) {
      this.growth.take(null);
      this.forget();
      return;
    }
    if (atlas.maps) {
      await this.growth.show(atlas, () => asked === this.asked);
      return;
    }
    this.growth.take(null);
    const answer = await fetch(atlas.points);
    if (!answer.ok) throw new Error(`the answer was ${answer.status}`);
    const numbers = new Float32Array(await answer.arrayBuffer());
    if (asked !== this.asked) return;  // Another was asked for meanwhile.
    this.take(atlas, new MapPoints(numbers, atlas.columns));
  }

  take(atlas, points) {
    const names = ['run', 'batch', 'prefix', 'first', 'count', 'space'], old = this.points;
    const same = old && names.every((name) => this.atlas[name] === atlas[name]);
    if (!same && this.picked.size) this.pick([]);  // They are none of the other atlas.
    if (!same) this.forget();
    [this.atlas, this.points] = [atlas, points];
    this.sprites = new Sprites(atlas.sheets, atlas.sprite_px, () => this.redraw());
    this.starred = new Set(atlas.starred);
    points.tag = tagsOf(atlas, points.count);
    const { settled, settled_at: batches } = atlas;
    if (settled) points.batch = Float32Array.from(settled, (map) => map / Math.max(1, batches.length - 1));
    this.recolour();
    this.resize();
    if (this.wanted) this.camera.stand(this.wanted);
    else if (!same) this.camera.fit(false);
    else if (!calm.matches && !atlas.maps) this.slide(old, points);
    this.wanted = null;
    this.mark({ ...this.near });
  }

  // Look where an address says: {zoom: [x, y, enlarged], moment: batch}.
  stand(place) {
    if (!place) return;
    this.wanted = place.zoom ?? null;
    this.steady = this.wanted !== null;
    this.growth.wanted = place.moment ?? null;
    if (!this.points) return;
    if (this.wanted) this.camera.stand(this.wanted);
    this.wanted = null;
    this.growth.begin();
  }

  // Say where one looks once that has not changed for a moment.
  tellRest() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      if (!this.points || !this.camera.width || !this.root.isConnected) return;
      const { middle, enlarged } = this.camera, whole = enlarged === 1 && middle.every((at) => at === 0.5);
      const zoom = whole ? '' : [...middle, enlarged].map((at) => at.toFixed(4)).join(',');
      const moment = this.growth.moment ?? '';
      if (this.rested === `${zoom} ${moment}`) return;
      this.rested = `${zoom} ${moment}`;
      this.tell('stand', { zoom, moment });
    }, REST_MS);
  }

  // The chosen city and its neighbours: {label, neighbours: labels}.
  mark(near) {
    this.near = near ?? { label: null, neighbours: [] };
    if (!this.points) return;
    const before = this.chosen;
    this.chosen = this.indexOf(this.near.label);
    this.neighbours = this.near.neighbours.map((label) => this.indexOf(label)).filter((i) => i >= 0);
    this.growth.lookAround();
    const steady = this.steady;  // An address says where one looks, whatever is chosen there.
    if (this.near.label) this.steady = false;
    if (this.chosen >= 0 && this.chosen !== before && this.camera.width && !steady) {
      this.camera.reveal(this.points.x[this.chosen], this.points.y[this.chosen]);
    }
    this.redraw();
  }

  // The batch at which its cities are shown.
  get batch() {
    return this.growth.batch ?? this.atlas.batch;
  }

  choose(i) {
    if (i < 0) return;
    this.mark({ label: this.labelOf(i), neighbours: [] });
    this.tell('choose', { label: this.labelOf(i), batch: this.batch });
  }

  // Choose many: the rest turns grey. None lets go of them.
  pick(indices) {
    this.picked = new Set(indices);
    this.recolour();
    const labels = indices.map((i) => this.labelOf(i)).join(' ');
    this.tell('select', { labels, batch: this.batch });
  }

  indexOf(label) {
    const { prefix, first, count, labels } = this.atlas, text = String(label ?? '');
    if (labels) return labels.indexOf(text);
    const number = text.slice(prefix.length), i = number - first;
    return text.startsWith(prefix) && /^\d+$/.test(number) && i >= 0 && i < count ? i : -1;
  }

  labelOf(i) {
    return this.atlas.labels?.[i] ?? `${this.atlas.prefix}${this.atlas.first + i}`;
  }

  recolour() {
    if (!this.points) return;
    const { count } = this.points, by = this.by = this.colouredBy();
    this.colours = coloursOf(this.points, by);
    this.order = Uint32Array.from({ length: count }, (_, i) => i);
    if (this.picked.size) {
      const grey = packed(PLAIN, 70), isPicked = (i) => (this.picked.has(i) ? 1 : 0);
      for (let i = 0; i < count; i++) if (!this.picked.has(i)) this.colours[i] = grey;
      this.order.sort((a, b) => isPicked(a) - isPicked(b) || a - b);  // What is chosen lies on top.
    }
    this.tellLegend(by);
    this.redraw();
  }

  // Over training there are no clusters, and the choice shows that trust takes their place.
  colouredBy() {
    const choice = this.root.querySelector('[data-tool=colour]');
    choice.querySelector('[value=cluster]').disabled = Boolean(this.atlas.maps);
    if (choice.value === 'cluster' && this.atlas.maps) choice.value = 'faithful';
    return choice.value;
  }

  tellLegend(by) {
    const count = this.atlas.count.toLocaleString('en');
    const what = {
      cluster: `${this.atlas.clusters} clusters, grey is in none`,
      density: 'from blue (few cities around) to red (many)',
      faithful: 'from blue (its neighbours were lost on this map) to red (kept)',
      batch: this.tellBatches(),
      tag: this.atlas.tags.length ? '' : 'no city has a tag: give one in Specimens',
    }[by];
    const known = this.points[by] || by === 'batch' ? what : '';
    const chosen = this.picked.size ? `${this.picked.size.toLocaleString('en')} of ${count} chosen` : `${count} cities`;
    this.legend.textContent = [chosen, known].filter(Boolean).join(' · ');
    if (by === 'tag') this.legend.append(...this.atlas.tags.slice(0, TAGS_TOLD).map(tellTag));
  }

  tellBatches() {
    const batches = this.atlas.settled_at?.map((batch) => batch.toLocaleString('en'));
    if (!batches) return `all at batch ${this.batch.toLocaleString('en')}`;
    return `from blue (where it lies at last since batch ${batches[0]}) to red (since ${batches.at(-1)})`;
  }

  // Points go from where they were to where they are: one sees what became of each.
  slide(from, to) {
    const [x, y, began] = [to.x, to.y, performance.now()];
    const [shownX, shownY] = [x.slice(), y.slice()];
    const step = (now) => {
      if (this.points !== to) return;
      const at = ease(Math.min(1, Math.max(0, (now - began) / SLIDE_MS)));
      for (let i = 0; i < to.count; i++) {
        shownX[i] = from.x[i] + (x[i] - from.x[i]) * at;
        shownY[i] = from.y[i] + (y[i] - from.y[i]) * at;
      }
      [to.x, to.y] = at < 1 ? [shownX, shownY] : [x, y];
      this.redraw();
      if (at < 1) requestAnimationFrame(step);
    };
    step(began);
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.field;
    if (!width || !height || !this.points) return;
    if (!this.camera.resize(width, height)) return;
    const { sharp } = this.camera;
    this.splats.resize(Math.round(width * sharp), Math.round(height * sharp));
    [this.over.width, this.over.height] = [Math.round(width * sharp), Math.round(height * sharp)];
    this.redraw();
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      if (this.points && this.camera.width && this.root.isConnected) this.draw();
    });
  }

  draw() {
    const began = performance.now(), { camera, field } = this, { sharp } = camera;
    const scale = camera.scale * sharp;
    const place = {
      scale,
      left: camera.width * sharp / 2 - camera.middle[0] * scale,
      top: camera.height * sharp / 2 + camera.middle[1] * scale,
    };
    const small = 3.4 * (500 / Math.max(500, this.points.count)) ** 0.25;
    const radius = sharp * Math.min(5, small * camera.enlarged ** 0.3);
    this.splats.draw(this.points, place, this.colours, radius, this.order);
    this.drawOver();
    field.dataset.drawMs = (performance.now() - began).toFixed(1);
    field.dataset.frames = 1 + Number(field.dataset.frames ?? 0);
  }

  drawOver() {
    const { ink, camera } = this, style = getComputedStyle(this.root);
    const [accent, paper] = ['--accent', '--card'].map((name) => style.getPropertyValue(name).trim());
    ink.setTransform(camera.sharp, 0, 0, camera.sharp, 0, 0);
    ink.clearRect(0, 0, camera.width, camera.height);
    ink.imageSmoothingQuality = 'high';
    if (this.chosen >= 0) this.drawWays(accent);
    this.drawPictures(accent, paper);
    if (this.line) this.drawLine(accent);
  }

  pixelOf(i) {
    return this.camera.pixelOf(this.points.x[i], this.points.y[i]);
  }

  drawWays(accent) {
    const { ink } = this, from = this.pixelOf(this.chosen);
    [ink.strokeStyle, ink.globalAlpha, ink.lineWidth] = [accent, 0.55, 1.5];
    ink.beginPath();
    for (const i of this.neighbours) {
      ink.moveTo(...from);
      ink.lineTo(...this.pixelOf(i));
    }
    ink.stroke();
    ink.globalAlpha = 1;
  }

  drawPictures(accent, paper) {
    const { ink } = this, size = Math.round(Math.min(112, 30 * this.camera.enlarged ** 0.4));
    const choice = this.root.querySelector('[data-tool=pictures]').value;
    const few = this.picked.size ? 1.12 : Math.max(1.12, 2.6 / this.camera.enlarged ** 0.5);
    const gap = { few, many: 1.12 }[choice];
    const candidates = this.candidates(size, gap !== undefined);
    const spaced = spread(candidates, size * (gap ?? 1.12), MAX_PICTURES);
    this.pictures = spaced.filter(([i]) => this.sprites.has(this.points.slot[i]));
    this.pictureSize = size;
    for (const [i, x, y] of [...this.pictures].reverse()) {
      const [left, top] = [Math.round(x - size / 2), Math.round(y - size / 2)];
      const faded = this.picked.size && !this.picked.has(i) && i !== this.chosen;
      const marked = this.starred.has(i) && !faded;
      const [frame, colour] = i === this.chosen ? [3, accent] : marked ? [2, STARRED] : [1, paper];
      ink.fillStyle = colour;
      ink.fillRect(left - frame, top - frame, size + 2 * frame, size + 2 * frame);
      ink.globalAlpha = faded ? 0.35 : 1;
      this.sprites.draw(ink, this.points.slot[i], left, top, size);
      ink.globalAlpha = 1;
    }
    this.field.dataset.pictures = this.pictures.length;
  }

  // Points in view with their pixels, those first that matter most. While many are in view, only
  // pictures of the first sheet are asked for, whose cities lie anywhere on the map.
  candidates(size, all) {
    const { camera, points } = this, seen = [];
    const [left, top] = camera.placeAt(-size, -size);
    const [right, bottom] = camera.placeAt(camera.width + size, camera.height + size);
    points.visitBox(left, bottom, right, top, (i) => seen.push(i));
    const near = new Set([this.chosen, ...this.neighbours]), crowded = seen.length > MANY_IN_VIEW;
    const rank = (i) => (i === this.chosen ? 0 : near.has(i) ? 1 : this.picked.has(i) ? 2 : this.starred.has(i) ? 3 : 4);
    return seen
      .filter((i) => near.has(i) || (all && !(crowded && points.slot[i] >= PER_SHEET)))
      .sort((a, b) => rank(a) - rank(b) || points.slot[a] - points.slot[b])
      .map((i) => [i, ...this.pixelOf(i)]);
  }

  drawLine(accent) {
    const { ink } = this;
    ink.beginPath();
    for (const [x, y] of this.line) ink.lineTo(x, y);
    ink.closePath();
    [ink.globalAlpha, ink.fillStyle] = [0.12, accent];
    ink.fill();
    [ink.globalAlpha, ink.strokeStyle, ink.lineWidth] = [1, accent, 1.5];
    ink.setLineDash([5, 4]);
    ink.stroke();
    ink.setLineDash([]);
  }

  // Say what a city is beside the pointer; -1 says nothing.
  hover(i, x = 0, y = 0) {
    if (i !== this.hovered) {
      this.hovered = i;
      this.tip.hidden = i < 0;
      if (i >= 0) this.describe(i);
    }
    if (i < 0) return;
    const { offsetWidth: width, offsetHeight: height } = this.tip, { camera } = this;
    this.tip.style.left = `${x + 18 + width > camera.width ? x - 18 - width : x + 18}px`;
    this.tip.style.top = `${Math.max(4, Math.min(y - height / 2, camera.height - height - 4))}px`;
  }

  describe(i) {
    const cluster = this.points.cluster?.[i] ?? -1, kept = this.points.faithful?.[i];
    const words = [`City ${this.labelOf(i)}`];
    if (cluster >= 0) words.push(`cluster ${cluster + 1}`);
    if (kept !== undefined) words.push(`neighbours kept: ${kept.toFixed(2)} of 1`);
    this.tip.querySelector('span').textContent = words.join('\n');
    this.tipInk.clearRect(0, 0, 96, 96);
    this.tip.querySelector('canvas').hidden = !this.sprites.draw(this.tipInk, this.points.slot[i], 0, 0, 96);
  }
}
