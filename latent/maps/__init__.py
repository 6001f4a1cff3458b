"""Flat maps of latent points: layouts, clusters, density, and where pictures are put on them."""
