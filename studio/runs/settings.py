"""Reads settings that a person writes as NAME=VALUE."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
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


def write_setting(name: str, value: Any) -> str:
    """NAME=VALUE such that `parse_settings` reads the same value.

    Example:
        >>> write_setting("loss", "hinge"), write_setting("generator_options", {"width": 0.5})
        ('loss=hinge', 'generator_options={width = 0.5}')
    """
    if isinstance(value, str) and parse_settings([f"x={value}"]) == {"x": value.strip()}:
        return f"{name}={value.strip()}"
    return f"{name}={_as_toml(value)}"


def _as_toml(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = (
            f"{json.dumps(k) if not k.isidentifier() else k} = {_as_toml(v)}"
            for k, v in value.items()
        )
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_as_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
