// The menu of a city tells what it chooses; while Explore is not laid out there is nobody to tell.
studio.chooseCity = (city, what) => {
  if (!element.isConnected) return false;
  trigger('choose', { ...city, what });
  return true;
};
