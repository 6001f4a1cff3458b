// One slider moves all films: each shows its last frame that is not later. A film that is still
// seeking is asked again when it is done, so that the latest position of the slider wins.
const MIN_SECONDS = 8, MAX_SECONDS = 60, FRAMES_PER_SECOND = 60;
let films = [], playing = 0;
const slider = () => element.querySelector('[data-place]');
const write = (seconds) => {
  const [h, m, s] = [seconds / 3600, seconds / 60 % 60, seconds % 60].map(Math.floor);
  return h ? `${h} h ${m} min` : m ? `${m} min ${s} s` : `${s} s`;
};
const frameAt = (places, at) => {
  let [low, high] = [0, places.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (places[middle] <= at) low = middle; else high = middle - 1;
  }
  return low;
};
const show = (film) => {
  const { video, places, batches } = film;
  const frame = frameAt(places, Number(slider().value));
  if (frame === film.frame || video.seeking || !video.duration) return;
  film.frame = frame;
  video.currentTime = (frame + 0.5) / places.length * video.duration;
  video.parentElement.querySelector('[data-batch]').textContent =
    `batch ${batches[frame].toLocaleString('en')}`;
};
const showAll = () => {
  if (!slider()) return;
  const at = Number(slider().value), byTime = slider().dataset.place === 'time';
  element.querySelector('output').textContent =
    byTime ? write(at) : `batch ${at.toLocaleString('en')}`;
  films.forEach(show);
};
const press = (on) => {
  cancelAnimationFrame(playing);
  playing = 0;
  const button = element.querySelector('[data-play]');
  if (button) button.textContent = on ? 'Pause' : 'Play';
};
const play = () => {
  const bar = slider(), [first, last] = [Number(bar.min), Number(bar.max)];
  const frames = Math.max(...films.map((film) => film.places.length));
  const seconds = Math.min(MAX_SECONDS, Math.max(MIN_SECONDS, frames / FRAMES_PER_SECOND));
  let at = Number(bar.value) >= last ? first : Number(bar.value), before = performance.now();
  const step = (now) => {
    if (element.offsetParent === null) {  // Another tab is open.
      press(false);
      return;
    }
    at = Math.min(last, at + (now - before) / 1000 / seconds * (last - first));
    before = now;
    bar.value = at;
    showAll();
    if (at < last) playing = requestAnimationFrame(step); else press(false);
  };
  press(true);
  playing = requestAnimationFrame(step);
};
const begin = () => {
  press(false);
  films = [...element.querySelectorAll('video')].map((video) => (
    { video, ...JSON.parse(video.dataset.film), frame: -1 }
  ));
  showAll();
};
element.addEventListener('input', (event) => {
  if (!event.target.matches('[data-place]')) return;
  press(false);
  showAll();
});
element.addEventListener('click', (event) => {
  if (event.target.closest('[data-play]')) if (playing) press(false); else play();
});
for (const moment of ['seeked', 'loadedmetadata']) element.addEventListener(moment, showAll, true);
watch('value', begin);
begin();
