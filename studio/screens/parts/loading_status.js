// Gradio 6 remembers every component that was an input of an event that is over, and tells each of
// them of every later event, with a walk through the whole page for each. A page on which some
// forms were shown had no time left for a click. Nothing here streams its inputs, which is all that
// they would be told for: with `stream_state` null, only outputs that show progress are told.
import(LOADING_STATUS).then((tracker) => {
  const status = Object.values(tracker).find((part) => part?.prototype?.resolve_args).prototype;
  const resolve = status.resolve_args;
  status.resolve_args = function (told) {
    return resolve.call(this, { ...told, stream_state: null });
  };
});
