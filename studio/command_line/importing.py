"""studio import: checkpoints that a person already has."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.command_line.context import (
    AsJson,
    job_of,
    print_json,
    print_table,
    reporter_of,
    workspace_of,
)
from studio.runs.status import summarise_run
from studio.workspace.advice import explain
from studio.workspace.errors import StudioError
from studio.workspace.quantities import format_bytes

if TYPE_CHECKING:
    from checkpoints_index.importing.plan import ImportPlan
    from checkpoints_index.importing.refusals import SkippedFile

MOST_ROWS = 40


def register(app: typer.Typer) -> None:
    app.command("import")(import_)


def import_(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(help="Folder of .pt, .pth, .ckpt, .safetensors, .keras or .h5 files.")
    ],
    run: Annotated[str, typer.Option(help="What to call the run.")],
    generator: Annotated[
        str | None,
        typer.Option(help="package.module:Class, or dcgan, skyline; recognised by default."),
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--option", help="NAME=VALUE for the generator; again and again."),
    ] = None,
    pattern: Annotated[
        str | None, typer.Option(help=r"Which number is the batch, such as 'step_(\d+)'.")
    ] = None,
    storage: Annotated[
        str | None, typer.Option(help="visual (what can be seen, far smaller) or exact.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be imported; write nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import checkpoints that you already have, in the order of the numbers in their names."""
    from studio.upkeep.imports import ImportRequest, import_run, inspect_files

    request = ImportRequest(folder, generator, _parse(options), pattern)
    if dry_run:
        plan, _ = inspect_files(request, reporter_of(context))
        _show_plan(run, plan, as_json)
        return
    with job_of(context, run) as reporter:
        done = import_run(workspace_of(context), run, request, storage, reporter)
    summary = summarise_run(workspace_of(context), run)
    if as_json:
        counts = {"imported": done.appended, "checkpoints": summary.checkpoints}
        print_json({**_document(run, done.plan, done.skipped), **counts})
        return
    _tell(done.plan, done.skipped)
    print(
        f"Run '{run}': {done.appended:,} checkpoints imported, {summary.checkpoints:,} in all, "
        f"in {format_bytes(summary.size_bytes)}."
    )


def _show_plan(run: str, plan: ImportPlan, as_json: bool) -> None:
    if as_json:
        files = [{"batch": file.batch, "path": file.path} for file in plan.files]
        print_json({**_document(run, plan, plan.skipped), "files": files})
        return
    _tell(plan, plan.skipped)
    rows: list[Sequence[Any]] = [
        (file.batch, file.path.relative_to(plan.folder)) for file in plan.files
    ]
    if len(rows) > MOST_ROWS:
        half = MOST_ROWS // 2
        rows = [*rows[:half], ("...", f"{len(rows) - 2 * half:,} more"), *rows[-half:]]
    print_table(["batch", "file"], rows, "")
    print(f"{len(plan.files):,} checkpoints would be imported as run '{run}'. Nothing was written.")


def _tell(plan: ImportPlan, skipped: Sequence[SkippedFile]) -> None:
    """What was recognised, what was assumed, and what is left out."""
    from checkpoints_index.importing.plan import describe_spec
    from checkpoints_index.importing.refusals import group_skipped

    print(f"Generator: {describe_spec(plan.spec)}.")
    for remark in plan.remarks:
        print(f"  {explain(remark)}")
    for line in group_skipped(skipped, plan.folder, explain):
        print(f"  Left out: {line}.")


def _document(run: str, plan: ImportPlan, skipped: Sequence[SkippedFile]) -> dict[str, Any]:
    from checkpoints_index.importing.plan import describe_spec

    return {
        "run": run,
        "generator": plan.spec.architecture,
        "recognised": describe_spec(plan.spec),
        "remarks": [explain(remark) for remark in plan.remarks],
        "first_batch": plan.files[0].batch,
        "last_batch": plan.files[-1].batch,
        "skipped": [{"path": file.path, "reason": explain(file.error)} for file in skipped],
    }


def _parse(options: Sequence[str] | None) -> dict[str, Any]:
    """NAME=VALUE with the value as Python writes it; a bare word is a text."""
    values: dict[str, Any] = {}
    for option in options or []:
        name, equals, text = option.partition("=")
        if not equals or not name.strip().isidentifier():
            raise StudioError(f"'{option}' is no option of a generator. Use NAME=VALUE.")
        try:
            values[name.strip()] = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError):
            values[name.strip()] = text.strip()
    return values
