"""studio thin, pin, reindex, export-checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.command_line.context import AsJson, Run, job_of, print_json, print_table, workspace_of
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.quantities import format_bytes, parse_bytes

if TYPE_CHECKING:
    from studio.upkeep.thinning import ThinPlan

Batch = Annotated[int, typer.Argument(metavar="BATCH", help="A batch that has a checkpoint.")]


def register(app: typer.Typer) -> None:
    for command in (thin, pin, reindex):
        app.command()(command)
    app.command("export-checkpoint")(export_checkpoint)


def parse_budget(text: str) -> int:
    try:
        return parse_bytes(text)
    except EXPECTED_ERRORS as error:
        raise typer.BadParameter(str(error)) from error


def thin(
    context: typer.Context,
    run: Run,
    budget: Annotated[
        int | None,
        typer.Option(parser=parse_budget, metavar="SIZE", help="Thin to a size, such as 200GB."),
    ] = None,
    every: Annotated[int | None, typer.Option(help="Keep every so manieth batch.", min=2)] = None,
    start: Annotated[
        int | None, typer.Option("--from", help="With --every: thin from this batch on.", min=0)
    ] = None,
    end: Annotated[
        int | None, typer.Option("--to", help="With --every: thin up to this batch.", min=0)
    ] = None,
    keep_pinned: Annotated[
        bool, typer.Option("--keep-pinned", help="Keep nothing but what somebody refers to.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go; change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let checkpoints go that nobody refers to; the others stay as they are, bit for bit.

    The first and the last one, pinned ones, and those that specimens were seen at always stay.
    """
    if sum((budget is not None, every is not None, keep_pinned)) != 1:
        raise typer.BadParameter("Give one of --budget, --every and --keep-pinned.")
    if every is None and (start is not None or end is not None):
        raise typer.BadParameter("--from and --to go with --every.")
    from studio.upkeep.thinning import ThinRequest, plan_thinning, thin_run

    workspace = workspace_of(context)
    request = ThinRequest(budget, every, start, end, keep_pinned)
    if dry_run:
        plan = plan_thinning(workspace, run, request)
    else:
        with job_of(context, run) as reporter, reporter.task("Thinning") as on_progress:
            plan = thin_run(workspace, run, request, on_progress)
    if as_json:
        print_json({**plan.to_json(), "dry_run": dry_run})
    else:
        print(_tell(plan, dry_run))


def pin(
    context: typer.Context,
    run: Run,
    batch: Batch,
    remove: Annotated[bool, typer.Option("--remove", help="Take the pin away.")] = False,
) -> None:
    """Keep a checkpoint, whatever else is thinned out."""
    from studio.runs.pins import pin_batch, unpin_batch

    change = unpin_batch if remove else pin_batch
    change(workspace_of(context), run, batch)


def export_checkpoint(
    context: typer.Context,
    run: Run,
    batch: Batch,
    out: Annotated[
        Path | None,
        typer.Option(help="FILE.safetensors or .pt; in the workspace's exports by default."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file if it is there.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write one checkpoint as a file of plain tensors that other programs read."""
    from checkpoints_index import CheckpointIndex

    workspace = workspace_of(context)
    path = out or workspace.exported_checkpoint(run, batch)
    with job_of(context, run):
        CheckpointIndex(workspace.runs)[run].export(batch, path, overwrite)
    if as_json:
        print_json({"run": run, "batch": batch, "path": path, "size_bytes": path.stat().st_size})
    else:
        print(f"{path} ({format_bytes(path.stat().st_size)})")


def reindex(context: typer.Context, as_json: AsJson = False) -> None:
    """Make anew whatever tells which runs, checkpoints and points there are."""
    from studio.upkeep.reindexing import reindex_workspace

    with job_of(context) as reporter, reporter.task("Reindexing") as on_progress:
        found = reindex_workspace(workspace_of(context), on_progress)
    if as_json:
        print_json([run._asdict() for run in found])
        return
    print_table(
        ["run", "checkpoints", "damaged", "notes"],
        [(run.run, run.checkpoints, run.damaged, "; ".join(run.notes) or None) for run in found],
        "No runs yet. Begin one: studio train DATASET --run NAME",
    )


def _tell(plan: ThinPlan, dry_run: bool) -> str:
    would, now = ("would go", "leaving about") if dry_run else ("are gone", "leaving")
    return (
        f"{plan.dropped:,} of {len(plan.before):,} checkpoints of run '{plan.run}' {would}, {now} "
        f"{format_bytes(plan.size_after)} of {format_bytes(plan.size_before)}."
    )
