// Asks every other second whether anything has changed that this page shows, and tells the open tab
// alone. While the studio does not answer nothing can be pressed; the page opens anew once it does.
const EVERY_MS = 2500, PATIENCE_MS = 8000;
const EVENTS = [/* events */];
const lost = document.createElement('div');
lost.id = 'lost';
lost.setAttribute('role', 'alert');
let stamp = null, ringing = 0, answered = Date.now(), failed = 0;

const ring = (kind) => {
  const event = `${kind} ${studio.openTab()}`;
  if (EVENTS.includes(event)) trigger(event);
};
// Tells the open tab which run shows, once, however many say so: a page that opens, and the choice.
// Where one goes back or follows a link, what else the address says has changed, and it is told anew.
studio.toldRun = '';
studio.tellRun = (run) => {
  clearTimeout(ringing);
  ringing = setTimeout(() => {
    const now = `${run} ${studio.openTab()}`;
    if (now === studio.toldRun) return;
    studio.toldRun = now;
    ring('run');
  }, 30);
};
const showLost = (isLost) => {
  document.body.classList.toggle('lost', isLost);
  document.querySelector('.gradio-container')?.toggleAttribute('inert', isLost);
  if (!isLost) {
    lost.remove();
    return;
  }
  const since = new Date(answered).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  lost.textContent = 'The studio does not answer. What stands here is as it was at '
    + `${since}, and nothing can be pressed. Jobs go on without it. Start it again: studio app`;
  if (!lost.isConnected) document.body.prepend(lost);
};
const ask = () => Promise.race([
  server.stamp(location.search),
  new Promise((_, refuse) => { setTimeout(() => refuse(new Error('no answer')), PATIENCE_MS); }),
]);
const look = async () => {
  try {
    const now = await ask();
    if (typeof now !== 'string') throw new Error('no stamp');
    if (document.body.classList.contains('lost')) {
      location.reload();
      return;
    }
    [answered, failed] = [Date.now(), 0];
    if (stamp !== null && now !== stamp) {
      trigger('anything');
      ring('news');
    }
    stamp = now;
  } catch {
    failed += 1;
    if (failed > 1) showLost(true);
  }
};
const go = async () => {
  if (!document.hidden) await look();
  setTimeout(go, failed ? 1000 : EVERY_MS);
};
document.addEventListener('visibilitychange', () => { if (!document.hidden) look(); });
go();
