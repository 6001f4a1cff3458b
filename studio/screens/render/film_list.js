// Two films beside each other: the first one leads, and the other stands at the same part of itself.
const follow = (event) => {
  const pair = event.target.closest?.('.pair');
  const [leads, other] = pair ? pair.querySelectorAll('video') : [];
  if (!other || event.target !== leads || !leads.duration || !other.duration) return;
  const wanted = leads.currentTime / leads.duration * other.duration;
  if (Math.abs(other.currentTime - wanted) > 0.15) other.currentTime = wanted;
  other.playbackRate = Math.min(16, Math.max(0.0625, other.duration / leads.duration));
  if (leads.paused) other.pause(); else other.play().catch(() => {});
};
for (const moment of ['play', 'pause', 'seeked', 'timeupdate']) {
  element.addEventListener(moment, follow, true);
}
