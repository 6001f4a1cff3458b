"""From a picture back to the latent point that draws it."""
