// The gallery is told of its run, and of news, by the value of its place: a table as JSON. A table
// with another `anew` says what the address of the page asks for: a view, and what is chosen.
const LOOK_MS = 350;
const notice = make('p', 'specimen-notice small');
notice.setAttribute('role', 'alert');
notice.hidden = true;
const told = (sentence) => {
  write(notice, sentence);
  show(notice, Boolean(sentence));
};
const root = element.appendChild(make('div', 'specimen-gallery'));
const nothing = element.appendChild(make('div', 'nothing'));
const none = make('div', 'empty');
none.append(make('b', '', 'No such specimens'), make('p', '',
  'Look for something else, draw new ones, drop your own, or star some in Explore.'));

const catalogue = new Catalogue(told);
const choice = new Choice(() => changed(), told);
let view = {}, stamp = null, anew = null, looking = 0;

const does = {
  look: (label) => large.look(label),
  opened: (label) => tell({ open: label ?? '' }),
  focus: (label) => { if (catalogue.places.has(label)) field.focus(catalogue.places.get(label)); },
  mark: (labels, marks) => { told(''); return catalogue.mark(labels, marks, changed); },
  rate: (labels, rating) => does.mark(labels, { rating }),
  star: (labels) => does.mark(labels, { star: !labels.every((label) => catalogue.row(label)?.starred) }),
  spread: (label) => { catalogue.spread(label); relist(); },
  stack: (stacks, mode) => {
    catalogue.stack(mode === 'flat' ? null : stacks, mode === 'only');
    relist();
  },
  changed: () => changed(),
  quiet: () => told(''),
  moved: () => { showPlace(); tell({ place: field.place }); },
  goTo: (place) => field.goTo(place),
  find: (text) => find(text),
  size: (width) => setWidth(width),
  none: () => choice.set([]),
  all: () => choice.set(catalogue.labels),
  newer: () => { catalogue.takeNewer(); relist(); field.goTo(0); },
};
const tools = new Tools(root, JSON.parse(props.choices), (wanted) => list(wanted));
root.append(notice, none);
const field = new Field(root, catalogue, choice, does);
const foot = new Foot(root, does);
const large = new LargeView(root, catalogue, choice, does);
const side = new Side(root, catalogue, choice, does);
const credit = root.appendChild(make('p', 'credit'));
// What is chosen has a place beside the gallery, which may come later than this.
const moveBeside = () => { if (studio.besideGallery?.isConnected) studio.besideGallery.append(side.node); };
window.addEventListener('studio-beside-gallery', moveBeside);
moveBeside();

// Say what stands in the address from now on: a choice at once, since buttons beside the gallery
// work on it, and the rest once nothing has changed for a moment.
const tell = (parts) => {
  const next = { ...view, ...parts };
  const now = JSON.stringify([next, choice.labels.size <= IN_ADDRESS ? choice.list : choice.labels.size]);
  view = next;
  if (tell.said === now) return;
  const chosen = choice.list.join(' '), wait = tell.chosen === chosen ? LOOK_MS : 0;
  [tell.said, tell.chosen] = [now, chosen];
  clearTimeout(looking);
  looking = setTimeout(() => trigger('click', { action: 'view', run: catalogue.run, view, chosen: choice.list.join(' ') }), wait);
};

const showPlace = () => foot.showPlace(field.place, field.place + field.inSight, catalogue.labels.length);
const changed = () => {
  field.redraw();
  foot.showCounts(catalogue.labels.length, choice.labels.size, catalogue.newer);
  side.show(field.active);
  if (large.isOpen) large.show();
  tell({});
};
const relist = () => {
  show(none, !catalogue.labels.length);
  show(field.node, catalogue.labels.length > 0);
  if (field.row) field.resize();
  showPlace();
  changed();
};

const list = async (wanted) => {
  view = wanted;
  tools.show(view);
  told('');
  if (!await catalogue.list(view)) return;
  relist();
  field.goTo(wanted.place);
  tell({});
};

const find = (text) => {
  const number = Number(text.replaceAll(',', ''));
  const place = text.includes('.') ? catalogue.places.get(text) : number - 1;
  if (Number.isInteger(place) && catalogue.labels[place]) {
    told('');
    field.goTo(place);
    field.focus(place);
  } else told(`There is no specimen ${text} among those that are shown.`);
};

const setWidth = (width) => {
  field.width = foot.sizes.value = width in WIDTHS ? width : 'medium';
  try { localStorage.setItem('studio-specimen-size', field.width); } catch { /* It is as it was next time. */ }
  field.measure();
};
setWidth(localStorage.getItem('studio-specimen-size') ?? 'medium');

// Pictures that are dropped on the gallery go where passports are read.
for (const name of ['dragover', 'drop']) {
  element.addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    root.classList.toggle('dropping', name === 'dragover');
    const input = document.querySelector('#origin-file input[type=file]');
    if (name !== 'drop' || !input) return;
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event('change', { bubbles: true }));
  });
}
element.addEventListener('dragleave', () => root.classList.remove('dropping'));

const update = async () => {
  if (!props.value) return;
  const now = JSON.parse(props.value);
  show(root, !now.nothing);
  show(nothing, Boolean(now.nothing));
  show(side.node, !now.nothing);
  if (now.nothing) {
    nothing.innerHTML = now.nothing;  // Markup of the studio itself.
    catalogue.forget(null);
    [stamp, anew] = [null, null];
    return;
  }
  write(credit, now.credit);
  if (now.anew !== anew) {
    [anew, stamp] = [now.anew, now.stamp];
    if (catalogue.run !== now.run) {
      side.forgetStacks();
      field.active = null;
    }
    const stacks = catalogue.run === now.run ? catalogue.stacks : null;
    catalogue.forget(now.run);
    catalogue.stacks = stacks;
    choice.adopt(now.run, now.chosen);
    tell.said = null;
    await list(now.view);
    await catalogue.describe(choice.list.filter((label) => !catalogue.row(label)));
    changed();
    if (now.view.open) large.look(now.view.open);
    else if (large.isOpen) large.node.close();
  } else if (now.stamp !== stamp) {
    stamp = now.stamp;
    await catalogue.look(view);
    catalogue.stale();
    await catalogue.describe(choice.list.slice(0, DESCRIBED_AT_ONCE));
    const left = choice.list.filter((label) => !catalogue.row(label)?.gone);
    if (left.length < choice.labels.size) choice.set(left);
    relist();
  }
};
update();
watch('value', update);
