"""An import that takes the place of a run: all of the old one, or all of the new one."""

import shutil

import pytest
import torch
from torch import nn

from checkpoints_index import CheckpointIndex
from checkpoints_index.errors import CheckpointError
from checkpoints_index.importing.refusals import ImportedRunError, NothingToImportError
from latent.points import LatentPoint, sample_point
from studio.actions.declared.import_actions import Import
from studio.actions.declared.run_actions import Runs
from studio.actions.submission import perform
from studio.runs.events import list_events
from studio.runs.pins import list_pins, pin_batches
from studio.specimens.marking import name_specimen, star_specimens
from studio.specimens.own_points import keep_own_points, read_own_points
from studio.specimens.point_files import ForeignPoint
from studio.specimens.points import draw_points, points_of, resolve_point
from studio.specimens.specimens import list_specimens
from studio.upkeep.run_verification import verify_belongings
from studio.workspace.marks import read_marks
from studio.workspace.paths import Workspace
from tests.studio.upkeep.test_renaming import kill_at_step

NETWORK = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 784), nn.Tanh())
RELU, ELU = {"activation": "relu", "output": "tanh"}, {"activation": "elu", "output": "tanh"}


def weights(batch):
    return {name: tensor + batch * 1e-3 for name, tensor in NETWORK.state_dict().items()}


def take_in(workspace, folder, **fields):
    return perform(workspace, Import(folder=folder, run="mine", storage="exact", **fields))


@pytest.fixture
def folder(tmp_path):
    """Three checkpoints of a person."""
    folder = tmp_path / "files"
    folder.mkdir()
    for batch in (10, 20, 30):
        torch.save(weights(batch), folder / f"G_{batch}.pt")
    return folder


@pytest.fixture
def imported(empty_workspace, folder):
    """They are a run, with a drawn specimen that has a star and a name, an own point, and pins."""
    take_in(empty_workspace, folder, options=RELU)
    draw_points(empty_workspace, "mine", 20, 2, 8)
    star_specimens(empty_workspace, "mine", ["20.1"])
    name_specimen(empty_workspace, "mine", "20.1", "harbour")
    own = torch.linspace(-1, 1, 8).numpy()
    keep_own_points(empty_workspace, "mine", [ForeignPoint("20.77", own)], 20)
    pin_batches(empty_workspace, "mine", [10, 20])
    return empty_workspace


def activation(workspace):
    """The activation of the run, whose checkpoints are all there and right."""
    run = CheckpointIndex(workspace.runs)["mine"]
    for batch in run.batches:
        assert all(torch.equal(run.weights(batch)[n], t) for n, t in weights(batch).items())
    return run.spec.options["layers"][1]["layer"], run.batches


def assert_replaced(workspace):
    assert activation(workspace) == ("ELU", [20, 30])
    (starred,) = (s for s in list_specimens(workspace, "mine") if s.starred)
    assert (starred.label, starred.name) == ("20.1", "harbour")
    assert [point.label for point in read_own_points(workspace, "mine")] == ["20.77"]
    marks = read_marks(workspace, "mine")
    assert (marks.pins, marks.stars, marks.names) == ([20], ["20.1"], {"20.1": "harbour"})
    assert list_pins(workspace, "mine") == [20]
    told = [e.text for e in list_events(workspace, "mine") if "imported again" in e.text]
    assert len(told) == 1
    assert not list(verify_belongings(workspace, "mine"))
    assert not list(workspace.trash.iterdir())


def test_a_wrong_assumption_is_corrected_under_the_same_name(imported, folder):
    (folder / "G_10.pt").unlink()
    planned = take_in(imported, folder, options=ELU, replace=True, dry_run=True)
    assert activation(imported) == ("ReLU", [10, 20, 30])
    done = take_in(imported, folder, options=ELU, replace=True)
    assert done.changes == planned.changes
    said = " ".join(done.tell()).replace("\n", " ")
    assert "layer 1 was {'layer': 'ReLU'} and is {'layer': 'ELU'}" in said
    assert "2 checkpoints rather than 3" in said
    assert "pins of batch 10 go" in said
    assert_replaced(imported)
    # The next import goes on with the new run.
    torch.save(weights(40), folder / "G_40.pt")
    assert take_in(imported, folder).imported == 1
    assert activation(imported) == ("ELU", [20, 30, 40])


