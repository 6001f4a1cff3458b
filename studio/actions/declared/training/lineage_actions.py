"""Lineage: which runs began from which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from studio.actions.action import Action, Result, Table
from studio.actions.declared.run_actions import SECTION
from studio.runs.lineage.family_tree import Relative, draw_tree, list_relatives
from studio.workspace.names import LOOP, require_run_name
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.record import option


class LineageResult(Result):
    """Runs, each before those that began from it."""

    runs: tuple[Relative, ...]

    def document(self) -> Any:
        """One object a run."""
        return [asdict(run) for run in self.runs]

    def tell(self) -> Iterator[str | Table]:
        """A tree."""
        if not self.runs:
            yield "No runs yet. Begin one: studio train DATASET --run NAME"
        yield from draw_tree(self.runs)

    def remarks(self) -> Iterator[str]:
        """Which runs cannot have begun as it is written."""
        loops = [run.run for run in self.runs if run.parent_is == LOOP]
        if loops:
            yield (
                f"{', '.join(loops)}: each is said to begin from the other. Their run.toml was "
                "changed by hand; see the line `parent` in it."
            )


class Lineage(Action):
    """Show which run began from which.

    For each run: the run and the batch that it began from, and as what: a branch, a warm start,
    an archive, or a change of its networks. With a run, only those that are related to it.
    """

    command = "lineage"
    section = SECTION
    is_job = False

    run: str | None = option(
        None, "A run; all of them by default.", argument=True, metavar="RUN", check=require_run_name
    )

    def perform(self, workspace: Workspace, reporter: Reporter) -> LineageResult:
        """Read settings and the database."""
        return LineageResult(runs=tuple(list_relatives(workspace, self.run)))


ACTIONS = (Lineage,)
