// Pieces of the page that the gallery is made of.
const RATINGS = [1, 2, 3, 4, 5];
const make = (tag, kind = '', text = '') => {
  const made = document.createElement(tag);
  made.className = kind;
  if (text) made.textContent = text;
  return made;
};
const write = (node, text) => { if (node.textContent !== text) node.textContent = text; };
const show = (node, shown) => { if (node.hidden === shown) node.hidden = !shown; };
const button = (text, kind, name, pressed) => {
  const made = make('button', kind, text);
  made.type = 'button';
  if (name) made.setAttribute('aria-label', name);
  made.addEventListener('click', pressed);
  return made;
};
const labelled = (text, input) => {
  const around = make('label', 'small', text);
  around.append(input);
  return around;
};
const entry = (type, name, placeholder = '') => {
  const made = make('input', 'field');
  Object.assign(made, { type, placeholder });
  made.setAttribute('aria-label', name);
  return made;
};
const choices = (name, options) => {
  const made = make('select', 'field');
  made.setAttribute('aria-label', name);
  for (const [value, text] of options) made.add(new Option(text, value));
  return made;
};
const count = (number, one, many) => `${number.toLocaleString('en')} ${number === 1 ? one : many}`;
const isTyping = (node) => node.matches?.('input:not([type=range]), textarea, select');

// Rating of 0 to 5: pressing the one that there is takes it away.
class Rating {
  constructor(about, rated) {
    this.node = make('span', 'rating');
    this.node.setAttribute('role', 'group');
    this.node.setAttribute('aria-label', `Rating${about}`);
    this.buttons = RATINGS.map((rating) => this.node.appendChild(
      button('', 'rate', `Rate ${rating} of 5`, () => rated(rating === this.value ? 0 : rating)),
    ));
  }

  show(value) {
    this.value = value;
    this.buttons.forEach((node, number) => {
      node.classList.toggle('full', number < value);
      node.setAttribute('aria-pressed', String(number + 1 === value));
    });
  }
}
