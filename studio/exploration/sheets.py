"""Where sheets of pictures lie: what is asked for again has the same place."""

from __future__ import annotations

import hashlib
from pathlib import Path

from studio.workspace.paths import Workspace
from studio.workspace.records.record import DeclaredRecord

NO_CONTENT = {"device", "out", "overwrite"}  # Fields that do not change what a sheet shows.


def sheet_place(workspace: Workspace, run: str, kind: str, asked: DeclaredRecord) -> Path:
    """The path of a sheet without a name of its own.

    Args:
        kind: such as "sheet"; it names the file after the run.
        asked: what the sheet shows.
    """
    content = asked.model_dump_json(exclude=NO_CONTENT)
    mark = hashlib.sha256(content.encode()).hexdigest()[:6]
    return workspace.render(f"{run}-{kind}-{mark}") / f"{run}-{kind}.png"
