// Where one looks: the place of the map in the middle, and how many pixels its whole width takes.
// Places of the map are 0..1, y upwards; pixels are those of the page, y downwards.

const MAX_ZOOM = 400, FLY_MS = 350;
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const within = (at) => Math.min(1.2, Math.max(-0.2, at));
const ease = (at) => at * at * (3 - 2 * at);

class Camera {
  constructor(changed) {
    this.changed = changed;
    this.middle = [0.5, 0.5];
    [this.width, this.height, this.sharp] = [0, 0, 1];
    this.wanted = 1;  // How much is enlarged once the map has a width.
  }

  // How much larger than the whole map in view.
  get enlarged() {
    return this.scale / this.whole;
  }

  // Returns whether anything has changed.
  resize(width, height) {
    const sharp = Math.min(2, devicePixelRatio || 1);
    if (this.width === width && this.height === height && this.sharp === sharp) return false;
    const enlarged = this.width ? this.enlarged : this.wanted;
    [this.width, this.height, this.sharp] = [width, height, sharp];
    this.whole = 0.92 * Math.min(width, height);
    this.scale = this.whole * enlarged;
    return true;
  }

  fit(smooth = true) {
    this.fly([0.5, 0.5], 1, smooth);
  }

  // Look there without flying, also before the map has a width.
  stand([x, y, enlarged]) {
    [this.flight, this.middle, this.wanted] = [null, [within(x), within(y)], Math.min(MAX_ZOOM, Math.max(0.5, enlarged))];
    if (!this.width) return;
    this.scale = this.whole * this.wanted;
    this.changed();
  }

  fly(middle, enlarged, smooth = true) {
    if (!this.width) {
      [this.middle, this.wanted] = [middle, enlarged];
      return;
    }
    const [from, scaled, scale, began] = [this.middle, this.scale, this.whole * enlarged, performance.now()];
    const flight = this.flight = {};
    const step = (now) => {
      if (flight !== this.flight) return;
      const at = smooth && !calm.matches ? Math.min(1, Math.max(0, (now - began) / FLY_MS)) : 1;
      this.middle = [0, 1].map((k) => from[k] + (middle[k] - from[k]) * ease(at));
      this.scale = scaled * (scale / scaled) ** ease(at);
      this.changed();
      if (at < 1) requestAnimationFrame(step);
    };
    step(began);
  }

  // The place under a pixel stays there.
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const [left, top] = this.placeAt(x, y);
    this.scale = Math.min(this.whole * MAX_ZOOM, Math.max(this.whole * 0.5, this.scale * factor));
    const [movedLeft, movedTop] = this.placeAt(x, y);
    this.pan(left - movedLeft, top - movedTop);
  }

  pan(right, up) {
    this.flight = null;
    this.middle = [within(this.middle[0] + right), within(this.middle[1] + up)];
    this.changed();
  }

  placeAt(x, y) {
    return [
      this.middle[0] + (x - this.width / 2) / this.scale,
      this.middle[1] - (y - this.height / 2) / this.scale,
    ];
  }

  pixelOf(x, y) {
    return [
      this.width / 2 + (x - this.middle[0]) * this.scale,
      this.height / 2 - (y - this.middle[1]) * this.scale,
    ];
  }

  // Bring a place into view where it is not.
  reveal(x, y) {
    const [left, top] = this.pixelOf(x, y);
    const seen = left > 20 && top > 20 && left < this.width - 20 && top < this.height - 20;
    if (!seen) this.fly([x, y], this.enlarged);
  }
}
