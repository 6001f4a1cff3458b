// The board of jobs: a card for each job, made once and changed in its place, so that nothing is
// replaced under the pointer. Cards change their order only while nobody has just pointed at the board,
// or when somebody has just moved one.
const RESTS_MS = 700; // So long a button that has just come cannot be pressed by mistake.
const GROUPS = {
  work: ['At work', 'Nothing works right now.'],
  wait: ['Waiting', ''],
  offer: ['Interrupted', ''],
  ended: ['Ended', ''],
};
const BUTTONS = {
  pause: 'Pause', resume: 'Go on', retry: 'Run again', start: 'Start now', up: '↑', down: '↓',
};
const NAMES = { up: 'Move up', down: 'Move down' };
const cards = new Map(), sections = new Map();
const POINTS_MS = 3000; // So long the order stays after the pointer has moved on the board.
let moved = false, wanted = [], pointedAt = -POINTS_MS, later = 0;

const make = (tag, kind = '', text = '') => {
  const made = document.createElement(tag);
  made.className = kind;
  made.textContent = text;
  return made;
};
const write = (node, text) => { if (node.textContent !== text) node.textContent = text; };
const show = (node, shown) => { if (node.hidden === shown) node.hidden = !shown; };
const press = (job, action, values = {}) => trigger('click', { job, action, ...values });
const button = (text, kind, name, pressed) => {
  const made = make('button', kind, text);
  made.type = 'button';
  made.setAttribute('aria-label', name);
  made.addEventListener('click', () => {
    if (performance.now() - (made.cameAt ?? -RESTS_MS) >= RESTS_MS) pressed();
  });
  return made;
};
const allow = (node, allowed, isNew) => {
  if (node.hidden && allowed && !isNew) node.cameAt = performance.now();
  show(node, allowed);
};

const notice = make('div', 'job-notice');
const noticed = notice.appendChild(make('span'));
notice.append(button('Resume all', 'plain', 'Resume all interrupted jobs', () => press(null, 'resume-all')));
notice.hidden = true;
element.append(notice);
for (const [name, [title, nothing]] of Object.entries(GROUPS)) {
  const section = make('section', 'job-group');
  section.append(make('h3', '', title));
  const list = section.appendChild(make('div', 'job-list'));
  const none = section.appendChild(make('p', 'quiet small', nothing));
  section.hidden = true;
  sections.set(name, { section, list, none });
  element.append(section);
}
const empty = make('div', 'empty');
empty.append(make('b', '', 'No jobs yet'), make('p', '',
  'Whatever takes longer than a click works here: training, films, atlases. It goes on when this page is closed.'));
empty.hidden = true;
element.append(empty);

const field = (label, kind, placeholder) => {
  const around = make('label', 'small', label);
  const input = around.appendChild(make('input', 'field'));
  input.type = kind;
  input.placeholder = placeholder;
  return [around, input];
};

const makeMore = (id, parts) => {
  const more = make('div', 'more');
  more.hidden = true;
  const when = parts.whenForm = more.appendChild(make('form', 'line'));
  const [afterLabel, after] = field('After job', 'number', 'N');
  const [atLabel, at] = field('Not before', 'text', '23:30, +2h');
  const [anywayLabel, anyway] = field('', 'checkbox', '');
  after.min = 1;
  anywayLabel.append('even if it fails');
  when.append(afterLabel, anywayLabel, atLabel);
  when.append(button('Set', 'plain', `Set when job ${id} begins`, () => when.requestSubmit()));
  when.addEventListener('submit', (event) => {
    event.preventDefault();
    press(id, 'schedule', { after: after.value, at: at.value, anyway: anyway.checked });
  });
  Object.assign(parts, { after, at, anyway });
  const again = parts.again = more.appendChild(make('form', 'line'));
  const [changeLabel, changes] = field('Other values', 'text', 'run=town batches=2000');
  changes.classList.add('wide');
  again.append(changeLabel, button('Duplicate', 'plain', `Duplicate job ${id}`, () => again.requestSubmit()));
  again.addEventListener('submit', (event) => {
    event.preventDefault();
    press(id, 'duplicate', { changes: changes.value });
  });
  const command = more.appendChild(make('div', 'command'));
  parts.command = command.appendChild(make('code'));
  command.append(button('Copy', 'plain quiet-button', 'Copy the command', () =>
    navigator.clipboard?.writeText(parts.command.textContent)));
  return more;
};

