// Draws a hundred thousand points in a few milliseconds, without WebGL: they are written as small
// discs into the memory of a picture. So the card of the machine is left to training.

const CLUSTER_COLOURS = [
  '#b5573d', '#3f7d97', '#5f8a52', '#b07a2a', '#8a4f9e', '#5b6aa8',
  '#2f8f83', '#a3537f', '#8a7a3a', '#4a7fb5', '#c0765a', '#6f9a3c',
];
const RAMP = ['#3b4a8c', '#3f7d97', '#5aa37a', '#b9b04a', '#dc8a3c', '#c8452f'];
const PLAIN = '#9a8d86';

class Splats {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d');
  }

  resize(width, height) {
    [this.canvas.width, this.canvas.height] = [width, height];
    this.picture = this.context.createImageData(width, height);
    this.pixels = new Uint32Array(this.picture.data.buffer);
  }

  // place: {scale, left, top} in pixels of the canvas; x = left + scale * point.x.
  // colours: Uint32Array, one for each point; order: which points, the last on top.
  draw(points, place, colours, radius, order) {
    const { pixels } = this, { width, height } = this.canvas, { scale, left, top } = place;
    const { solid, rim, cover, reach } = discOf(radius, width), { x: xs, y: ys } = points;
    const right = width - reach - 1, bottom = height - reach - 1;
    pixels.fill(0);
    for (let n = 0; n < order.length; n++) {
      const i = order[n];
      const x = (left + scale * xs[i] + 0.5) | 0, y = (top - scale * ys[i] + 0.5) | 0;
      if (x < reach || y < reach || x > right || y > bottom) continue;
      const at = y * width + x, colour = colours[i], alpha = colour >>> 24, plain = colour & 0xffffff;
      for (let k = 0; k < solid.length; k++) pixels[at + solid[k]] = colour;
      for (let k = 0; k < rim.length; k++) {
        const place = at + rim[k], part = cover[k] * alpha;
        if (pixels[place] >>> 24 < part) pixels[place] = plain | (part << 24);
      }
    }
    this.context.putImageData(this.picture, 0, 0);
  }
}

// Where the pixels of a disc lie, as offsets from its middle: those inside, and those of its rim
// with the share of them that it covers.
function discOf(radius, width) {
  const solid = [], rim = [], cover = [], reach = Math.ceil(radius + 0.5);
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) {
      const covered = radius + 0.5 - Math.hypot(x, y);
      if (covered >= 1) solid.push(y * width + x);
      else if (covered > 0.05) {
        rim.push(y * width + x);
        cover.push(covered);
      }
    }
  }
  return { solid, rim, cover, reach };
}

// '#rrggbb' as the number that lies in the memory of a picture.
function packed(colour, alpha = 255) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

// Colours from blue over green to red, for values 0..1.
const RAMP_STEPS = Array.from({ length: 64 }, (_, step) => {
  const at = step / 63 * (RAMP.length - 1), low = Math.min(RAMP.length - 2, Math.floor(at));
  const mixed = [1, 3, 5].map((k) => {
    const [a, b] = [RAMP[low], RAMP[low + 1]].map((colour) => parseInt(colour.slice(k, k + 2), 16));
    return Math.round(a + (b - a) * (at - low));
  });
  return packed(`#${mixed.map((value) => value.toString(16).padStart(2, '0')).join('')}`);
});

// A colour for each point: by its cluster or tag, or by a column of numbers 0..1.
function coloursOf(points, by) {
  const column = points[by], plain = packed(PLAIN, 200), found = new Uint32Array(points.count).fill(plain);
  if (!column) return found;
  const clusters = CLUSTER_COLOURS.map((colour) => packed(colour));
  for (let i = 0; i < points.count; i++) {
    if (by !== 'cluster' && by !== 'tag') found[i] = RAMP_STEPS[Math.round(63 * Math.min(1, Math.max(0, column[i])))];
    else if (column[i] >= 0) found[i] = clusters[column[i] % clusters.length];
  }
  return found;
}
