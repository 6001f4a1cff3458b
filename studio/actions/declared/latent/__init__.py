"""Actions that make points of other points, and that look into the layers of a generator."""
