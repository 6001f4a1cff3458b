// The light in the header: how many jobs work, wait, or can be resumed; pressing it opens their tab.
const light = document.createElement('button');
light.type = 'button';
light.className = 'light';
const dot = light.appendChild(document.createElement('span'));
dot.className = 'dot';
const words = light.appendChild(document.createElement('span'));
const first = words.appendChild(document.createElement('span'));
const rest = words.appendChild(document.createElement('span'));
rest.className = 'rest';
element.append(light);
light.addEventListener('click', () => studio.findTab('TAB_TITLE')?.click());
const write = (node, text) => { if (node.textContent !== text) node.textContent = text; };
const show = () => {
  const { work, wait, offer, told } = JSON.parse(props.value);
  const said = [
    work ? `${work} at work` : '',
    wait ? `${wait} waiting` : '',
    offer ? `${offer} interrupted` : '',
  ].filter(Boolean).join(', ');
  light.dataset.state = work ? 'work' : offer ? 'offer' : wait ? 'wait' : 'rest';
  const [main, ...others] = said ? said.split(', ') : ['No jobs'];
  write(first, main);
  write(rest, others.length ? `, ${others.join(', ')}` : '');
  light.setAttribute('aria-label', `Jobs: ${said || 'none at work'}. Open their tab`);
  light.title = told;
};
show();
watch('value', show);
