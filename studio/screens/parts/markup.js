const show = () => studio.morph(element, props.value);
show();
watch('value', show);

// One listener for all that can be pressed in a piece of markup: an element with data-action says
// what is meant, fields with data-field say with which values, a picture where it was pressed.
element.addEventListener('click', (event) => {
  const copy = event.target.closest('[data-copy]');
  if (copy) {
    navigator.clipboard?.writeText(copy.dataset.copy).then(() => {
      copy.textContent = 'Copied';
      setTimeout(() => { copy.textContent = 'Copy'; }, 1200);
    });
    return;
  }
  const pressed = event.target.closest('[data-action]');
  if (!pressed) return;
  const box = pressed.getBoundingClientRect();
  const values = { ...pressed.dataset };
  values.x = (event.clientX - box.left) / box.width;
  values.y = (event.clientY - box.top) / box.height;
  for (const field of element.querySelectorAll('[data-field]')) {
    values[field.dataset.field] = field.value;
  }
  trigger('click', values);
});
