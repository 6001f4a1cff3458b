// What is written in forms stays in this browser, for each workspace by itself.
studio.keepForm = (place, form, values) => {
  try {
    const kept = JSON.parse(localStorage.getItem(place) ?? '{}');
    localStorage.setItem(place, JSON.stringify({ ...kept, [form]: values }));
  } catch {
    localStorage.removeItem(place);  // It is full, or holds what is none of ours.
  }
};
studio.keptForms = (place) => [localStorage.getItem(place) ?? ''];

// For whom a form was filled is known at once; the answer comes later, and what is typed meanwhile
// stays as it is.
const filledFor = {};
studio.askToFill = (form, kept, origin) => {
  const before = filledFor[form] ?? kept;
  filledFor[form] = origin;
  return before;
};
studio.fillForm = (answer, values) => {
  if (!answer) return values;
  const { form, origin, was, now } = JSON.parse(answer);
  filledFor[form] = origin;
  const text = (value) => JSON.stringify(value ?? '');
  return values.map((value, i) => (text(value) === text(was[i]) ? now[i] : value));
};
