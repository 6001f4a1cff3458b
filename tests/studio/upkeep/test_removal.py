"""Deleting and renaming leave nothing behind, and nothing half done."""

import io
import json
import shutil

import pytest

from checkpoints_index import CheckpointIndex
from studio.actions.declared.specimen_actions import SpecimensExport, SpecimensSample
from studio.actions.submission import perform
from studio.atlases.atlas_files import list_atlases
from studio.runs.events import list_events
from studio.runs.pins import specimen_batches
from studio.runs.status import summarise_runs
from studio.specimens.points import points_of
from studio.training.loop.session import train_run
from studio.upkeep.run_verification import verify_belongings
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


def lose_description(run):
    (run / "checkpoints" / "generator.json").unlink()


def spoil_description(run):
    (run / "checkpoints" / "generator.json").write_text("{")


def spoil_segments(run):
    for path in (run / "checkpoints").glob("*.seg*"):
        path.write_bytes(b"nothing")


def lose_checkpoints(run):
    shutil.rmtree(run / "checkpoints")


def spoil_settings(run):
    (run / "run.toml").write_bytes(b"\xff[[")


def lose_all(run):
    shutil.rmtree(run)
    run.mkdir()


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lose_description, "studio reindex"),
        (spoil_description, "studio reindex"),
        (spoil_segments, "Run 'city' has "),
        (lose_checkpoints, "checkpoints that cannot be read"),
        (spoil_settings, "12 checkpoints"),
        (lose_all, "checkpoints that cannot be read"),
    ],
)
def test_a_damaged_run_is_deleted_as_a_whole_one_is(harm, told, workspace, studio):
    perform(workspace, SpecimensSample(run="city", batch=1, count=2))
    harm(workspace.run("city"))
    asked = studio("delete", "run", "city")
    assert (asked.status, "--yes" in asked.err) == (1, True)
    assert told in asked.err
    assert "specimens" in asked.err
    assert workspace.run("city").exists()
    assert "would go" in studio("delete", "run", "city", "--dry-run").out
    assert studio("delete", "run", "city", "--yes").status == 0
    assert rows_about(workspace, "city") == 0
    assert not [path for path in workspace.root.rglob("*") if path.name.startswith("city")]
    assert not list(workspace.trash.iterdir())
    assert "not in the index" in studio("delete", "run", "city", "--yes").err


@pytest.mark.parametrize("name", ["..", "../runs", "nowhere", ".", "a/b"])
def test_what_is_no_run_is_not_deleted(name, workspace, studio):
    assert studio("delete", "run", name, "--yes").status in (1, 2)
    assert "city" in CheckpointIndex(workspace.runs)


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 130), ("", 130)])
def test_a_terminal_asks_before_something_is_deleted(
    workspace, studio, monkeypatch, answer, status
):
    terminal = io.StringIO(answer)
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    ended = studio("delete", "run", "city")
    assert (ended.status, "for good. Is that meant?" in ended.err) == (status, True)
    assert ("city" in CheckpointIndex(workspace.runs)) == (status != 0)


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


def test_what_is_recorded_of_films_and_atlases_has_the_new_name(workspace, studio, tmp_path):
    mine = tmp_path / "city-mine.mp4"
    studio("render", "timelapse", "city", "--points", "0.0,0.1")
    studio("render", "timelapse", "city", "--points", "0.2", "--out", str(mine))
    studio("film", "city")
    studio("atlas", "city", "--batch", "1", "--count", "20")
    assert studio("rename", "run", "city", "city-b").status == 0
    assert list(verify_belongings(workspace, "city-b")) == []
    recorded = {
        str(record.parent / entry["path"])
        for record in workspace.renders.glob("*/videos.json")
        for entry in json.loads(record.read_text())["videos"]
    }
    films = set(map(str, workspace.renders.glob("city-b-timelapse-*/city-b-*.mp4")))
    assert recorded == films | {str(mine)}
    (live,) = workspace.renders.glob("city-b-live")
    joined = json.loads((live / "joined.json").read_text())
    assert set(joined) - {"checksum"} == {path.name for path in live.glob("city-b-*.mp4")}
    (atlas,) = list_atlases(workspace, "city-b")
    assert (atlas.run, atlas.path.exists()) == ("city-b", True)


def test_a_dataset_is_not_renamed_where_the_settings_of_a_run_were_edited(workspace, studio):
    config = workspace.run_config("city")
    config.write_text(config.read_text().replace("seed = 0", "seed = 1"))
    assert "was edited or damaged" in studio("rename", "dataset", "streets", "roads").err
    assert workspace.dataset("streets").exists()


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
