"""The route by which a browser sees pictures of a dataset, and the address of such a sheet."""

from __future__ import annotations

import io
import re
from threading import Lock
from urllib.parse import urlencode

from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from studio.datasets.listing import open_dataset
from studio.datasets.looking import COLUMNS, draw_dataset
from studio.datasets.prepared import PreparedDataset
from studio.screens.parts.picture_cache import FOR_GOOD
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.names import require_dataset_name
from studio.workspace.paths import Workspace

PATH = "/studio/datasets/sheet"


class SheetRoute:
    """Draws one sheet at a time, however many are asked for."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._turn = workspace, Lock()

    def answer(self, request: Request) -> Response:
        """The sheet of the dataset that the query names; 404 with a sentence without one."""
        asked = request.query_params
        try:
            dataset = self._open(asked.get("name", ""), asked.get("key", ""))
            columns = _read_columns(asked.get("columns", ""))
            with self._turn:
                content = _encode(dataset, columns)
        except EXPECTED_ERRORS as error:
            return JSONResponse({"detail": explain(error)}, 404, {"Cache-Control": "no-store"})
        return Response(content, media_type="image/png", headers={"Cache-Control": FOR_GOOD})

    def _open(self, name: str, key: str) -> PreparedDataset:
        """The dataset as it was when the page showed it; raises StudioError if it is not."""
        dataset = open_dataset(self._workspace, require_dataset_name(name), kind=None)
        if key != _key(dataset):
            raise StudioError("These pictures are others by now. Open the page again.")
        return dataset


def sheet_address(dataset: PreparedDataset, columns: int = COLUMNS) -> str:
    """Where the sheet of a dataset lies; another one as soon as its pictures are others."""
    query = {"name": dataset.folder.name, "columns": columns, "key": _key(dataset)}
    return f"{PATH[1:]}?{urlencode(query)}"


def _key(dataset: PreparedDataset) -> str:
    return str(dataset.identity()["digest"])


def _read_columns(text: str) -> int:
    """A number of columns from 1 to COLUMNS.

    Raises:
        StudioError: it is none.
    """
    if not re.fullmatch(f"[1-{COLUMNS}]", text, re.ASCII):
        raise StudioError(f"A sheet has 1 to {COLUMNS} columns.")
    return int(text)


def _encode(dataset: PreparedDataset, columns: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(draw_dataset(dataset, columns)).save(file, "PNG")
    return file.getvalue()
