// Whoever drags across a chart sees that stretch of it larger; the buttons beside it do the same.
let drag = null;
const fractionAt = (plot, event) => {
  const box = plot.querySelector('svg').getBoundingClientRect();
  const [left, right] = [Number(plot.dataset.left), Number(plot.dataset.right)];
  const at = ((event.clientX - box.left) / box.width - left) / (right - left);
  return Math.min(1, Math.max(0, at));
};
const mark = (at) => {
  const { plot, begin, shade } = drag;
  const [left, right] = [Number(plot.dataset.left), Number(plot.dataset.right)];
  const [low, high] = [Math.min(begin, at), Math.max(begin, at)];
  shade.style.left = `${100 * (left + low * (right - left))}%`;
  shade.style.width = `${100 * (high - low) * (right - left)}%`;
};
element.addEventListener('pointerdown', (event) => {
  const plot = event.target.closest('.plot[data-left]');
  if (!plot || event.button || event.pointerType === 'touch') return;
  const shade = document.createElement('i');
  shade.className = 'zoom-shade';
  drag = { plot, shade, begin: fractionAt(plot, event) };
  plot.append(shade);
  mark(drag.begin);
  event.preventDefault();
});
const end = (event) => {
  if (!drag) return;
  const { plot, begin, shade } = drag;
  drag = null;
  shade.remove();
  if (!plot.isConnected || event.type !== 'pointerup') return;
  const to = fractionAt(plot, event);
  if (Math.abs(to - begin) > 0.02) trigger('click', { action: 'zoom', from: begin, to });
};
const move = (event) => {
  if (!element.isConnected) {
    window.removeEventListener('pointermove', move);
  } else if (drag?.plot.isConnected) mark(fractionAt(drag.plot, event));
};
window.addEventListener('pointermove', move);
for (const kind of ['pointerup', 'pointercancel']) window.addEventListener(kind, end);
