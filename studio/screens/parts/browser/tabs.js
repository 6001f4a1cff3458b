// Which tab is open, and what a tab leaves behind: a film that nobody sees does not play on.
studio.openTab = () => (
  document.querySelector('.tab-container [role="tab"][aria-selected="true"]')?.textContent.trim() ?? ''
);
// Whoever presses a tab before the answer to the page's address has come is not taken away from it.
// On a narrow page tabs lie in the menu behind the dots.
const tabPlaces = '[role="tablist"] > [role="tab"], .overflow-dropdown > button';
studio.findTab = (title, fits = () => true) => (
  [...document.querySelectorAll(tabPlaces)]
    .find((tab) => tab.textContent.trim() === title && fits(tab))
);
studio.pressedTab = '';
studio.lastTab = '';  // The tab of any row that was pressed last; one that opens by itself is none.
document.addEventListener('click', (event) => {
  const tab = event.target.closest?.(tabPlaces);
  if (tab) studio.lastTab = tab.textContent.trim();
  const row = document.querySelector('[role="tablist"]')?.parentElement;
  if (tab && row?.contains(tab)) studio.pressedTab = tab.textContent.trim();
}, true);
studio.stay = () => {
  if (studio.pressedTab && studio.pressedTab !== studio.openTab()) {
    studio.findTab(studio.pressedTab)?.click();
  }
  return [studio.pressedTab];  // The answer has said that another one is open.
};
studio.rest = () => requestAnimationFrame(() => {
  for (const film of document.querySelectorAll('video')) {
    const seen = film.offsetParent !== null && !document.hidden;
    if (!seen && !film.paused) {
      film.pause();
      film.dataset.rests = '';
    } else if (seen && 'rests' in film.dataset) {
      delete film.dataset.rests;
      film.play().catch(() => {});  // The browser may want a press first.
    }
  }
});
document.addEventListener('visibilitychange', () => studio.rest());
