"""Specimens: latent points with labels, their pictures, atlases, and what is near what."""
