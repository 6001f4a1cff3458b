"""Where we are in latent space: points, routes, nearness and maps of it."""
