// The timeline of a run: where one is, what is shown there, and what is told to the studio.

const REST_MS = 90, TELL_MS = 400;
const SMALL_PX = 512, LARGE_PX = 1024;
const written = (number) => number.toLocaleString('en');

class Timeline {
  // tell(action, values): what the studio is to do or to know.
  constructor(root, tell) {
    [this.root, this.tell, this.kept] = [root, tell, null];
    this.view = { batch: 0, point: '', start: null, end: null, beside: null };
    const isSeen = () => root.offsetParent !== null && !document.hidden;
    this.axis = new Axis(root);
    this.stage = new Stage(root, (action, values) => tell(action, values));
    this.pictures = new PictureFeed((picture) => this.take(picture), (sentence) => this.say(sentence));
    this.besides = new PictureFeed((picture) => this.stage.showBeside(picture), (sentence) => this.say(sentence));
    this.thumbnails = new ThumbnailFeed((found) => this.axis.showThumbnails(found), isSeen);
    this.player = new Player((place) => this.look(this.kept.at(place), false), () => this.rest(), isSeen);
    this.controls = new Controls(this);
    this.layOutSpeeds();
  }

  say(sentence) {
    this.root.querySelector('.timeline-said').textContent = sentence;
  }

  // told: see describe_timeline; null where there is no run with checkpoints.
  show(told) {
    this.root.hidden = !told;
    if (!told) {
      this.pause();
      this.kept = this.told = null;
      return;
    }
    const another = told.run !== this.told?.run || told.identity !== this.told?.identity;
    [this.told, this.kept] = [told, new KeptBatches(told.kept)];
    if (another) this.begin(told);
    if (told.view || another) this.open(told.view ?? {});
    this.axis.begin(told, this.kept);
    this.layOutMarks();
    this.layOutPoints();
    this.root.querySelector('.timeline-credit').textContent = told.credit;
    this.root.querySelector('.legend').replaceChildren(...told.curves.map(({ title, colour }) => {
      const name = document.createElement('span');
      name.textContent = title;
      name.style.setProperty('--colour', `var(${colour})`);
      return name;
    }));
    this.thumbnails.follow(told.run, this.view.point);
    this.refresh();
    if (!told.view && !another && !this.kept.has(this.view.batch)) this.look(this.view.batch, true);
  }

  begin(told) {
    this.player.stop();
    this.axis.showThumbnails({ batches: [], sheet: null });
    this.player.speed = Player.fitting(this.kept.count);
    this.root.querySelector('[data-tool=speed]').value = String(this.player.speed);
    this.say('');
    this.view = { batch: this.kept.last, point: '', start: null, end: null, beside: null };
  }

  // Look at what the studio says: an address, or a place that was pressed elsewhere.
  open(view) {
    const known = this.told.points, { batch = this.kept.last } = view;
    this.view = { ...this.view, ...view, point: known.includes(view.point) ? view.point : '' };
    this.follow();
    this.look(batch < 0 ? this.kept.last : batch, true, false);
    this.lookBeside();
  }

  // The feeds show this run and this point from now on.
  follow() {
    const run = { name: this.told.run, identity: this.told.identity };
    this.pictures.begin(run, this.view.point);
    this.besides.begin(run, this.view.point);
  }

  // Go to the kept batch that is nearest. rests: whether one has come to rest there.
  look(batch, rests, telling = true) {
    this.view.batch = this.kept.nearest(batch);
    clearTimeout(this.resting);
    this.resting = 0;
    const size = rests && this.stage.pixels > SMALL_PX && this.isLarge ? LARGE_PX : SMALL_PX;
    this.pictures.want(this.view.batch, size, rests);
    if (!rests && !this.player.playing) this.resting = setTimeout(() => this.look(this.view.batch, true), REST_MS);
    if (rests && telling) this.tellLater();
    this.refresh();
  }

  take(picture) {
    this.isLarge = Math.max(...picture.natural) > SMALL_PX;
    this.stage.show(picture);
    this.root.dataset.shownAt = performance.now().toFixed(1);
    if (this.player.playing || this.resting) return;
    clearTimeout(this.foreseeing);
    const place = this.kept?.placeOf(this.view.batch);
    this.foreseeing = setTimeout(async () => {
      if (!this.kept) return;
      await this.pictures.foresee(this.kept.at(place + 1), SMALL_PX);
      await this.pictures.foresee(this.kept.at(place - 1), SMALL_PX);
    }, 250);
  }

