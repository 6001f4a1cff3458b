// The batches that have a checkpoint, ascending. told: [first, step, count] for each even stretch.

class KeptBatches {
  constructor(told) {
    this.stretches = told;
    this.all = told.flatMap(([first, step, count]) => Array.from({ length: count }, (_, i) => first + step * i));
  }

  get first() {
    return this.all[0];
  }

  get last() {
    return this.all[this.all.length - 1];
  }

  get count() {
    return this.all.length;
  }

  // The place of the batch that is nearest, in the list of all; of two as near, the earlier one.
  placeOf(batch) {
    let [low, high] = [0, this.all.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.all[middle] < batch) low = middle + 1; else high = middle;
    }
    if (low === 0) return 0;
    if (low === this.all.length) return low - 1;
    return batch - this.all[low - 1] <= this.all[low] - batch ? low - 1 : low;
  }

  nearest(batch) {
    return this.all[this.placeOf(batch)];
  }

  at(place) {
    return this.all[Math.min(this.all.length - 1, Math.max(0, Math.round(place)))];
  }

  has(batch) {
    return this.all[this.placeOf(batch)] === batch;
  }
}
