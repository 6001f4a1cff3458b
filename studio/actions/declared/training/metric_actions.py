"""The numbers of a run as a table that other programs read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from checkpoints_index.storage.catalogue import open_catalogue
from studio.actions.action import Action, Result, Table
from studio.actions.declared.run_actions import SECTION
from studio.workspace.claims import Claim
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.record import option, run_name

SUFFIXES = (".csv",)


class MetricsTable(Result):
    """A table of a run's numbers."""

    path: Path
    rows: int
    columns: tuple[str, ...]

    def tell(self) -> Iterator[str | Table]:
        """Where it lies."""
        yield f"{self.path}: {self.rows:,} batches, {len(self.columns)} columns"


class Metrics(Action):
    """Write the numbers of a run as CSV, a batch a row.

    They are those of the curves: losses, gradients, distances, times. An empty cell is a number
    that was not measured at that batch.
    """

    command = "metrics"
    section = SECTION
    is_job = False

    run: str = run_name()
    out: Path | None = option(None, "FILE.csv; a place in the workspace by default.")
    overwrite: bool = option(False, "Replace the file in --out if it is there.")

    def claims(self) -> list[Claim]:
        """The run keeps its name meanwhile."""
        return [Claim("run", self.run)]

    def check(self, workspace: Workspace) -> None:
        """Refuse an unknown run, and a file that is there or cannot be written."""
        from renderers.destinations import require_destination

        open_catalogue(workspace.runs, self.run)
        if self.out is not None:
            require_destination(self.out, SUFFIXES, self.overwrite)

    def perform(self, workspace: Workspace, reporter: Reporter) -> MetricsTable:
        """Read the numbers and write the table."""
        from renderers.files import replacing
        from studio.runs.metrics import read_metrics, write_csv

        entries = read_metrics(workspace.metrics(self.run))
        path = self.out or workspace.specimens(self.run) / f"{self.run}-metrics.csv"
        with replacing(path) as temporary, temporary.open("w", newline="") as file:
            columns = write_csv(entries, file)
        return MetricsTable(path=path, rows=len(entries), columns=tuple(columns))


ACTIONS = (Metrics,)