@pytest.mark.slow
def test_a_replacement_is_done_or_not_wherever_it_is_killed(imported, folder, tmp_path):
    (folder / "G_10.pt").unlink()
    action = Import(folder=folder, run="mine", storage="exact", options=ELU, replace=True)
    was_killed, killed_at, seen = True, 0, set()
    while was_killed:
        copy = Workspace.open(shutil.copytree(imported.root, tmp_path / f"{killed_at}"))
        was_killed = kill_at_step(copy, action, killed_at)
        assert [run.name for run in perform(copy, Runs()).runs] == ["mine"]
        found = activation(copy)
        seen.add(found[0])
        if found[0] == "ReLU":
            assert was_killed, "it was not done"
            assert found == ("ReLU", [10, 20, 30])
            assert list_pins(copy, "mine") == [10, 20]
        else:
            assert_replaced(copy)
        shutil.rmtree(copy.root)
        killed_at += 1
    assert len(seen) == 2
    assert killed_at > 20


def test_what_fails_leaves_the_old_run(imported, folder):
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(NothingToImportError):
        take_in(imported, folder, replace=True)
    with pytest.raises(CheckpointError):
        take_in(imported, folder, options={"activation": "elu", "image_size": 5}, replace=True)
    assert activation(imported) == ("ReLU", [10, 20, 30])
    assert not list(imported.trash.glob("*")) if imported.trash.exists() else True


def test_only_a_run_that_an_import_began_is_replaced(workspace, folder):
    with pytest.raises(ImportedRunError, match="no import began"):
        take_in_as(workspace, folder, "city")
    assert take_in_as(workspace, folder, "new").imported == 3  # There is nothing to be replaced.


def take_in_as(workspace, folder, run):
    return perform(workspace, Import(folder=folder, run=run, replace=True, options=RELU))


def test_points_that_were_drawn_follow_another_distribution(imported, folder):
    before = points_of(imported, "mine")
    done = take_in(imported, folder, options=RELU, z_distribution="uniform", replace=True)
    assert "Its fixed points and drawn specimens become uniform ones." in done.changes
    spec = CheckpointIndex(imported.runs)["mine"].spec
    after = points_of(imported, "mine")
    assert [point.label for point in after] == [point.label for point in before]
    for point in after:
        place = tuple(map(int, point.label.split(".")))
        own = LatentPoint("20.77", torch.linspace(-1, 1, 8))
        drawn = own if place == (20, 77) else sample_point(*place, 8, shape=spec.shape_z)
        assert torch.equal(point.z, drawn.z)
    assert not list(verify_belongings(imported, "mine"))
    # A label that is not kept stands for what would be drawn under it.
    shown = resolve_point(imported, "mine", "20.5")
    assert torch.equal(shown.z, sample_point(20, 5, 8, shape=spec.shape_z).z)


def test_a_file_that_came_late_is_told_with_the_way_to_take_it_in(imported, folder):
    torch.save(weights(15), folder / "G_15.pt")
    (late,) = take_in(imported, folder).skipped
    assert late["path"].endswith("G_15.pt")
    assert "batch 15 lies before 30" in late["reason"]
    assert "--replace" in late["reason"]
    take_in(imported, folder, options=RELU, replace=True)
    assert activation(imported) == ("ReLU", [10, 15, 20, 30])


@pytest.mark.parametrize("content", [b"", b"{}", b'{"run": "../x"}'])
def test_a_replacement_without_its_note_takes_nothing_away(imported, content):
    half = imported.trash / "replace-0123"
    (half / "former").mkdir(parents=True)
    shutil.copytree(imported.run("mine"), half / "new" / "mine")
    (half / "note.json").write_bytes(content)
    perform(imported, Runs())
    assert (half / "new" / "mine").exists()
    (half / "former").rmdir()  # The old run was never taken away, or is in its place.
    perform(imported, Runs())
    assert not half.exists()
    assert activation(imported) == ("ReLU", [10, 20, 30])
