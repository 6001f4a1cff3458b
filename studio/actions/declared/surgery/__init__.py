"""Actions that change the networks of a run at a batch."""
