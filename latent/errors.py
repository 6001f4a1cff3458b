"""Errors about latent points, and about what is asked of them, that a person can put right."""

from __future__ import annotations


class LatentError(ValueError):
    """Something a person can put right: what happened, what was expected, what to do next."""


class TooFewFramesError(LatentError):
    """A route or trajectory has fewer frames than it needs."""
