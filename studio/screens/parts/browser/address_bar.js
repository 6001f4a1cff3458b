// Writes where one is into the address of the page, and asks for what an address says when somebody
// goes back. What begins with two underscores is Gradio's and stays.
const isOurs = ([name]) => !name.startsWith('__');
const GOES_MS = 8000; // So long an answer may be under way that knows nothing of a step back.
// An address that names no run leads to whichever is chosen then.
const isThere = ({ run, tab }) => tab === wentTo.tab && (wentTo.run === undefined || run === wentTo.run);
let wentTo = null, until = 0;
// Says once what many changes say that come together: each time the values of many parts of the
// page are gathered for it, which takes a browser longer than the rest of what it does then.
const SOON_MS = 40, soon = {};
studio.soon = (name) => {
  clearTimeout(soon[name]);
  soon[name] = setTimeout(() => trigger(name), SOON_MS);
};
watch('value', () => {
  if (!props.value) return;
  const now = [...new URLSearchParams(location.search)];
  const wanted = [...new URLSearchParams(props.value)];
  const there = now.filter(isOurs);
  const [before, after] = [Object.fromEntries(there), Object.fromEntries(wanted)];
  if (wentTo !== null && !isThere(after) && performance.now() < until) return;
  wentTo = null;
  if (JSON.stringify(there) === JSON.stringify(wanted)) return;
  const completes = (name) => name === 'run' && before.run === undefined;
  const isStep = there.length > 0 && props.steps.some((name) => before[name] !== after[name] && !completes(name));
  const others = new URLSearchParams(now.filter((pair) => !isOurs(pair))).toString();
  const text = others ? `${props.value}&${others}` : props.value;
  history[isStep ? 'pushState' : 'replaceState'](null, '', text);
});
window.addEventListener('popstate', () => {
  const address = Object.fromEntries(new URLSearchParams(location.search));
  [wentTo, until] = [address.tab ? address : null, performance.now() + GOES_MS];
  studio.pressedTab = '';
  studio.toldRun = '';
  trigger('asked');
});
