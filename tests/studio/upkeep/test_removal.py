"""Deleting and renaming leave nothing behind, and nothing half done."""

import json

import pytest

from checkpoints_index import CheckpointIndex
from studio.actions.declared.specimen_actions import SpecimensExport, SpecimensSample
from studio.actions.submission import perform
from studio.runs.events import list_events
from studio.runs.pins import specimen_batches
from studio.runs.status import summarise_runs
from studio.specimens.points import points_of
from studio.training.loop.session import train_run
from studio.upkeep.removal import finish_removals
from studio.upkeep.thinning import protected_batches
from studio.workspace.database import open_database
from studio.workspace.jobs import training_job


def rows_about(workspace, run):
    tables = ("specimens", "pins", "changes", "events", "jobs", "former_names")
    with open_database(workspace.database) as db:
        return sum(
            db.execute(f"SELECT count(*) FROM {t} WHERE run = ?", (run,)).fetchone()[0]
            for t in tables
        )


def test_a_deleted_run_leaves_no_file_and_no_row(workspace, studio):
    assert "--yes" in studio("delete", "run", "city").err
    assert "would go" in studio("delete", "run", "city", "--dry-run").out
    assert "city" in CheckpointIndex(workspace.runs)
    assert studio("delete", "run", "city", "--yes").status == 0
    assert summarise_runs(workspace) == []
    assert rows_about(workspace, "city") == 0
    assert not [path for path in workspace.root.rglob("*") if path.name.startswith("city")]
    assert not list(workspace.trash.iterdir())


def test_a_deletion_that_was_cut_off_is_finished_at_the_next_start(workspace, studio):
    workspace.trash.mkdir()
    workspace.run("city").rename(workspace.trash / "run-city-0123abcd")
    assert studio("runs", "--json").json == []
    assert rows_about(workspace, "city") == 0
    assert not list(workspace.trash.iterdir())


def test_a_renamed_run_keeps_its_points_events_pictures_and_trains_on(workspace, studio):
    batch = CheckpointIndex(workspace.runs)["city"].batches[0]
    perform(workspace, SpecimensSample(run="city", batch=batch, count=2))
    points, events = len(points_of(workspace, "city")), len(list_events(workspace, "city"))
    assert studio("rename", "run", "city", "town").status == 0
    assert rows_about(workspace, "city") == 0
    assert len(points_of(workspace, "town")) == points
    assert len(list_events(workspace, "town")) == events + 1
    assert training_job(workspace, "town").fields["run"] == "town"
    assert (workspace.specimens("town") / f"town-{batch}.0.jpg").exists()
    assert batch in protected_batches(workspace, CheckpointIndex(workspace.runs)["town"])
    perform(workspace, SpecimensExport(run="town", labels=(f"{batch}.0",)))
    assert train_run(workspace, "town", lambda *_: None, lambda: False)[0] == "finished"


@pytest.mark.parametrize("moved", [False, True])
def test_a_renaming_that_was_cut_off_is_finished(workspace, moved):
    workspace.trash.mkdir()
    intent = workspace.trash / "rename-0123abcd.json"
    intent.write_text(json.dumps({"old": "city", "new": "town"}))
    if moved:
        workspace.run("city").rename(workspace.run("town"))
    finish_removals(workspace)
    assert [run.name for run in summarise_runs(workspace)] == ["town"]
    assert rows_about(workspace, "city") == 0
    assert not intent.exists()


def test_a_deleted_specimen_frees_its_batch(workspace, studio):
    batch = CheckpointIndex(workspace.runs)["city"].batches[1]
    perform(workspace, SpecimensSample(run="city", batch=batch, count=1))
    assert batch in specimen_batches(workspace, "city")
    assert studio("delete", "specimen", "city", f"{batch}.0", "--yes").status == 0
    assert batch not in specimen_batches(workspace, "city")
    assert not (workspace.specimens("city") / f"city-{batch}.0.jpg").exists()


def test_a_dataset_is_renamed_in_its_runs_and_deleted(workspace, studio):
    assert studio("rename", "dataset", "streets", "roads").status == 0
    assert [d["name"] for d in studio("datasets", "list", "--json").json] == ["roads"]
    assert train_run(workspace, "city", lambda *_: None, lambda: False)[0] == "finished"
    assert studio("delete", "dataset", "roads", "--yes").status == 0
    assert not workspace.dataset("roads").exists()
