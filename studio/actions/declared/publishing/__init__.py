"""Actions that make something of a run for others."""
