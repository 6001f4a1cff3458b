"""Errors that a person can put right, of the studio and of the libraries that it stands on."""

from __future__ import annotations

from checkpoints_index.errors import CheckpointError
from latent.errors import LatentError
from renderers.errors import RenderError


class StudioError(Exception):
    """Something a person can put right: what happened, what was expected, what to do next.

    The command line prints its text on one line; the screens show the same words.
    """


# Errors whose text is meant to be read by a person; any other error is a fault of the studio.
EXPECTED_ERRORS = (StudioError, CheckpointError, LatentError, RenderError)
