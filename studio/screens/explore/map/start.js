// What is to be shown comes as events of the window: the page may ask before the map is there, so
// what was asked for last lies in `studioAtlas`.
const mapView = new MapView(element.querySelector('.atlas-map'), (action, values) => {
  // Where one looks is asked of few, what is pressed of all.
  if (action === 'stand') trigger('stand', values);
  else trigger('click', { action, ...values });
});

async function follow(name, take) {
  const listener = async () => {
    if (!element.isConnected) {
      window.removeEventListener(`studio-atlas-${name}`, listener);
      return;
    }
    try {
      await take(window.studioAtlas?.[name] ?? null);
    } catch (error) {
      console.warn('The map could not be shown:', error.message);
    }
  };
  window.addEventListener(`studio-atlas-${name}`, listener);
  await listener();
}
follow('place', (place) => mapView.stand(place));
follow('near', (near) => mapView.mark(near));
follow('shown', (atlas) => mapView.show(atlas));
