"""Claims: whoever is refused has touched nothing."""

import subprocess
import sys
import time

import pytest

from checkpoints_index import CheckpointIndex
from checkpoints_index.errors import RunLockedError
from studio.actions.declared.checkpoint_actions import Pin, Reindex, Thin
from studio.actions.declared.dataset_actions import DatasetsAdd
from studio.actions.declared.film_actions import RenderTimelapse
from studio.actions.declared.import_actions import Import
from studio.actions.declared.nearness_actions import Near
from studio.actions.declared.run_actions import Pause, Set
from studio.actions.declared.specimen_actions import SpecimensStar
from studio.actions.declared.training_actions import Resume, Train
from studio.actions.submission import perform
from studio.runs.events import list_events
from studio.runs.status import summarise_run
from studio.training.loop.session import train_run
from studio.workspace.claims import EXCLUSIVE, READ, WRITE, Claim, InUseError, claiming
from studio.workspace.jobs import list_jobs
from tests.studio.conftest import write_pictures

HOLD = """
import sys
from studio.workspace.claims import Claim, claiming
from studio.workspace.paths import Workspace
with claiming(Workspace.open(sys.argv[1]), [Claim(*sys.argv[2:5])], "studio resume"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hold(workspace):
    """Lets another process hold a claim: its number."""
    holders = []

    def begin(kind, name, mode):
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(workspace.root), kind, name, mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        holders.append(holder)
        assert holder.stdout.readline() == b"held\n"
        return holder.pid

    yield begin
    for holder in holders:
        holder.communicate()


def contents(folder):
    """All files below a folder, with their bytes."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def run(workspace):
    """The name of a run that was trained."""
    return next(iter(CheckpointIndex(workspace.runs)))


@pytest.mark.parametrize("mode", [WRITE, EXCLUSIVE])
def test_whoever_is_refused_touches_nothing_and_is_told_who_holds_it(workspace, run, hold, mode):
    pid = hold("run", run, mode)
    chunk = workspace.live_film(run) / "000000099-open.mp4"
    chunk.parent.mkdir(exist_ok=True)
    chunk.write_bytes(b"a film that is being written")
    before, jobs = contents(workspace.run(run)), list_jobs(workspace)
    events, status = list_events(workspace, run), summarise_run(workspace, run).status
    for action in (
        Resume(run=run, batches=999),
        Train(run=run, dataset="streets"),
        Import(folder=workspace.root, run=run),
        Thin(run=run, every=2),
    ):
        with pytest.raises(InUseError, match=f"process {pid}.*Nothing was changed"):
            perform(workspace, action)
    assert contents(workspace.run(run)) == before
    assert (list_jobs(workspace), list_events(workspace, run)) == (jobs, events)
    assert summarise_run(workspace, run).status == status


def test_a_session_without_the_lock_of_its_run_leaves_the_film_and_the_events(workspace, run):
    chunk = workspace.live_film(run) / "000000099-open.mp4"
    chunk.parent.mkdir(exist_ok=True)
    chunk.write_bytes(b"a film that is being written")
    events = list_events(workspace, run)
    with CheckpointIndex(workspace.runs)[run] as held:
        held.begin_writing()
        with pytest.raises(RunLockedError):
            train_run(workspace, run, lambda *_: None, lambda: False)
    assert chunk.exists()
    assert list_events(workspace, run) == events


def test_nothing_is_thinned_while_it_is_filmed_and_nothing_pinned_while_it_is_thinned(
    workspace, run, hold
):
    batch = CheckpointIndex(workspace.runs)[run].last_batch
    hold("run", run, READ)
    perform(workspace, Pin(run=run, batches=(batch,)))
    with pytest.raises(InUseError):
        perform(workspace, Thin(run=run, every=2))
    with claiming(workspace, [Claim("run", run, WRITE)], "studio resume"):
        perform(workspace, Pin(run=run, batches=(batch,), remove=True))


def test_nothing_is_pinned_filmed_set_starred_or_made_anew_while_checkpoints_go(
    workspace, run, hold
):
    batch = CheckpointIndex(workspace.runs)[run].last_batch
    hold("run", run, EXCLUSIVE)
    for action in (
        Pin(run=run, batches=(batch,)),
        RenderTimelapse(run=run),
        Set(run=run, settings={"learning_rate": 1e-5}),
        Pause(run=run),
        SpecimensStar(run=run, labels=("0.1",)),
        Near(run=run, point="0.1"),
        Reindex(),
    ):
        with pytest.raises(InUseError):
            perform(workspace, action)


def test_one_dataset_is_prepared_once_at_a_time(workspace, hold, tmp_path):
    pictures = write_pictures(tmp_path / "pictures", count=2)
    hold("dataset", "mine", EXCLUSIVE)
    with pytest.raises(InUseError, match="Dataset 'mine' is in use"):
        perform(workspace, DatasetsAdd(folder=pictures, name="mine", image_size=32))
    assert not workspace.dataset("mine").exists()


def test_a_claim_ends_with_its_process(workspace, hold):
    hold("run", "town", EXCLUSIVE)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(workspace.root), "run", "city", EXCLUSIVE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    holder.stdout.readline()
    holder.kill()
    holder.wait()
    began = time.monotonic()
    with claiming(workspace, [Claim("run", "city", EXCLUSIVE)], "studio thin"):
        assert time.monotonic() - began < 5
    holder.stdin.close()
    holder.stdout.close()
