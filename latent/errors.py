"""What can be wrong with latent points and what is asked of them, in sentences."""


class LatentError(ValueError):
    """Something a person can put right: what happened, what was expected, what to do next."""
