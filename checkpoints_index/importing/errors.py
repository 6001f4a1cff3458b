"""Why a file gives no checkpoint."""

from __future__ import annotations

from latent.errors import UserError


class UnusableFileError(UserError):
    """One file has no generator for us; its text is a reason, without the name of the file."""
