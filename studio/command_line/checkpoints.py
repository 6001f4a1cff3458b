"""studio checkpoints, verify."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from checkpoints_index.storage.catalogue import open_catalogue
from studio.command_line.context import (
    AsJson,
    Run,
    job_of,
    print_json,
    print_table,
    workspace_of,
)
from studio.runs.forecast import describe_growth
from studio.runs.metrics import read_metrics
from studio.runs.storage_report import (
    StorageReport,
    describe_error_bound,
    describe_gaps,
    report_storage,
)
from studio.workspace.quantities import format_bytes

if TYPE_CHECKING:
    from checkpoints_index.upkeep.verification import Finding

LOST, WEAKENED = 1, 3  # exit status of `verify`; 2 is wrong usage
GAPS_NAMED = 8


def register(app: typer.Typer) -> None:
    app.command()(checkpoints)
    app.command()(verify)


def checkpoints(context: typer.Context, run: Run, as_json: AsJson = False) -> None:
    """What is kept of a run: how much, how small, how faithful, and when the disk is full."""
    workspace = workspace_of(context)
    catalogue = open_catalogue(workspace.runs, run)
    inventory = report_storage(workspace, catalogue, read_metrics(workspace.metrics(run)))
    if as_json:
        print_json(inventory.to_json())
    else:
        _show(inventory)


def parse_share(text: str) -> float:
    """A share as 5% or 0.05, above 0 and up to 1."""
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise typer.BadParameter(f"'{text}' is no share. Write it as 5% or 0.05.")
    return share


def verify(
    context: typer.Context,
    run: Run,
    deep: Annotated[
        bool, typer.Option("--deep", help="Decode every checkpoint, rather than only read it.")
    ] = False,
    subset: Annotated[
        float | None,
        typer.Option(parser=parse_share, metavar="SHARE", help="Look at a share, such as 5%."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read the checkpoints of a run back, and name the damaged ones.

    Exit status: 0 all are whole; 1 some cannot be read back; 3 something is damaged, but every
    checkpoint can still be read another way.
    """
    from checkpoints_index import CheckpointIndex
    from checkpoints_index.upkeep.verification import count_chosen

    damaged: list[Finding] = []
    seen, share = 0, subset or 1.0
    with job_of(context, run) as reporter:
        opened = CheckpointIndex(workspace_of(context).runs)[run]
        total = count_chosen(len(opened.batches), share)
        with reporter.task("Verifying checkpoints") as on_progress:
            for seen, found in enumerate(opened.verify(deep, share), 1):
                damaged += [found] if found.reason is not None else []
                on_progress(min(seen, total), total)
    checked, promise = min(seen, total), describe_error_bound(opened.error_bound)
    if as_json:
        print_json(
            {
                "ok": not damaged,
                "checked": checked,
                "damaged": [_describe(found) for found in damaged],
                "promise": promise,
            }
        )
    else:
        _report(run, checked, promise, damaged)
    lost = any(not found.readable for found in damaged)
    raise typer.Exit(LOST if lost else WEAKENED if damaged else 0)


def _show(inventory: StorageReport) -> None:
    batches, each = inventory.batches, inventory.bytes_per_checkpoint
    rows: list[tuple[str, Any]] = [
        ("checkpoints", len(batches)),
        ("batches", f"{batches[0]:,} to {batches[-1]:,}" if batches else None),
        ("missing", describe_gaps(inventory.missing, GAPS_NAMED) or "none"),
        ("on disk", format_bytes(inventory.size_bytes)),
        ("a checkpoint", None if each is None else format_bytes(each)),
        ("as plain tensors", inventory.plain_bytes and format_bytes(inventory.plain_bytes)),
        ("times smaller", inventory.ratio and f"{inventory.ratio:.1f}"),
        ("storage", inventory.storage),
        ("promise", describe_error_bound(inventory.error_bound)),
        ("pinned", ", ".join(f"{batch:,}" for batch in inventory.pinned) or "none"),
    ]
    if inventory.forecast is not None:
        rows.append(("forecast", describe_growth(inventory.forecast)))
    print_table([inventory.run, ""], rows, "")


def _report(run: str, checked: int, promise: str, damaged: Sequence[Finding]) -> None:
    print(f"{checked:,} checkpoints of run '{run}' read back, {len(damaged):,} damaged.")
    print(f"Promise: {promise}.")
    for found in damaged:
        still = "it can be read another way" if found.readable else "it cannot be read back"
        print(f"  {found.batch} in {found.path.name}: {found.reason}; {still}")


def _describe(found: Finding) -> dict[str, Any]:
    return {
        "batch": found.batch,
        "file": found.path.name,
        "reason": found.reason,
        "readable": found.readable,
    }
