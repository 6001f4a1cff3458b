// The axis: small pictures, which batches are kept, pins, and the curves below, drawn once; what
// moves lies over it.

const EDGE_PX = 7, LANES = { marks: 16, kept: 6, gap: 6, ticks: 18 };
const CURVE_ENDS = [0.01, 0.99];

class Axis {
  constructor(root) {
    this.root = root;
    this.place = root.querySelector('.timeline-axis');
    this.canvas = this.place.querySelector('canvas');
    this.ink = this.canvas.getContext('2d');
    this.line = this.place.querySelector('.timeline-head-line');
    this.ghost = this.place.querySelector('.timeline-ghost');
    this.sideA = this.place.querySelector('.timeline-a');
    this.outside = [...this.place.querySelectorAll('.timeline-outside')];
    this.thumbnails = { batches: [], sheet: null };
    new ResizeObserver(() => this.redraw()).observe(this.place);
    new MutationObserver(() => this.redraw()).observe(document.body, { attributeFilter: ['class'] });
  }

  // told: what the studio says of the run; kept: its batches.
  begin(told, kept) {
    [this.told, this.kept, this.pinned] = [told, kept, new KeptBatches(told.pinned)];
    this.redraw();
  }

  showThumbnails(thumbnails) {
    this.thumbnails = thumbnails;
    this.redraw();
  }

  get width() {
    return this.place.clientWidth;
  }

  xOf(batch) {
    const { first, last } = this.kept;
    return EDGE_PX + (batch - first) / Math.max(1, last - first) * (this.width - 2 * EDGE_PX);
  }

  batchAt(x) {
    const { first, last } = this.kept;
    return first + (x - EDGE_PX) / Math.max(1, this.width - 2 * EDGE_PX) * (last - first);
  }

  // Where things are that move: the batch, the stretch that is played, and A.
  point({ batch, start, end, beside }) {
    this.now = { batch, start, end, beside };
    if (!this.kept || !this.width) return;
    this.line.style.transform = `translateX(${this.xOf(batch)}px)`;
    const [before, after] = this.outside;
    [before.hidden, after.hidden] = [start === null, end === null];
    if (start !== null) before.style.width = `${this.xOf(start)}px`;
    if (end !== null) after.style.width = `${this.width - this.xOf(end)}px`;
    this.sideA.hidden = beside === null;
    if (beside !== null) this.sideA.style.transform = `translateX(${this.xOf(beside)}px)`;
  }

