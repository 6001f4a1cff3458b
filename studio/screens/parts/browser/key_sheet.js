// The sheet of keys: a button and the key ? show what the open screen answers; Escape closes it.
const sheet = element.querySelector('.keys-sheet'), opener = element.querySelector('.keys-button');
const writes = (node) => node.matches?.('input:not([type=range], [type=checkbox], [type=radio]), textarea, select, [contenteditable]');

const showKeys = () => {
  const tab = studio.openTab();
  for (const section of sheet.querySelectorAll('section')) {
    section.hidden = section.dataset.tab !== '' && section.dataset.tab !== tab;
  }
  document.body.append(sheet);  // A dialog within an element that is not shown would not be seen.
  sheet.showModal();
};
const stepTab = (by) => {
  const tabs = [...document.querySelector('[role="tablist"]').querySelectorAll('[role="tab"]')];
  const folded = [...document.querySelectorAll('.overflow-dropdown')][0]?.querySelectorAll('button') ?? [];
  const titles = [...new Set([...tabs, ...folded].map((tab) => tab.textContent.trim()))];
  const next = titles.indexOf(studio.openTab()) + by;
  if (titles[next]) studio.findTab(titles[next]).click();
};
const ANYWHERE = { '?': showKeys, '[': () => stepTab(-1), ']': () => stepTab(1) };

opener.addEventListener('click', showKeys);
sheet.addEventListener('click', (event) => {
  if (event.target === sheet || event.target.closest('[data-close]')) sheet.close();
});
document.addEventListener('keydown', (event) => {
  const act = ANYWHERE[event.key];
  if (!act || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || writes(event.target)) return;
  event.preventDefault();
  if (sheet.open) {
    if (event.key === '?') sheet.close();
  } else if (event.key === '?' || !document.querySelector('dialog[open]')) act();
});
