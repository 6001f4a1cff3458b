// The menu of a city. Whatever shows one has a button with data-city-menu, data-label and
// data-batch, or calls studio.openCityMenu({label, batch}, x, y, back).
const ENTRIES = [/* entries */];
const studio = (window.studio ??= {});
let menu = null, city = null, back = null;

const close = (returns = true) => {
  if (!menu) return;
  menu.remove();
  menu = null;
  if (returns) back?.focus?.();
};

const ask = (what, tag = '') => {
  trigger('ask', { ...city, what, tag });
  close();
  if (what === 'look' || what === 'near') {
    const place = what === 'near' ? '#near .pictures' : '#near';
    (document.querySelector(place) ?? document.querySelector('#near'))?.scrollIntoView({ block: 'nearest' });
  }
};

// The entry of the tag turns into a field for it.
const askTag = (entry) => {
  const field = document.createElement('input');
  Object.assign(field, { type: 'text', className: 'field', placeholder: 'river', maxLength: 60 });
  field.setAttribute('aria-label', 'Tag');
  field.addEventListener('keydown', (event) => {
    event.stopPropagation();
    if (event.key === 'Escape') close();
    if (event.key === 'Enter' && field.value.trim()) ask('tag', field.value.trim());
  });
  entry.replaceWith(field);
  field.focus();
};

const entryOf = ([what, text]) => {
  const entry = document.createElement('button');
  Object.assign(entry, { type: 'button', textContent: text });
  entry.setAttribute('role', 'menuitem');
  entry.dataset.what = what;
  entry.addEventListener('click', () => (what === 'tag' ? askTag(entry) : ask(what)));
  return entry;
};

const move = (event) => {
  const entries = [...menu.querySelectorAll('button')], at = entries.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: entries.length - 1 }[event.key];
  if (event.key === 'Escape' || event.key === 'Tab') close();
  if (to === undefined) return;
  event.preventDefault();
  entries[(to + entries.length) % entries.length].focus();
};

studio.openCityMenu = ({ label, batch }, x, y, opener) => {
  close(false);
  [city, back] = [{ label, batch: String(batch) }, opener ?? document.activeElement];
  menu = document.createElement('div');
  menu.className = 'city-menu';
  menu.setAttribute('role', 'menu');
  menu.setAttribute('aria-label', `City ${label}`);
  const title = document.createElement('b');
  title.textContent = `City ${label} · batch ${Number(batch).toLocaleString('en')}`;
  menu.append(title, ...ENTRIES.map(entryOf));
  menu.addEventListener('keydown', move);
  (document.querySelector('.gradio-container') ?? document.body).append(menu);
  const { width, height } = menu.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(x, innerWidth - width - 8))}px`;
  menu.style.top = `${Math.max(8, Math.min(y, innerHeight - height - 8))}px`;
  menu.querySelector('button').focus({ preventScroll: true });
};

document.addEventListener('click', (event) => {
  if (!element.isConnected) return;
  const button = event.target.closest?.('[data-city-menu]');
  if (!button) {
    if (menu && !event.composedPath().includes(menu)) close(false);
    return;
  }
  const box = button.getBoundingClientRect(), wasOpen = menu && back === button;
  if (wasOpen) close();
  else studio.openCityMenu(button.dataset, box.left, box.bottom + 4, button);
});
window.addEventListener('scroll', () => close(false), { passive: true });