const makeCard = (id) => {
  const card = make('article', 'job-card');
  const parts = { card, buttons: {} };
  card.dataset.job = id;
  const frame = parts.frame = card.appendChild(make('div', 'job-picture'));
  parts.picture = frame.appendChild(make('img'));
  parts.film = frame.appendChild(make('video'));
  // A film shows a frame of its last third; its first ones, of a training, are plain grey.
  parts.film.addEventListener('loadedmetadata', () => {
    if (parts.film.paused) parts.film.currentTime = 0.7 * parts.film.duration;
  });
  Object.assign(parts.film, { muted: true, preload: 'metadata', playsInline: true, tabIndex: -1 });
  const body = card.appendChild(make('div', 'job-body'));
  const line = body.appendChild(make('div', 'line'));
  parts.status = line.appendChild(make('span', 'badge'));
  parts.title = line.appendChild(make('b', 'job-title'));
  parts.when = line.appendChild(make('span', 'small quiet number'));
  parts.said = body.appendChild(make('p', 'small job-said'));
  const bar = parts.bar = body.appendChild(make('div', 'bar'));
  bar.setAttribute('role', 'progressbar');
  bar.setAttribute('aria-label', `Progress of job ${id}`);
  bar.setAttribute('aria-valuemin', 0);
  bar.setAttribute('aria-valuemax', 100);
  parts.filled = bar.appendChild(make('div'));
  parts.progress = body.appendChild(make('p', 'small number job-progress'));
  const row = body.appendChild(make('div', 'line job-buttons'));
  for (const [action, text] of Object.entries(BUTTONS)) {
    parts.buttons[action] = row.appendChild(button(text, 'plain', `${NAMES[action] ?? text}: job ${id}`, () => {
      moved = action === 'up' || action === 'down';
      press(id, action);
    }));
  }
  parts.log = row.appendChild(button('Log', 'plain quiet-button', `Log of job ${id}`, () => press(id, 'log')));
  parts.more = makeMore(id, parts);
  const toggle = row.appendChild(button('More', 'plain quiet-button', `More of job ${id}`, () => {
    parts.more.hidden = !parts.more.hidden;
    toggle.setAttribute('aria-expanded', !parts.more.hidden);
  }));
  toggle.setAttribute('aria-expanded', false);
  row.append(make('span', 'push'));
  parts.buttons.cancel = row.appendChild(button('Cancel', 'plain quiet-button', `Cancel job ${id}`, () => press(id, 'cancel')));
  body.append(parts.more);
  parts.text = body.appendChild(make('pre', 'job-log'));
  parts.text.tabIndex = 0;
  parts.text.setAttribute('aria-label', `Log of job ${id}`);
  for (const node of [...Object.values(parts.buttons), parts.text, parts.frame]) node.hidden = true;
  return parts;
};

const fillPicture = (parts, job) => {
  show(parts.frame, Boolean(job.picture));
  show(parts.picture, Boolean(job.picture) && !job.moves);
  show(parts.film, Boolean(job.picture) && job.moves);
  const node = job.moves ? parts.film : parts.picture;
  if (job.picture && node.getAttribute('src') !== job.picture) node.src = job.picture;
  parts.picture.alt = `The last picture of job ${job.id}`;
};

const fillFields = (parts, job) => {
  if (parts.whenForm.contains(document.activeElement)) return; // Somebody writes there.
  const said = JSON.stringify([job.after, job.at, job.anyway]);
  if (parts.scheduled === said) return;
  parts.scheduled = said;
  parts.after.value = job.after ?? '';
  parts.at.value = job.at;
  parts.anyway.checked = job.anyway;
};

const fill = (parts, job, isNew) => {
  write(parts.status, job.status);
  parts.status.className = `badge ${job.status}`;
  write(parts.title, [`${job.id}`, job.title, job.about].filter(Boolean).join(' · '));
  write(parts.when, job.when);
  write(parts.said, job.said);
  parts.said.classList.toggle('warning', job.bad);
  show(parts.said, Boolean(job.said));
  write(parts.progress, job.progress);
  show(parts.progress, Boolean(job.progress));
  show(parts.bar, job.group !== 'ended' && job.percent !== null);
  if (job.percent !== null) {
    parts.filled.style.width = `${job.percent}%`;
    parts.bar.setAttribute('aria-valuenow', job.percent);
  }
  for (const [action, node] of Object.entries(parts.buttons)) allow(node, job.can.includes(action), isNew);
  show(parts.whenForm, job.can.includes('schedule'));
  show(parts.again, job.can.includes('duplicate'));
  write(parts.command, job.command);
  fillPicture(parts, job);
  fillFields(parts, job);
  show(parts.text, job.log !== null);
  parts.log.setAttribute('aria-expanded', job.log !== null);
  if (job.log !== null && parts.text.textContent !== job.log) {
    const atEnd = parts.text.scrollHeight - parts.text.scrollTop - parts.text.clientHeight < 30;
    write(parts.text, job.log);
    if (atEnd || isNew) parts.text.scrollTop = parts.text.scrollHeight;
  }
};

const place = (jobs) => {
  const focused = document.activeElement;
  for (const [name, { section, list, none }] of sections) {
    let before = list.firstElementChild;
    for (const job of jobs.filter((each) => each.group === name)) {
      const { card } = cards.get(job.id);
      if (card === before) before = before.nextElementSibling;
      else list.insertBefore(card, before);
    }
  }
  for (const [name, { section, list, none }] of sections) {
    show(none, !list.childElementCount && Boolean(none.textContent));
    show(section, cards.size > 0 && (list.childElementCount > 0 || name === 'work'));
  }
  if (element.contains(focused) && focused !== document.activeElement) focused.focus({ preventScroll: true });
};

// Whoever rests on the board for long has no press in mind.
element.addEventListener('pointermove', () => { pointedAt = performance.now(); });
const isPointedAt = () => matchMedia('(hover: hover)').matches && element.matches(':hover')
  && performance.now() - pointedAt < POINTS_MS;
const settle = () => {
  clearTimeout(later);
  if (isPointedAt()) later = setTimeout(settle, POINTS_MS);
  else place(wanted);
};
const update = () => {
  if (!props.value) return;
  const { cards: jobs, offered } = JSON.parse(props.value);
  const known = new Set(jobs.map((job) => job.id));
  for (const [id, parts] of cards) {
    if (!known.has(id)) { parts.card.remove(); cards.delete(id); }
  }
  for (const job of jobs) {
    const isNew = !cards.has(job.id);
    if (isNew) {
      cards.set(job.id, makeCard(job.id));
      if (isPointedAt()) sections.get(job.group).list.append(cards.get(job.id).card);
    }
    fill(cards.get(job.id), job, isNew);
  }
  show(empty, !jobs.length);
  show(notice, offered > 0);
  write(noticed, offered === 1 ? 'A job was interrupted. It can go on where it was.'
    : `${offered} jobs were interrupted. They can go on where they were.`);
  wanted = jobs;
  if (moved) place(jobs);
  else settle();
  moved = false;
};
element.addEventListener('pointerleave', settle);
update();
watch('value', update);
