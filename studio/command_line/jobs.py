"""studio jobs: what works in the background."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from studio.command_line.context import AsJson, print_json, print_table, workspace_of
from studio.workspace.jobs import cancel_job, find_job, list_jobs, retry_job

app = typer.Typer(no_args_is_help=True, help="What works in the background.")

Number = Annotated[int, typer.Argument(help="Number of a job: studio jobs list")]


@app.command("list")
def list_all(context: typer.Context, as_json: AsJson = False) -> None:
    """List the jobs, the newest first."""
    jobs = list_jobs(workspace_of(context))
    if as_json:
        print_json([asdict(job) for job in jobs])
        return
    print_table(
        ["job", "status", "done", "of", "command", "note"],
        [(job.id, job.status, job.done, job.total, job.text, job.note) for job in jobs],
        "No jobs yet.",
    )


@app.command()
def log(context: typer.Context, job: Number) -> None:
    """Print what a job has said so far."""
    workspace = workspace_of(context)
    path = workspace.log(find_job(workspace, job).id)
    print(path.read_text(encoding="utf-8", errors="replace") if path.exists() else "No log.")


@app.command()
def cancel(context: typer.Context, job: Number) -> None:
    """Ask a job to end; what it finished stays."""
    workspace = workspace_of(context)
    cancel_job(workspace, find_job(workspace, job))


@app.command()
def retry(context: typer.Context, job: Number) -> None:
    """Run a job again; it goes on where it was."""
    workspace = workspace_of(context)
    again = retry_job(workspace, find_job(workspace, job))
    print(f"Job {again.id}: {again.text}")
