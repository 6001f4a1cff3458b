// Where one points at a chart, or goes along it with the arrow keys, a line stands, and beside it
// what its curves are there. Both lie over the page, since charts are replaced as a run goes on.
(() => {
  let box = null, line = null, plot = null, fraction = 0, byKeys = false;

  const hide = () => {
    for (const node of [box, line]) node?.remove();
    [box, line, plot, byKeys] = [null, null, null, false];
  };

  const nearest = (at, wanted) => {
    let [low, high] = [0, at.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (at[middle] < wanted) low = middle + 1; else high = middle;
    }
    return low > 0 && wanted - at[low - 1] < at[low] - wanted ? low - 1 : low;
  };

  const make = (tag, kind) => {
    const made = document.createElement(tag);
    made.className = kind;
    return made;
  };

  const lay = () => {
    if (box) return;
    [box, line] = [make('div', 'readout'), make('i', 'readout-line')];
    box.setAttribute('role', 'status');
    (document.querySelector('.gradio-container') ?? document.body).append(line, box);
  };

  // Say what is at a fraction of the chart, 0 where it begins and 1 where it ends.
  const read = (shown, wanted) => {
    const curves = JSON.parse(shown.dataset.readout || '[]');
    if (!curves.length) {
      hide();
      return null;
    }
    lay();
    [plot, fraction] = [shown, wanted];
    const [first] = curves, here = nearest(first.at, wanted);
    const head = make('b', '');
    head.textContent = first.where[here];
    box.replaceChildren(head, ...curves.map(({ title, colour, at, where, values }) => {
      const n = at ? nearest(at, first.at[here]) : here, row = make('span', '');
      row.style.setProperty('--colour', `var(${colour})`);
      const place = where && where[n] !== first.where[here] ? ` (${where[n]})` : '';
      row.textContent = `${title}: ${values[n]}${place}`;
      return row;
    }));
    const area = shown.querySelector('svg').getBoundingClientRect();
    const [left, right] = [Number(shown.dataset.left), Number(shown.dataset.right)];
    const x = area.left + area.width * (left + first.at[here] * (right - left));
    Object.assign(line.style, { left: `${x}px`, top: `${area.top + area.height * 0.036}px`, height: `${area.height * 0.864}px` });
    const { width } = box.getBoundingClientRect();
    const beside = x + 12 + width < innerWidth - 8 ? x + 12 : x - 12 - width;
    Object.assign(box.style, { left: `${Math.max(8, beside)}px`, top: `${area.top + 10}px` });
    return { here, at: first.at };
  };

  document.addEventListener('pointermove', (event) => {
    const shown = event.target.closest?.('.plot[data-readout]');
    if (!shown || event.buttons || event.target.closest('.mark')) {
      if (plot && !byKeys) hide();
      return;
    }
    const area = shown.querySelector('svg').getBoundingClientRect();
    const [left, right] = [Number(shown.dataset.left), Number(shown.dataset.right)];
    byKeys = false;
    read(shown, ((event.clientX - area.left) / area.width - left) / (right - left));
  });
  document.addEventListener('pointerdown', hide);
  document.addEventListener('focusout', (event) => { if (event.target === plot) hide(); });
  document.addEventListener('keydown', (event) => {
    const shown = event.target.matches?.('.plot[data-readout]') ? event.target : null;
    if (event.key === 'Escape' && plot) hide();
    if (!shown || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const now = read(shown, plot === shown ? fraction : 1);
    if (!now) return;
    const to = Math.min(now.at.length - 1, Math.max(0, now.here + step * (event.shiftKey ? 10 : 1)));
    byKeys = true;
    read(shown, now.at[to]);
  });
  window.addEventListener('scroll', hide, { passive: true, capture: true });
})();
