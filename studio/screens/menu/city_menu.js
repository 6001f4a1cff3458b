// The menu of a city. Whatever shows one has a button with data-city-menu, data-label and
// data-batch, or says data-city, or calls studio.openCityMenu({label, batch}, x, y, back).
const ENTRIES = [/* entries */];
const studio = (window.studio ??= {});
let menu = null, city = null, back = null;

const shownRun = () => new URLSearchParams(location.search).get('run') ?? '';
const close = (returns = true) => {
  if (!menu) return;
  menu.remove();
  menu = null;
  if (returns) back?.focus?.();
};

// Explore chooses the city: at once where it is open, else once the menu has opened it.
const choose = (asked, what) => {
  const show = () => {
    const place = what === 'near' ? '#near .pictures' : '#near';
    (document.querySelector(place) ?? document.querySelector('#near'))?.scrollIntoView({ block: 'nearest' });
  };
  const isThere = studio.openTab() === 'Explore' && asked.run === shownRun();
  if (isThere && studio.chooseCity?.(asked, what)) {
    show();
    return;
  }
  const until = performance.now() + 8000;
  const { run, label, batch } = asked, seen = batch ? { seen: batch } : {};
  studio.follow(`?${new URLSearchParams({ run, tab: 'Explore', city: label, ...seen })}`);
  const wait = () => {
    const named = document.querySelector('#near h3')?.textContent.includes(label);
    if (studio.openTab() === 'Explore' && named) {
      if (what === 'walk') studio.chooseCity(asked, what);
      show();
    } else if (performance.now() < until) setTimeout(wait, 100);
  };
  wait();
};

const ask = (what, tag = '') => {
  const asked = city;
  close();
  if (ENTRIES.some(([name, , chooses]) => chooses && name === what)) choose(asked, what);
  else trigger('ask', { ...asked, what, tag });
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

studio.openCityMenu = ({ label, batch, run }, x, y, opener) => {
  close(false);
  // Without a batch the city is seen at its own, or at the last.
  city = { label, batch: String(batch ?? ''), run: run ?? shownRun() };
  back = opener ?? document.activeElement;
  menu = document.createElement('div');
  menu.className = 'city-menu';
  menu.setAttribute('role', 'menu');
  menu.setAttribute('aria-label', `City ${label}`);
  const title = document.createElement('b');
  const at = city.batch && ` · batch ${Number(batch).toLocaleString('en')}`;
  title.textContent = `City ${label}${at}`;
  menu.append(title, ...ENTRIES.map(entryOf));
  menu.addEventListener('keydown', move);
  (document.querySelector('.gradio-container') ?? document.body).append(menu);
  const { width, height } = menu.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(x, innerWidth - width - 8))}px`;
  menu.style.top = `${Math.max(8, Math.min(y, innerHeight - height - 8))}px`;
  menu.querySelector('button').focus({ preventScroll: true });
  nameStar(menu, city);
};

// The entry says what it will do, which the studio knows.
const nameStar = async (opened, { run, label }) => {
  const entry = opened.querySelector('[data-what="star"]');
  if (run && await server.starred({ run, label }) === true) entry.textContent = 'Take its star away';
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
// What shows a city without such a button has the right button of the mouse, and the key M.
const openAt = (event, x, y) => {
  const shown = element.isConnected && event.target.closest?.('[data-city]');
  if (!shown) return;
  event.preventDefault();
  const batch = shown.dataset.batch ?? shown.closest('[data-batch]')?.dataset.batch;
  const box = shown.getBoundingClientRect(), opener = event.target.closest('button, a') ?? shown;
  studio.openCityMenu({ label: shown.dataset.city, batch }, x ?? box.left + 12, y ?? box.top + 12, opener);
};
document.addEventListener('contextmenu', (event) => openAt(event, event.clientX, event.clientY));
document.addEventListener('keydown', (event) => {
  const isTyping = event.target.closest?.('input, textarea, select');
  if (event.key === 'm' && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) openAt(event);
});
window.addEventListener('scroll', () => close(false), { passive: true });
