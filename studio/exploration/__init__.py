"""Exploring the latent space of a run: the directions in it, and the points of pictures."""
