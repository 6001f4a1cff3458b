"""What can go wrong with a film or a picture, in sentences."""


class RenderError(Exception):
    """Something a person can put right: what happened, what was expected, what to do next."""
