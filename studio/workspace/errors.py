"""The family of the studio's errors, and the families whose texts a person may read."""

from __future__ import annotations

from checkpoints_index.errors import CheckpointError
from latent.errors import LatentError
from renderers.errors import RenderError


class StudioError(Exception):
    """Something a person can put right: what happened, what was expected, what to do next.

    The command line prints its text on one line; the screens show the same words.
    """


# The texts of these errors are for a person to read. Any other error is a fault of the studio.
EXPECTED_ERRORS = (StudioError, CheckpointError, LatentError, RenderError)
