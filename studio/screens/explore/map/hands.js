// What a person does on the map, with a mouse, fingers or keys.

const CLICK_REACH_PX = 12, CLICK_MOVES_PX = 4;

class MapHands {
  constructor(view) {
    [this.view, this.camera, this.field, this.root] = [view, view.camera, view.field, view.root];
    this.pointers = new Map();
    const on = (name, act, options) => this.field.addEventListener(name, (event) => {
      if (view.points && this.camera.width) act(event);
    }, options);
    on('wheel', (event) => this.wheel(event), { passive: false });
    on('pointerdown', (event) => this.press(event));
    on('pointermove', (event) => this.move(event));
    on('pointerup', (event) => this.release(event));
    on('pointercancel', () => this.letGo());
    on('pointerleave', () => view.hover(-1));
    on('dblclick', (event) => this.camera.zoom(2, ...this.at(event)));
    on('keydown', (event) => this.type(event));
    on('contextmenu', (event) => {
      const i = this.cityAt(...this.at(event));
      if (i < 0) return;
      event.preventDefault();
      this.openMenu(i, event.clientX, event.clientY);
    });
    this.root.addEventListener('click', (event) => this.useTool(event));
    this.root.addEventListener('change', (event) => {
      if (event.target.dataset.tool === 'colour') view.recolour();
      if (event.target.dataset.tool === 'pictures') view.redraw();
    });
    this.root.querySelector('[data-tool=find]').addEventListener('keydown', (event) => {
      if (event.key === 'Enter') this.find(event.target);
    });
  }

  at(event) {
    const box = this.field.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  useTool(event) {
    const tool = event.target.closest('button[data-tool]')?.dataset.tool;
    if (!this.view.points) return;
    if (tool === 'in') this.camera.zoom(1.6);
    if (tool === 'out') this.camera.zoom(1 / 1.6);
    if (tool === 'fit') this.camera.fit();
    if (tool === 'line') this.setLining(!this.lining);
  }

  setLining(on) {
    this.lining = on;
    this.root.querySelector('[data-tool=line]').setAttribute('aria-pressed', String(on));
    this.field.classList.toggle('lining', on);
  }

  wheel(event) {
    event.preventDefault();
    this.camera.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), ...this.at(event));
  }

  press(event) {
    if (event.button > 0) return;
    this.field.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.at(event));
    this.moved = 0;
    const line = this.pointers.size === 1 && (this.lining || event.shiftKey);
    this.view.line = line ? [this.at(event)] : null;
  }

  move(event) {
    const [x, y] = this.at(event), before = this.pointers.get(event.pointerId);
    if (!before) {
      this.view.hover(this.cityAt(x, y), x, y);
      return;
    }
    this.pointers.set(event.pointerId, [x, y]);
    this.moved += Math.hypot(x - before[0], y - before[1]);
    if (this.view.line) {
      this.view.line.push([x, y]);
      this.view.redraw();
    } else if (this.pointers.size === 2) {
      this.pinch(event.pointerId, before, [x, y]);
    } else if (this.moved > CLICK_MOVES_PX) {
      this.camera.pan((before[0] - x) / this.camera.scale, (y - before[1]) / this.camera.scale);
      this.view.hover(-1);
    }
  }

  pinch(id, before, now) {
    const other = [...this.pointers].find(([known]) => known !== id)[1];
    const apart = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]);
    const middle = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
    this.camera.zoom(apart(now) / Math.max(1, apart(before)), ...middle);
  }

  release(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    const line = this.view.line;
    this.view.line = null;
    if (line && this.moved > CLICK_MOVES_PX) {
      this.setLining(false);
      this.view.pick(this.view.points.inside(line.map(([x, y]) => this.camera.placeAt(x, y))));
    } else if (this.moved <= CLICK_MOVES_PX) {
      this.view.choose(this.cityAt(...this.at(event)));
    }
    this.view.redraw();
  }

  letGo() {
    this.pointers.clear();
    this.view.line = null;
    this.view.redraw();
  }

  // The city whose picture or point is at a pixel; -1 where none is.
  cityAt(x, y) {
    const { pictures, pictureSize, points } = this.view, half = pictureSize / 2 + 1;
    const shown = pictures.find(([, px, py]) => Math.abs(px - x) <= half && Math.abs(py - y) <= half);
    return shown ? shown[0] : points.nearest(...this.camera.placeAt(x, y), CLICK_REACH_PX / this.camera.scale);
  }

  type(event) {
    const { camera, view } = this, step = 60 / camera.scale;
    const keys = {
      ArrowLeft: () => camera.pan(-step, 0),
      ArrowRight: () => camera.pan(step, 0),
      ArrowUp: () => camera.pan(0, step),
      ArrowDown: () => camera.pan(0, -step),
      '+': () => camera.zoom(1.4),
      '=': () => camera.zoom(1.4),
      '-': () => camera.zoom(1 / 1.4),
      0: () => camera.fit(),
      Enter: () => view.choose(view.points.nearest(...camera.middle, 2)),
      m: () => this.openChosen(),
      ' ': () => view.growth.toggle(),
      ',': () => view.growth.step(-1),
      '.': () => view.growth.step(1),
      Escape: () => (view.picked.size ? view.pick([]) : view.mark(null)),
    };
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  }

  // What can be done with a city, at a pixel of the page.
  openMenu(i, x, y) {
    const { view } = this;
    if (i >= 0) window.studio?.openCityMenu?.({ label: view.labelOf(i), batch: view.batch }, x, y, this.field);
  }

  // The menu of the chosen city, beside it.
  openChosen() {
    const { view } = this, box = this.field.getBoundingClientRect();
    if (view.chosen < 0) return;
    const [x, y] = view.pixelOf(view.chosen);
    this.openMenu(view.chosen, box.left + x + 12, box.top + y + 12);
  }

  // Go to a city by its label, or by its number alone.
  find(search) {
    const text = search.value.trim(), { atlas, points } = this.view;
    if (!points) return;
    const i = this.view.indexOf(/^\d+$/.test(text) ? atlas.prefix + text : text);
    search.setCustomValidity(i < 0 ? `No city ${text} on this map.` : '');
    search.reportValidity();
    if (i < 0) return;
    this.camera.fly([points.x[i], points.y[i]], Math.max(this.camera.enlarged, 3));
    this.view.choose(i);
  }
}
