// The points of an atlas: where they are, and which of them are near a place or inside a line.

class MapPoints {
  // numbers: Float32Array, one row of columns.length numbers for each point.
  constructor(numbers, columns) {
    this.count = numbers.length / columns.length;
    for (const [at, name] of columns.entries()) {
      const column = new Float32Array(this.count);
      for (let i = 0; i < this.count; i++) column[i] = numbers[i * columns.length + at];
      this[name] = column;
    }
    this.slot ??= Float32Array.from({ length: this.count }, (_, i) => i);
    this.index();
  }

  // Sort the points into square cells, about four in each.
  index() {
    const side = this.side = Math.max(1, Math.round(Math.sqrt(this.count / 4)));
    this.starts = new Uint32Array(side * side + 1);
    const cells = new Uint32Array(this.count);
    for (let i = 0; i < this.count; i++) {
      cells[i] = this.cell(this.y[i]) * side + this.cell(this.x[i]);
      this.starts[cells[i] + 1] += 1;
    }
    for (let c = 0; c < side * side; c++) this.starts[c + 1] += this.starts[c];
    const next = this.starts.slice();
    this.sorted = new Uint32Array(this.count);
    for (let i = 0; i < this.count; i++) this.sorted[next[cells[i]]++] = i;
  }

  cell(value) {
    return Math.min(this.side - 1, Math.max(0, Math.floor(value * this.side)));
  }

  // Call visit(i) for each point in a box of the map.
  visitBox(left, bottom, right, top, visit) {
    const [first, last] = [this.cell(left), this.cell(right)];
    for (let row = this.cell(bottom); row <= this.cell(top); row++) {
      const end = this.starts[row * this.side + last + 1];
      for (let k = this.starts[row * this.side + first]; k < end; k++) {
        const i = this.sorted[k];
        if (this.x[i] >= left && this.x[i] <= right && this.y[i] >= bottom && this.y[i] <= top) visit(i);
      }
    }
  }

  // The point nearest to a place, no farther than reach; -1 where none is.
  nearest(x, y, reach) {
    let found = -1, least = reach * reach;
    this.visitBox(x - reach, y - reach, x + reach, y + reach, (i) => {
      const apart = (this.x[i] - x) ** 2 + (this.y[i] - y) ** 2;
      if (apart <= least) [found, least] = [i, apart];
    });
    return found;
  }

  // The points inside a closed line of places [x, y].
  inside(line) {
    const xs = line.map(([x]) => x), ys = line.map(([, y]) => y), found = [];
    this.visitBox(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys), (i) => {
      if (isInside(line, this.x[i], this.y[i])) found.push(i);
    });
    return found.sort((a, b) => a - b);
  }
}

// Whether a ray from the place crosses the line an odd number of times.
function isInside(line, x, y) {
  let inside = false;
  for (let i = 0, j = line.length - 1; i < line.length; j = i++) {
    const [ax, ay] = line[i], [bx, by] = line[j];
    if (ay > y !== by > y && x < (bx - ax) * (y - ay) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}