  hover(x) {
    this.ghost.hidden = x === null;
    if (x === null) return;
    const batch = this.kept.nearest(this.batchAt(x)), text = this.ghost.querySelector('span');
    this.ghost.style.transform = `translateX(${this.xOf(batch)}px)`;
    text.textContent = batch.toLocaleString('en');
    text.classList.toggle('left', this.xOf(batch) > this.width - 90);
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      if (this.told && this.width && this.root.isConnected) this.draw();
    });
  }

  draw() {
    const { width, ink } = this, height = this.place.clientHeight, sharp = Math.min(2, devicePixelRatio || 1);
    [this.canvas.width, this.canvas.height] = [Math.round(width * sharp), Math.round(height * sharp)];
    ink.setTransform(sharp, 0, 0, sharp, 0, 0);
    const style = getComputedStyle(this.root);
    this.colour = (name) => style.getPropertyValue(name).trim();
    this.high = width < 520 ? 40 : 52;
    this.drawThumbnails();
    this.drawKept(this.high + LANES.marks);
    const top = this.high + LANES.marks + LANES.kept + LANES.gap;
    this.drawCurves(top, height - LANES.ticks - top);
    this.drawTicks(height);
    this.placeMarks();
    if (this.now) this.point(this.now);
  }

  drawThumbnails() {
    const { ink, width, high } = this, { batches, sheet } = this.thumbnails, size = this.told.thumbnailPx;
    const count = Math.max(1, Math.round(width / high)), wide = width / count;
    const known = new KeptBatches(batches.map((batch) => [batch, 1, 1]));
    ink.imageSmoothingQuality = 'high';
    for (let i = 0; i < count; i++) {
      const x = Math.round(i * wide), right = Math.round((i + 1) * wide) - 1;
      ink.fillStyle = this.colour('--sunk');
      ink.fillRect(x, 0, right - x, high);
      if (!batches.length) continue;
      const at = known.placeOf(this.batchAt((i + 0.5) * wide));
      ink.drawImage(sheet, at * size, 0, size, size, x, 0, right - x, high);
    }
  }

  drawKept(top) {
    const { ink } = this;
    ink.fillStyle = this.colour('--line');
    ink.fillRect(EDGE_PX, top, this.width - 2 * EDGE_PX, LANES.kept);
    ink.fillStyle = this.colour('--accent');
    for (const [first, step, count] of this.kept.stretches) {
      const x = this.xOf(first), wide = Math.max(1, this.xOf(first + step * (count - 1)) - x);
      ink.globalAlpha = count > 1 ? Math.max(0.3, 1 / step) : 1;
      ink.fillRect(x, top, wide, LANES.kept);
    }
    ink.globalAlpha = 1;
    ink.fillStyle = this.colour('--plum');
    const drawn = new Set();
    for (const batch of this.pinned.all) {
      const x = Math.round(this.xOf(batch));
      if (drawn.has(x)) continue;
      drawn.add(x);
      ink.beginPath();
      ink.moveTo(x - 5, top - 7);
      ink.lineTo(x + 5, top - 7);
      ink.lineTo(x, top + 1);
      ink.fill();
    }
  }

  drawCurves(top, high) {
    const { ink, told } = this, { first, last } = this.kept;
    const values = told.curves.flatMap(({ places }) => places.map(([, value]) => value)).sort((a, b) => a - b);
    if (!values.length) return;
    const [low, most] = CURVE_ENDS.map((end) => values[Math.round(end * (values.length - 1))]);
    const y = (value) => top + 2 + (1 - Math.min(1, Math.max(0, (value - low) / Math.max(1e-9, most - low)))) * (high - 4);
    ink.save();
    ink.beginPath();
    ink.rect(0, top, this.width, high);
    ink.clip();
    if (low < 0 && most > 0) {
      ink.strokeStyle = this.colour('--line');
      ink.beginPath();
      ink.moveTo(0, Math.round(y(0)) + 0.5);
      ink.lineTo(this.width, Math.round(y(0)) + 0.5);
      ink.stroke();
    }
    [ink.lineWidth, ink.lineJoin] = [1.5, 'round'];
    for (const { colour, places } of told.curves) {
      ink.strokeStyle = this.colour(colour);
      ink.beginPath();
      for (const [batch, value] of places) {
        if (batch >= first && batch <= last) ink.lineTo(this.xOf(batch), y(value));
      }
      ink.stroke();
    }
    ink.restore();
  }

  drawTicks(height) {
    const { ink } = this, { first, last } = this.kept, span = Math.max(1, last - first);
    const most = Math.max(2, this.width / 110), rough = span / most, power = 10 ** Math.floor(Math.log10(rough));
    const step = Math.max(1, [1, 2, 5, 10].find((n) => n * power >= rough) * power);
    [ink.fillStyle, ink.font, ink.textBaseline] = [this.colour('--quiet'), `11px ${getComputedStyle(this.root).fontFamily}`, 'alphabetic'];
    for (let batch = Math.ceil(first / step) * step; batch <= last; batch += step) {
      const x = this.xOf(batch), text = batch.toLocaleString('en'), wide = ink.measureText(text).width;
      ink.fillRect(Math.round(x), height - LANES.ticks + 2, 1, 4);
      ink.fillText(text, Math.min(this.width - wide - 1, Math.max(1, x - wide / 2)), height - 2);
    }
  }

  // Marks are elements that stay: their place alone follows the width.
  placeMarks() {
    const over = this.root.querySelector('.timeline-marks');
    over.style.top = `${this.place.offsetTop + this.high + 1}px`;
    for (const mark of over.children) mark.style.left = `${this.xOf(Number(mark.dataset.batch))}px`;
  }
}
