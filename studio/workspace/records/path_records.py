"""Paths in records of a workspace, which stay true when it is moved or copied."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.workspace.paths import HERE, Workspace

MAX_PATH = 4096  # Characters; a longer text is no path.


def record_paths(workspace: Workspace, value: Any) -> Any:
    """JSON with the paths in the workspace as records hold them; see `Workspace.recorded`."""
    inside = f"{workspace.root}/"

    def record(text: str) -> str:
        return str(workspace.recorded(Path(text))) if text.startswith(inside) else text

    return _with_texts(value, record)


def recall_paths(workspace: Workspace, value: Any) -> Any:
    """JSON with the paths that its records mean; see `Workspace.recalled`."""

    def recall(text: str) -> str:
        is_path = text.startswith(("/", f"{HERE}/")) and "\0" not in text
        return str(workspace.recalled(text)) if is_path and len(text) < MAX_PATH else text

    return _with_texts(value, recall)


def _with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """JSON of which each text was changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: _with_texts(each, change) for name, each in value.items()}
    return [_with_texts(each, change) for each in value] if isinstance(value, list) else value
