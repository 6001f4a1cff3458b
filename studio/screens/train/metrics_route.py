"""The route by which a browser saves the numbers of a run as CSV."""

from __future__ import annotations

import io

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from checkpoints_index.storage.catalogue import open_catalogue
from studio.runs.metrics import read_metrics, write_csv
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.names import require_run_name
from studio.workspace.paths import Workspace

AT_ONCE = 2  # So many tables are written at the same time.


class MetricsRoute:
    """Writes the table anew at each request, so that it has the newest batch."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._threads: anyio.CapacityLimiter | None = None  # It belongs to the server's loop.

    async def answer(self, request: Request) -> Response:
        """The CSV of the run that the query names; 400 with a sentence where there is none."""
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(AT_ONCE)
        name = request.query_params.get("run", "")
        try:
            run = require_run_name(name)
            table = await anyio.to_thread.run_sync(self._write, run, limiter=self._threads)
        except EXPECTED_ERRORS as error:
            return JSONResponse({"detail": explain(error)}, 400, {"Cache-Control": "no-store"})
        headers = {
            "Content-Disposition": f'attachment; filename="{run}-metrics.csv"',
            "Cache-Control": "no-store",
        }
        return Response(table, media_type="text/csv", headers=headers)

    def _write(self, run: str) -> bytes:
        open_catalogue(self._workspace.runs, run)
        file = io.StringIO(newline="")
        write_csv(read_metrics(self._workspace.metrics(run)), file)
        return file.getvalue().encode()
