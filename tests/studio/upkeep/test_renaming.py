"""A renaming that is killed at any step is finished at the next start, and is done once."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
from PIL import Image

from renderers.jobs.verification import find_render, verify_video
from studio.actions.declared.archive_actions import Archive
from studio.actions.declared.film_actions import Film, RenderTimelapse
from studio.actions.declared.removal_actions import (
    DeleteSpecimens,
    RenameDataset,
    RenameFilm,
    RenameRun,
    RenameSpecimen,
)
from studio.actions.declared.run_actions import Runs
from studio.actions.declared.specimen_actions import SpecimensSample
from studio.actions.submission import perform
from studio.atlases.atlas_files import DrawnAtlas, join_columns, list_atlases, save_atlas
from studio.datasets.listing import list_datasets, open_dataset
from studio.runs.config import TrainingConfig
from studio.runs.events import list_events
from studio.screens.render.film_list import check_film, list_films
from studio.specimens.specimens import list_specimens
from studio.training.loop.session import train_run
from studio.upkeep.film_names import given_name
from studio.upkeep.reindexing import former_names
from studio.upkeep.removal import list_beside
from studio.upkeep.run_verification import verify_belongings
from studio.workspace.claims import EXCLUSIVE, WRITE, Claim, InUseError, claiming
from studio.workspace.database import open_database
from studio.workspace.jobs import training_job
from studio.workspace.marks import read_marks
from studio.workspace.paths import Workspace

STEPS = (Path, "rename"), (Path, "replace"), (Path, "unlink"), (os, "fsync")


def kill_at_step(workspace, action, killed_at):
    """Carry out an action in a process that is killed at a step; whether it came so far.

    A step is a change of a name on disk, or what makes one safe.
    """
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)  # A pool of threads does not survive being forked.
        steps = iter(range(killed_at))

        def count(step):
            def counted(*args, **kwargs):
                if next(steps, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)
                return step(*args, **kwargs)

            return counted

        for owner, name in STEPS:
            setattr(owner, name, count(getattr(owner, name)))
        try:
            perform(workspace, action)
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), f"it ended in {status}"
    return status != 0


def copy_of(workspace, folder):
    """A workspace of its own, with the same content."""
    shutil.copytree(workspace.root, folder)
    return Workspace.open(folder)


def start(workspace):
    """What any command does first, and the runs that it lists."""
    return [run.name for run in perform(workspace, Runs()).runs]


@pytest.fixture
def filmed(workspace):
    """The run with a film, an atlas, a joined live film, and pictures."""
    perform(workspace, SpecimensSample(run="city", batch=12, count=1))
    perform(workspace, RenderTimelapse(run="city", points=("seed:1",), batches="0:6"))
    perform(workspace, Film(run="city"))
    atlas = workspace.render("city-atlas-12-z") / "atlas.png"
    drawn = DrawnAtlas(
        *("city", 12, "z", 1, "12.", 0, 0, None, 0.0, 36, 32, None, ()),
        path=atlas,
    )
    atlas.parent.mkdir()
    Image.new("RGB", (36, 36)).save(atlas)
    save_atlas(drawn, join_columns([[0.0, 0.0]], [[0, 0]]))
    return workspace


def assert_renamed(workspace, new):
    assert start(workspace) == [new]
    with open_database(workspace.database) as db:
        for table in ("specimens", "events", "jobs"):
            assert not db.execute(f"SELECT 1 FROM {table} WHERE run = 'city'").fetchone(), table
    told = [event.text for event in list_events(workspace, new)]
    assert told.count(f"name: city -> {new}") == 1
    assert former_names(workspace, new) == read_marks(workspace, new).former == ["city"]
    assert (workspace.specimens(new) / f"{new}-12.0.jpg").exists()
    folders = [folder.name.removeprefix(new) for folder in list_beside(workspace, new)]
    assert [name.split("-")[1:2] for name in folders] == [[], ["atlas"], ["live"], ["timelapse"]]
    # The workspace is a copy, and its jobs tell of the film of the one that it was copied from too.
    films = [film for film in list_films(workspace, new) if workspace.root in film.path.parents]
    (film,) = films
    assert film.path.name == f"{new}-timelapse.mp4"
    assert find_render(workspace.renders, film.path) == film.path.parent
    (atlas,) = list_atlases(workspace, new)
    assert atlas.path.exists()
    joined = json.loads((workspace.render(f"{new}-live") / "joined.json").read_bytes())
    assert joined
    assert all(workspace.render(f"{new}-live") / Path(path).name for path in joined)
    assert not [p for p in workspace.renders.rglob("city-*") if not p.name.startswith(new)]
    assert not list(workspace.trash.iterdir())


@pytest.mark.parametrize(("new", "stride"), [("town", 1), ("city-2", 5)])
def test_renaming_a_run_is_finished_wherever_it_is_killed(filmed, tmp_path, new, stride):
    was_killed, killed_at = True, 0
    while was_killed:
        copy = copy_of(filmed, tmp_path / f"{killed_at}")
        was_killed = kill_at_step(copy, RenameRun(run="city", new=new), killed_at)
        if start(copy) == ["city"]:
            assert was_killed, "it was not done"
            perform(copy, RenameRun(run="city", new=new))  # Nothing had begun.
        assert_renamed(copy, new)
        killed_at += stride
    assert killed_at > 20
    assert "Whole" in check_film(copy, list_films(copy, new)[0])
    assert not list(verify_belongings(copy, new))


def test_renaming_a_dataset_is_finished_wherever_it_is_killed(workspace, tmp_path):
    was_killed, killed_at = True, 0
    while was_killed:
        copy = copy_of(workspace, tmp_path / f"{killed_at}")
        action = RenameDataset(name="streets", new="roads")
        was_killed = kill_at_step(copy, action, killed_at)
        start(copy)
        if list_datasets(copy) == ["streets"]:
            assert was_killed, "it was not done"
            perform(copy, action)
        assert list_datasets(copy) == ["roads"]
        assert open_dataset(copy, "roads").manifest.name == "roads"
        assert TrainingConfig.read(copy.run_config("city")).dataset == "roads"
        assert training_job(copy, "city").fields["dataset"] == "roads"
        assert not list(copy.trash.iterdir())
        killed_at += 1
    assert killed_at > 5
    assert train_run(copy, "city", lambda *_: None, lambda: False)[0] == "finished"


def test_naming_a_film_and_a_specimen_is_done_or_not_wherever_it_is_killed(filmed, tmp_path):
    (film,) = list_films(filmed, "city")
    name = film.path.parent.name
    for action, given in (
        (RenameFilm(name=name, new="Growth"), lambda ws: given_name(ws.render(name))),
        (
            RenameSpecimen(run="city", label="12.0", new="Growth"),
            lambda ws: "".join(s.name for s in list_specimens(ws, "city")),
        ),
    ):
        was_killed, killed_at = True, 0
        while was_killed:
            copy = copy_of(filmed, tmp_path / f"{action.command}-{killed_at}")
            was_killed = kill_at_step(copy, action, killed_at)
            assert start(copy) == ["city"]
            assert given(copy) == "Growth" if not was_killed else given(copy) in ("", "Growth")
            perform(copy, action)  # Once more changes nothing.
            assert given(copy) == "Growth"
            killed_at += 1
        assert killed_at > 2


def test_what_is_recorded_of_a_film_elsewhere_stays_as_it_is(workspace, tmp_path):
    elsewhere = tmp_path / "city-maps" / "city-film.mp4"
    elsewhere.parent.mkdir()
    action = RenderTimelapse(run="city", points=("seed:1",), batches="0:6", out=elsewhere)
    perform(workspace, action)
    perform(workspace, RenameRun(run="city", new="town"))
    assert verify_video(find_render(workspace.renders, elsewhere), elsewhere).reason is None


def test_a_run_that_is_trained_on_it_keeps_a_dataset_from_being_renamed(workspace):
    trained = claiming(workspace, [Claim("run", "city", WRITE)], "training city")
    with trained, pytest.raises(InUseError, match="training city"):
        perform(workspace, RenameDataset(name="streets", new="roads"))
    assert list_datasets(workspace) == ["streets"]


def test_settings_that_cannot_be_read_do_not_leave_a_dataset_half_renamed(workspace):
    broken = workspace.run("broken")
    shutil.copytree(workspace.run("city"), broken)
    (broken / "run.toml").write_text("dataset = [")
    perform(workspace, RenameDataset(name="streets", new="roads"))
    assert TrainingConfig.read(workspace.run_config("city")).dataset == "roads"


@pytest.mark.parametrize("content", [b"", b"{}", b'{"kind": "run", "old": "../x", "new": "y"}'])
def test_a_note_that_says_nothing_is_taken_away(workspace, content):
    workspace.trash.mkdir()
    (workspace.trash / "rename-0123abcd.json").write_bytes(content)
    (workspace.trash / ".rename-0123abcd.json.0123.part").write_bytes(b"half")
    assert start(workspace) == ["city"]
    assert not list(workspace.trash.iterdir())


def test_a_refused_resume_has_not_changed_the_goal(workspace, studio):
    shutil.rmtree(workspace.dataset("streets"))
    assert studio("resume", "city", "--batches", "20").status == 1
    assert TrainingConfig.read(workspace.run_config("city")).batches == 12
    assert not [e for e in list_events(workspace, "city") if e.text.startswith("batches:")]


def test_deleting_a_specimen_is_done_or_can_be_done_again_wherever_it_is_killed(
    workspace, tmp_path
):
    perform(workspace, SpecimensSample(run="city", batch=3, count=1))
    action = DeleteSpecimens(run="city", labels=("3.0",), yes=True)
    was_killed, killed_at = True, 0
    while was_killed:
        copy = copy_of(workspace, tmp_path / f"{killed_at}")
        was_killed = kill_at_step(copy, action, killed_at)
        if any(s.label == "3.0" for s in list_specimens(copy, "city")):
            assert was_killed, "it was not done"
            perform(copy, action)
        assert not (copy.specimens("city") / "city-3.0.jpg").exists()
        assert not any(s.label == "3.0" for s in list_specimens(copy, "city"))
        killed_at += 1
    assert killed_at > 1


@pytest.mark.parametrize(
    ("mode", "action"),
    [
        (EXCLUSIVE, Film(run="city")),
        (EXCLUSIVE, RenameSpecimen(run="city", label="0.1", new="Harbour")),
        (WRITE, Archive(run="back", batches=("3",), as_run="city")),
    ],
)
def test_what_reads_or_makes_a_run_waits_for_who_works_on_it(workspace, tmp_path, mode, action):
    if isinstance(action, Archive):  # A run is being made under the name that is asked for.
        workspace.run("city").rename(workspace.run("back"))
    held = claiming(workspace, [Claim("run", "city", mode)], "somebody")
    with held, pytest.raises(InUseError, match="somebody"):
        perform(workspace, action)
    assert workspace.run("back").exists() == isinstance(action, Archive)
