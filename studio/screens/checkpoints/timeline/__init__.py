"""The timeline: all checkpoints of a run along an axis, and what the run looked like at each."""
