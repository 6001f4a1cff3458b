"""(generator, latent points) -> frames -> video."""
