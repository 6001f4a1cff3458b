"""Specimens: latent points with labels, their pictures, and what is near what."""
