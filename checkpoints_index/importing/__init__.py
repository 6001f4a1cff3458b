"""Checkpoints that people already have: folders of weights -> runs of the index."""
