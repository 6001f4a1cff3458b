// What the gallery knows of specimens: all labels in their order, and more of those in sight. The
// order stays as it is until another one is asked for, whatever is starred, rated or drawn.
const DESCRIBED_AT_ONCE = 200, KEPT = 3000;

class Catalogue {
  constructor(told) {
    this.told = told;  // Called with a sentence that a person should read.
    this.forget(null);
  }

  forget(run) {
    [this.run, this.labels, this.all, this.tags] = [run, [], [], []];
    [this.places, this.rows, this.stacks] = [new Map(), new Map(), null];
    this.open = new Set();  // Tops of the stacks that are spread out.
  }

  async ask(name, asked) {
    try {
      const answer = await server[name]({ run: this.run, ...asked });
      if (answer && !answer.problem) return answer;
      this.told(answer?.problem ?? 'The studio gave no answer. Try again.');
    } catch {
      this.told('The studio does not answer. Try again.');
    }
    return null;
  }

  // Take the list that a view asks for. Returns whether there is one.
  async list(view) {
    const asked = this.listed = {};
    const answer = await this.ask('list_view', { view });
    if (!answer || asked !== this.listed) return false;
    [this.all, this.tags, this.newer] = [split(answer.labels), answer.tags, null];
    this.arrange();
    return true;
  }

  // Look whether the list is another one by now: what is gone goes, and the rest waits for a press.
  async look(view) {
    const asked = this.listed = {};
    const answer = await this.ask('list_view', { view });
    if (!answer || asked !== this.listed) return 0;
    const fresh = split(answer.labels), known = new Set(this.all), there = new Set(fresh);
    const added = fresh.filter((label) => !known.has(label)).length;
    this.all = this.all.filter((label) => there.has(label));
    const moved = fresh.filter((label) => known.has(label)).some((label, i) => label !== this.all[i]);
    [this.tags, this.newer] = [answer.tags, added || moved ? { fresh, added } : null];
    this.arrange();
    return added;
  }

  takeNewer() {
    if (!this.newer) return;
    [this.all, this.newer] = [this.newer.fresh, null];
    this.arrange();
  }

  // Lay what is beneath in a stack under its top; or show what lies in stacks alone.
  arrange() {
    this.labels = this.stacks ? this.stacked() : this.all;
    this.places = new Map(this.labels.map((label, place) => [label, place]));
  }

  stacked() {
    const { tops, only } = this.stacks, there = new Set(this.all), placed = new Set(), found = [];
    for (const label of this.all) {
      const top = tops.get(label);
      if (top === undefined) {
        if (!only) found.push(label);
      } else if (!placed.has(top)) {
        placed.add(top);
        const stack = this.stacks.members.get(top).filter((each) => there.has(each));
        found.push(...(this.open.has(top) ? stack : stack.slice(0, 1)));
      }
    }
    return found;
  }

  stack(stacks, only) {
    this.stacks = stacks && {
      only,
      members: new Map(stacks.map((labels) => [labels[0], labels])),
      tops: new Map(stacks.flatMap((labels) => labels.map((label) => [label, labels[0]]))),
    };
    this.arrange();
  }

  // How many lie in the stack whose top is shown at a label, else 0.
  stackAt(label) {
    const top = this.stacks?.tops.get(label);
    if (top === undefined) return 0;
    const isTop = label === top || !this.places.has(top);
    return isTop ? this.stacks.members.get(top).length : 0;
  }

  spread(label) {
    const top = this.stacks.tops.get(label);
    if (!this.open.delete(top)) this.open.add(top);
    this.arrange();
  }

  // Labels beneath the tops of all stacks.
  get beneath() {
    const there = new Set(this.all);
    return [...(this.stacks?.members.values() ?? [])].flatMap((labels) => labels.slice(1)).filter((label) => there.has(label));
  }

  row(label) {
    return this.rows.get(label);
  }

  // What is known may be so no longer: ask again for those in sight, which stay as they are until then.
  stale() {
    this.old = new Set(this.rows.keys());
  }

  knows(label) {
    return this.rows.has(label) && !this.old?.has(label);
  }

  // Get to know specimens. Returns whether anything came.
  async describe(labels) {
    const { run } = this, some = labels.slice(0, DESCRIBED_AT_ONCE);
    if (!some.length) return false;
    const answer = await this.ask('describe', { labels: some.join(' ') });
    if (!answer || run !== this.run) return false;
    this.take(answer);
    const came = new Set(answer.rows.map((row) => row.label));
    for (const label of some) if (!came.has(label)) this.take({ rows: [{ label, gone: true, tags: [] }] });
    return true;
  }

  take(answer) {
    for (const row of answer.rows) {
      this.rows.delete(row.label);  // What was asked for last goes last.
      this.rows.set(row.label, row);
      this.old?.delete(row.label);
    }
    if (answer.tags) this.tags = answer.tags;
    for (const label of this.rows.keys()) {
      if (this.rows.size <= KEPT) break;
      this.rows.delete(label);
    }
  }

  // Say something of specimens; it shows at once, and as it was where it could not be done.
  async mark(labels, marks, changed) {
    const before = labels.map((label) => this.rows.get(label)).filter(Boolean);
    const { star, rating, note } = marks;
    for (const row of before) {
      this.rows.set(row.label, {
        ...row,
        starred: star ?? row.starred,
        rating: rating ?? row.rating,
        note: note ?? row.note,
      });
    }
    changed();
    const answer = await (this.turn = (this.turn ?? Promise.resolve()).then(
      () => this.ask('mark', { labels: labels.join(' '), ...marks }),
    ));
    if (answer) this.take(answer);
    else for (const row of before) this.rows.set(row.label, row);
    if (labels.length > DESCRIBED_AT_ONCE) for (const label of labels.slice(DESCRIBED_AT_ONCE)) this.rows.delete(label);
    changed();
    return Boolean(answer);
  }
}

const split = (text) => text.split(' ').filter(Boolean);
