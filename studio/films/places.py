"""Where a film keeps its plan and its parts until it is whole, and the record of it for good."""

from __future__ import annotations

from pathlib import Path

from renderers.plan.outputs import folder_beside
from studio.workspace.errors import ReadOnlyWorkspaceError
from studio.workspace.paths import Workspace


def film_folder(workspace: Workspace, name: str, out: Path | None) -> Path:
    """The folder of a film: in the workspace, or beside the film where that cannot be written to.

    Args:
        name: of the film's folder in the workspace.
        out: the file or the numbered pictures that somebody asked for.

    Raises:
        ReadOnlyWorkspaceError: the workspace cannot be written to, and no other place was named.
    """
    if workspace.is_writable:
        return workspace.render(name)
    if out is None:
        raise ReadOnlyWorkspaceError(workspace.root)
    return folder_beside(out)
