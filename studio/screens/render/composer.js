
// Sliders within the markup: the number follows the hand, the answer comes when it is let go.
element.addEventListener('input', (event) => {
  const slider = event.target.closest('[data-sends]');
  if (!slider) return;
  const [first, last] = slider.dataset.batches.split(' ').map(Number);
  const place = Number(slider.value);
  const said = element.querySelector(`[data-shows="${slider.dataset.field}"]`);
  if (said && last) said.textContent = (first + place).toLocaleString('en');
});
element.addEventListener('change', (event) => {
  const slider = event.target.closest('[data-sends]');
  if (!slider) return;
  const values = { action: slider.dataset.sends };
  for (const field of element.querySelectorAll('[data-field]')) {
    values[field.dataset.field] = field.value;
  }
  trigger('click', values);
});
