// What a person does with the timeline, with a pointer, keys, or the tools above the axis.

const TOOLS = {
  first: (line) => line.goTo(0),
  before: (line) => line.stepBy(-1),
  play: (line) => line.togglePlay(),
  after: (line) => line.stepBy(1),
  last: (line) => line.goTo(line.kept.count - 1),
  in: (line) => line.bound('start'),
  out: (line) => line.bound('end'),
  all: (line) => line.unbound(),
  compare: (line) => line.toggleCompare(),
  swap: (line) => line.swap(),
  pin: (line) => line.pin(),
};
const KEYS = {
  ArrowLeft: (line, event) => line.stepBy(event.shiftKey ? -10 : -1),
  ArrowDown: (line, event) => line.stepBy(event.shiftKey ? -10 : -1),
  ArrowRight: (line, event) => line.stepBy(event.shiftKey ? 10 : 1),
  ArrowUp: (line, event) => line.stepBy(event.shiftKey ? 10 : 1),
  PageDown: (line) => line.stepBy(-Math.ceil(line.kept.count / 20)),
  PageUp: (line) => line.stepBy(Math.ceil(line.kept.count / 20)),
  Home: TOOLS.first,
  End: TOOLS.last,
  ' ': TOOLS.play,
  j: (line) => line.goToMark(-1),
  k: (line) => line.goToMark(1),
  i: TOOLS.in,
  o: TOOLS.out,
  x: TOOLS.all,
  a: TOOLS.compare,
  s: TOOLS.swap,
  p: TOOLS.pin,
  g: (line) => line.root.querySelector('[data-tool=jump]').focus(),
};
const PRESSED = new Set([' ', 'Enter']);  // Keys that press a button, and no more than that.

class Controls {
  constructor(line) {
    [this.line, this.axis, this.root] = [line, line.axis, line.root];
    const { place } = this.axis;
    place.addEventListener('pointerdown', (event) => this.grab(event));
    place.addEventListener('pointermove', (event) => this.move(event));
    place.addEventListener('pointerup', (event) => this.letGo(event));
    place.addEventListener('pointercancel', (event) => this.letGo(event));
    place.addEventListener('pointerleave', () => this.axis.hover(null));
    this.root.addEventListener('keydown', (event) => this.type(event));
    this.root.addEventListener('click', (event) => this.press(event));
    this.root.addEventListener('change', (event) => this.change(event.target));
    for (const name of ['mouseover', 'focusin']) {
      this.root.addEventListener(name, (event) => {
        const mark = event.target.closest('.timeline-mark');
        if (mark) line.say(mark.title);
      });
    }
    const jump = this.root.querySelector('[data-tool=jump]');
    jump.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') this.jump(jump);
      if (event.key === 'Escape') this.axis.place.focus();
    });
  }

  xOf(event) {
    return event.clientX - this.axis.place.getBoundingClientRect().left;
  }

  grab(event) {
    if (event.button > 0 || !this.line.kept) return;
    this.axis.place.setPointerCapture(event.pointerId);
    this.held = event.pointerId;
    this.line.pause();
    this.line.look(this.axis.batchAt(this.xOf(event)), false);
  }

  move(event) {
    if (!this.line.kept) return;
    if (event.pointerId === this.held) this.line.look(this.axis.batchAt(this.xOf(event)), false);
    else if (event.pointerType === 'mouse') this.axis.hover(this.xOf(event));
  }

  letGo(event) {
    if (event.pointerId !== this.held) return;
    this.held = null;
    this.line.look(this.line.view.batch, true);
  }

  press(event) {
    const mark = event.target.closest('.timeline-mark'), tool = event.target.closest('button[data-tool]');
    if (!this.line.kept) return;
    if (mark) this.line.look(Number(mark.dataset.batch), true);
    if (tool) TOOLS[tool.dataset.tool](this.line);
  }

  change(field) {
    if (field.dataset.tool === 'speed') this.line.player.speed = Number(field.value);
    if (field.dataset.tool === 'point') this.line.choosePoint(field.value);
  }

  jump(field) {
    const text = field.value.replace(/[\s,.]/g, '');
    const known = /^\d{1,15}$/.test(text) && this.line.kept;
    field.setCustomValidity(known ? '' : 'Write the number of a batch.');
    if (!field.reportValidity()) return;
    this.line.pause();
    this.line.look(Number(text), true);
    this.line.say(this.line.kept.has(Number(text)) ? '' : `Batch ${Number(text).toLocaleString('en')} is not kept: this is the nearest.`);
    field.select();
  }

  type(event) {
    const writes = event.target.matches('input, select, textarea'), { line } = this;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const presses = PRESSED.has(event.key) && event.target.matches('button, summary');
    if (writes || presses || event.ctrlKey || event.metaKey || event.altKey || !KEYS[key] || !line.kept) return;
    event.preventDefault();
    KEYS[key](line, event);
  }
}
