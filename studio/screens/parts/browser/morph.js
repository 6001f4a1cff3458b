// Turns what stands in a place into other markup, and leaves alone what stays: whoever aims at a
// button presses that one or none, a field keeps what is written in it, and a film plays on.
// Elements are the same where their keys are: data-key, else their id, else what pressing them does.
const studio = (window.studio ??= {});
studio.morph = (() => {
  const OF_WHAT = ['label', 'job', 'film', 'view', 'metric', 'axis', 'batch', 'by', 'to'];
  const keyOf = (node) => {
    if (node.nodeType !== Node.ELEMENT_NODE) return null;
    const { key, action } = node.dataset ?? {};
    if (key) return `${node.tagName} ${key}`;
    if (node.id) return `${node.tagName} #${node.id}`;
    if (!action || node.tagName !== 'BUTTON') return null;
    return `${action} ${OF_WHAT.map((name) => node.dataset[name] ?? '').join(' ')}`;
  };
  const isAlike = (old, fresh) => old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName;
  const turn = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    for (const { name } of [...old.attributes]) {
      // A reader has opened it.
      if (!fresh.hasAttribute(name) && !(name === 'open' && old.nodeName === 'DETAILS')) {
        old.removeAttribute(name);
      }
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) === value) continue;
      old.setAttribute(name, value);
      if (name === 'value' && 'value' in old) old.value = value;
    }
    turnChildren(old, fresh);
  };
  // What lies in a list that somebody points at keeps its order; what is new comes last.
  const inOrder = (old, wanted) => {
    if (old.dataset?.steady === undefined || !old.matches(':hover')) return wanted;
    const places = new Map([...old.childNodes].map((node, index) => [keyOf(node), index]));
    const placeOf = (node) => places.get(keyOf(node)) ?? Infinity;
    return [...wanted].sort((one, other) => placeOf(one) - placeOf(other) || 0);
  };
  const turnChildren = (old, fresh) => {
    const wanted = inOrder(old, [...fresh.childNodes]);
    const keys = new Set(wanted.map(keyOf).filter(Boolean));
    const kept = new Map([...old.childNodes].map((node) => [keyOf(node), node]));
    let at = old.firstChild;
    for (const want of wanted) {
      const key = keyOf(want);
      while (at && keyOf(at) && !keys.has(keyOf(at))) {
        const gone = at;
        at = at.nextSibling;
        gone.remove();
      }
      const found = key ? kept.get(key) : at && !keyOf(at) ? at : null;
      if (!found || !isAlike(found, want)) {
        old.insertBefore(want, at);
        continue;
      }
      if (found === at) at = at.nextSibling; else old.insertBefore(found, at);
      kept.delete(key);
      turn(found, want);
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
  };
  return (place, markup) => {
    const fresh = document.createElement('template');
    fresh.innerHTML = markup ?? '';
    turnChildren(place, fresh.content);
  };
})();