  // Where one is stands in the address once one stays there.
  tellLater() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.tell('look', this.view), TELL_MS);
  }

  goTo(place) {
    this.pause();
    this.look(this.kept.at(place), true);
  }

  stepBy(count) {
    this.goTo(this.kept.placeOf(this.view.batch) + count);
  }

  // The next mark or pin before (-1) or after (1).
  goToMark(direction) {
    const places = [...this.told.marks.map(({ batch }) => this.kept.nearest(batch)), ...this.axis.pinned.all];
    const ahead = places.map((batch) => (batch - this.view.batch) * direction).filter((far) => far > 0);
    if (!ahead.length) {
      this.say(direction > 0 ? 'No mark after this one.' : 'No mark before this one.');
      return;
    }
    this.pause();
    this.look(this.view.batch + Math.min(...ahead) * direction, true);
    const here = this.told.marks.filter(({ batch }) => this.kept.nearest(batch) === this.view.batch);
    this.say(here.map(({ text }) => text).join(' · ') || `Batch ${written(this.view.batch)} is pinned.`);
  }

  togglePlay() {
    if (this.player.playing) {
      this.pause();
      this.look(this.view.batch, true);
      return;
    }
    const { start, end } = this.view, place = (batch, otherwise) => (batch === null ? otherwise : this.kept.placeOf(batch));
    this.player.play(this.kept.placeOf(this.view.batch), place(start, 0), place(end, this.kept.count - 1));
    this.refresh();
  }

  pause() {
    this.player.stop();
    if (this.kept) this.refresh();
  }

  rest() {
    this.look(this.view.batch, true);
  }

  bound(side) {
    this.view[side] = this.view.batch;
    const { start, end } = this.view;
    if (start !== null && end !== null && start >= end) this.view[side === 'start' ? 'end' : 'start'] = null;
    this.refresh();
    this.tellLater();
  }

  unbound() {
    [this.view.start, this.view.end] = [null, null];
    this.refresh();
    this.tellLater();
  }

  toggleCompare() {
    this.view.beside = this.view.beside === null ? this.view.batch : null;
    this.lookBeside();
    this.refresh();
    this.tellLater();
  }

  swap() {
    if (this.view.beside === null) return;
    const { beside } = this.view;
    this.view.beside = this.view.batch;
    this.lookBeside();
    this.look(beside, true);
  }

  lookBeside() {
    if (this.view.beside === null) this.stage.showBeside(null);
    else this.besides.want(this.kept.nearest(this.view.beside), SMALL_PX, true);
  }

  choosePoint(label) {
    this.view.point = label;
    this.follow();
    this.layOutPoints();
    this.look(this.view.batch, true);
    this.lookBeside();
    this.thumbnails.follow(this.told.run, label);
  }

  pin() {
    const { batch } = this.view;
    this.tell('pin', { batch, pinned: this.axis.pinned.has(batch) });
  }

  // Say where one is, on every part of the timeline.
  refresh() {
    if (!this.kept) return;
    const { batch, beside } = this.view, place = this.kept.placeOf(batch), { axis, root } = this;
    const say = (name, text) => { root.querySelector(`[data-say=${name}]`).textContent = text; };
    say('batch', `Batch ${written(batch)}`);
    say('place', `checkpoint ${written(place + 1)} of ${written(this.kept.count)}`);
    axis.point(this.view);
    const values = { min: this.kept.first, max: this.kept.last, now: batch, text: `batch ${written(batch)}` };
    for (const [name, value] of Object.entries(values)) axis.place.setAttribute(`aria-value${name}`, value);
    const tool = (name) => root.querySelector(`[data-tool=${name}]`);
    const isPinned = axis.pinned?.has(batch) ?? false;
    tool('play').setAttribute('aria-label', this.player.playing ? 'Pause' : 'Play');
    tool('play').classList.toggle('playing', this.player.playing);
    tool('compare').setAttribute('aria-pressed', String(beside !== null));
    tool('swap').disabled = beside === null;
    tool('pin').setAttribute('aria-pressed', String(isPinned));
    tool('in').setAttribute('aria-pressed', String(this.view.start !== null));
    tool('out').setAttribute('aria-pressed', String(this.view.end !== null));
  }

  layOutSpeeds() {
    this.root.querySelector('[data-tool=speed]').replaceChildren(
      ...SPEEDS.map((speed) => new Option(`${written(speed)} a second`, String(speed))),
    );
  }

  layOutPoints() {
    const { points, starred, canStar } = this.told, choice = this.root.querySelector('[data-tool=point]');
    const wanted = ['', ...points], there = [...choice.options].map((option) => option.value);
    if (wanted.join(' ') !== there.join(' ')) {
      choice.replaceChildren(...wanted.map((label) => new Option(label ? `city ${label}` : 'all cities', label)));
    }
    choice.value = this.view.point;
    this.stage.layOut(this.view.point ? [this.view.point] : points, starred, canStar);
  }

  // A mark that stays is the same element, and is not touched.
  layOutMarks() {
    const over = this.root.querySelector('.timeline-marks'), { marks } = this.told;
    const keyOf = ({ kind, text }) => `${kind} ${text}`;
    const wanted = new Set(marks.map(keyOf)), known = new Set();
    for (const mark of [...over.children]) {
      if (wanted.has(mark.dataset.key)) known.add(mark.dataset.key); else mark.remove();
    }
    for (const told of marks.filter((each) => !known.has(keyOf(each)))) {
      const mark = document.createElement('button');
      [mark.type, mark.className, mark.title, mark.tabIndex] = ['button', `timeline-mark ${told.kind}`, told.text, -1];
      [mark.dataset.batch, mark.dataset.key] = [told.batch, keyOf(told)];
      mark.setAttribute('aria-label', told.text);
      over.append(mark);
    }
  }
}
