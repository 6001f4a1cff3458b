"""Actions that say what a film will be, before it is rendered."""
