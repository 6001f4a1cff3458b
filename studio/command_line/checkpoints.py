"""studio checkpoints, verify."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from checkpoints_index.catalogue import open_catalogue
from studio.command_line.context import (
    AsJson,
    Run,
    format_bytes,
    job_of,
    print_json,
    print_table,
    workspace_of,
)


def register(app: typer.Typer) -> None:
    app.command()(checkpoints)
    app.command()(verify)


def checkpoints(context: typer.Context, run: Run, as_json: AsJson = False) -> None:
    """What is kept of a run: how many checkpoints, which are missing, how large they are."""
    catalogue = open_catalogue(workspace_of(context).runs, run)
    count, size_bytes = len(catalogue.batches), catalogue.size_bytes
    document: dict[str, Any] = {
        "run": run,
        "checkpoints": count,
        "first_batch": catalogue.batches[0] if count else None,
        "last_batch": catalogue.batches[-1] if count else None,
        "missing": [list(gap) for gap in catalogue.missing],
        "size_bytes": size_bytes,
        "bytes_per_checkpoint": round(size_bytes / count) if count else None,
        "storage": catalogue.storage,
    }
    if as_json:
        print_json(document)
        return
    sizes = {
        key: format_bytes(document[key] or 0) for key in ("size_bytes", "bytes_per_checkpoint")
    }
    rows = [(key.replace("_", " "), value) for key, value in {**document, **sizes}.items()]
    print_table(["", ""], rows, "")


def verify(
    context: typer.Context,
    run: Run,
    deep: Annotated[
        bool, typer.Option("--deep", help="Decode every checkpoint, rather than only read it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read every checkpoint of a run back, and name the damaged ones."""
    from checkpoints_index import CheckpointIndex

    damaged, checked = [], 0
    with job_of(context, run) as reporter:
        opened = CheckpointIndex(workspace_of(context).runs)[run]
        total = len(opened.batches)
        with reporter.task("Verifying checkpoints") as on_progress:
            for found in opened.verify(deep):
                checked += 1
                if found.reason is not None:
                    damage = {"batch": found.batch, "file": found.path.name}
                    damaged.append({**damage, "reason": found.reason})
                on_progress(min(checked, total), total)
    if as_json:
        print_json({"ok": not damaged, "checked": checked, "damaged": damaged})
    else:
        print(f"{checked:,} checkpoints of run '{run}' read back, {len(damaged):,} damaged.")
        for damage in damaged:
            print(f"  {damage['batch']} in {damage['file']}: {damage['reason']}")
    raise typer.Exit(1 if damaged else 0)
