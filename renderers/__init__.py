"""Render films and pictures: (generator, latent points) -> frames -> video."""
