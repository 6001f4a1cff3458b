"""Reads settings that a person writes as NAME=VALUE."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

from studio.workspace.errors import StudioError


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Settings by name, with each value read as TOML; what is no TOML is a text.

    Raises:
        StudioError: a setting has no equals sign.

    Example:
        >>> parse_settings(["learning_rate_g=1e-5", "augmentation=color,cutout"])
        {'learning_rate_g': 1e-05, 'augmentation': 'color,cutout'}
    """
    values: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise StudioError(f"'{setting}' is no setting. Use NAME=VALUE.")
        try:
            values[name.strip()] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            values[name.strip()] = text.strip()
    return values
