// The place beside the gallery, which the gallery fills; see start.js.
studio.besideGallery = element;
window.dispatchEvent(new Event('studio-beside-gallery'));
