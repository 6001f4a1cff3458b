// Links of the page to itself, with data-opens: they open what their address says without loading
// the page anew, as going back does; data-opens may name a panel within the tab that opens.
studio.openPanel = (title) => {
  const until = performance.now() + 8000;
  const look = () => {
    const found = studio.findTab(title, (tab) => tab.offsetParent !== null);
    if (found) {
      found.click();
      found.scrollIntoView({ block: 'nearest' });
    } else if (performance.now() < until) setTimeout(look, 100);
  };
  look();
};
studio.follow = (query) => {
  const wanted = new URLSearchParams(query);
  for (const [name, value] of new URLSearchParams(location.search)) {
    // What begins so is Gradio's and stays, and so does the run where the link names none.
    if (name.startsWith('__') || (name === 'run' && !wanted.has('run'))) wanted.append(name, value);
  }
  history.pushState(null, '', `?${wanted}`);
  window.dispatchEvent(new PopStateEvent('popstate'));
  window.scrollTo(0, 0);
};
document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a[data-opens]');
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  studio.follow(new URL(link.href).search);
  if (link.dataset.opens) studio.openPanel(link.dataset.opens);
});
