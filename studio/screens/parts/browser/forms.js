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
