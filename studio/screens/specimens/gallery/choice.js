// Which specimens are chosen. A small choice stands in the address of the page; one that is too
// long for it stays in this tab of the browser.
const IN_ADDRESS = 400, MAX_CHOSEN = 5000;

class Choice {
  constructor(changed, told) {
    [this.changed, this.told, this.labels, this.anchor] = [changed, told, new Set(), null];
  }

  adopt(run, labels) {
    this.place = `studio-chosen-${run}`;
    this.labels = new Set(labels.length ? labels : this.stored());
    this.anchor = null;
  }

  stored() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.place) ?? '[]');
      return Array.isArray(kept) ? kept.filter((label) => typeof label === 'string') : [];
    } catch {
      return [];
    }
  }

  get list() {
    return [...this.labels];
  }

  has(label) {
    return this.labels.has(label);
  }

  set(labels) {
    if (labels.length > MAX_CHOSEN) {
      this.told(`${labels.length.toLocaleString('en')} are too many at once: the first ${MAX_CHOSEN.toLocaleString('en')} are chosen.`);
    }
    this.labels = new Set(labels.slice(0, MAX_CHOSEN));
    this.keep();
    this.changed();
  }

  toggle(label) {
    const rest = this.list.filter((each) => each !== label);
    this.anchor = label;
    this.set(this.has(label) ? rest : [...rest, label]);
  }

  // All between the one that was pressed last and this one.
  extend(catalogue, label) {
    const [from, to] = [catalogue.places.get(this.anchor), catalogue.places.get(label)];
    if (from === undefined) {
      this.toggle(label);
      return;
    }
    const between = catalogue.labels.slice(Math.min(from, to), Math.max(from, to) + 1);
    this.set([...new Set([...this.list, ...between])]);
  }

  keep() {
    try {
      if (this.labels.size > IN_ADDRESS) sessionStorage.setItem(this.place, JSON.stringify(this.list));
      else sessionStorage.removeItem(this.place);
    } catch {
      sessionStorage.clear();  // It is full.
    }
  }
}
