// What is to be shown comes as an event of the window: the page may ask before the timeline is
// there, so what was asked for last lies in `studioTimeline`.
const timeline = new Timeline(element.querySelector('.timeline'), (action, values) => {
  trigger('click', { action, ...values });
});
const followTold = () => {
  if (!element.isConnected) window.removeEventListener('studio-timeline', followTold);
  else if (window.studioTimeline) timeline.show(window.studioTimeline.told ?? null);
};
window.addEventListener('studio-timeline', followTold);
followTold();
