'''A workspace that version 0.1.0 made opens, goes on bit for bit, renders, exports and verifies.

`old_workspace.tar.xz` holds that workspace, and in `continued.safetensors` the training state of
run `city` after version 0.1.0 had gone on with a copy of it to batch 15. These commands made them,
from the 24 pictures of `write_pictures` in tests/studio/conftest.py::

    TINY = """--set generator_options={width=0.0625} --set discriminator_width=0.0625
        --set batch_size=4 --set z_dim=16 --set state_every=4 --set fixed_points=4
        --set preview_every=4 --set augmentation=color,translation --set score_every=8
        --set histograms_every=8"""
    studio datasets add pictures --name streets --image-size 32
    studio train streets --run city --batches 8 $TINY
    studio set city learning_rate_g=1e-4
    studio resume city --batches 12
    studio pin city 5
    studio train --from city@8 --run suburb --batches 10 --storage exact
    studio specimens sample city --batch 12 --count 4
    studio specimens star city 12.1 12.3
    studio specimens export city 12.1 --at-batch 8
    studio film city --grid
    studio render timelapse city --points 12.1,12.2 --both --fps 10 --overlay --size 64
    studio atlas city --count 12
    studio render timelapse city --points 1.2.3              # refused: no such point
    studio render timelapse suburb --points seed:1 --crf 0   # killed with SIGKILL as it began
    cp -r workspace copy && studio --workspace copy resume city --batches 15
    tar --sort=name --owner=0 --group=0 -cf - continued.safetensors workspace | xz -9e
'''

import hashlib
import shlex
import shutil
import tarfile
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from checkpoints_index import CheckpointIndex
from renderers.video.video_reader import count_frames
from studio.workspace.jobs import find_job
from studio.workspace.paths import Workspace
from tests.studio.conftest import call_main, run_studio

ARCHIVE = Path(__file__).with_name("old_workspace.tar.xz")
WEIGHTS = {"city": "e2015d92c7239173", "suburb": "842ab8e7ca68f56a"}  # digests of all checkpoints
ARITHMETIC = "7e64ef97375b76ca"  # what `digest_arithmetic` gave where the workspace was made
# Digests of the state at batch 15 as version 0.1.0 itself made it on other processors, whose sums
# of these networks differ although those of `digest_arithmetic` do not: Xeons that have AMX.
ALSO_CONTINUED = ("4522e468276ea4a8",)
THREADS = 2  # of the training then; sums depend on them in their last bits


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The unpacked archive, never to be changed."""
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def old_root(unpacked):
    """The old workspace after the studio of today has looked at it; tests only read from it."""
    root = unpacked.with_name(unpacked.name + "-read") / "workspace"
    shutil.copytree(unpacked / "workspace", root)
    return root


@pytest.fixture
def read(old_root, capsys, monkeypatch):
    """The command line on the old workspace, for commands that change nothing."""
    return lambda *words: run_studio(old_root, words, capsys, monkeypatch)


@pytest.fixture
def copied_root(unpacked, tmp_path):
    """A copy of the old workspace to work on."""
    return Path(shutil.copytree(unpacked / "workspace", tmp_path / "workspace"))


@pytest.fixture
def work(copied_root, capsys, monkeypatch):
    """The command line on the copy."""
    return lambda *words: run_studio(copied_root, words, capsys, monkeypatch)


class Continued(NamedTuple):
    then: dict[str, torch.Tensor]
    now: dict[str, torch.Tensor]
    arithmetic: str  # what `digest_arithmetic` gave


def digest_weights(run) -> str:
    """A digest of all weights of all checkpoints of a run."""
    digest = hashlib.sha256()
    for batch in run.batches:
        weights = run.weights(batch)
        for name in sorted(weights):
            digest.update(f"{batch} {name}".encode())
            digest.update(weights[name].contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def make_numbers(*shape: int) -> torch.Tensor:
    """Numbers in -0.5..0.5 that are the same everywhere."""
    count = int(torch.tensor(shape).prod())
    return ((torch.arange(count) * 7919 % 1009).float() / 1009 - 0.5).reshape(shape)


def digest_arithmetic() -> str:
    """A digest of gradients of a small network: processors of other makes sum in other orders."""
    x = make_numbers(4, 3, 32, 32).requires_grad_()
    down, up = make_numbers(4, 3, 4, 4).requires_grad_(), make_numbers(4, 8, 3, 3).requires_grad_()
    hidden = F.conv2d(x, down, stride=2, padding=1)
    hidden = F.interpolate(F.batch_norm(hidden, None, None, training=True), scale_factor=2)
    F.softplus(F.conv2d(hidden, up.transpose(0, 1).contiguous(), padding=1)).mean().backward()
    gradients = (x.grad, down.grad, up.grad)
    return hashlib.sha256(b"".join(g.numpy().tobytes() for g in gradients)).hexdigest()[:16]


def digest_tensors(tensors: dict[str, torch.Tensor]) -> str:
    """A digest of all their bytes, and of which is which."""
    parts = (name.encode() + tensors[name].numpy().tobytes() for name in sorted(tensors))
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def test_its_runs_are_listed(read):
    city, suburb = read("runs", "--json").json
    assert (city["name"], city["status"], city["checkpoints"]) == ("city", "finished", 12)
    assert (city["first_batch"], city["last_batch"]) == (1, 12)
    assert (suburb["name"], suburb["status"], suburb["checkpoints"]) == ("suburb", "finished", 2)
    assert (suburb["first_batch"], suburb["last_batch"]) == (9, 10)


def test_its_checkpoints_are_described(read):
    city = read("checkpoints", "city", "--json").json
    assert (city["storage"], city["missing"], city["pinned"]) == ("visual", [], [5])
    assert city["promise"].startswith("pictures differ by at most 1 of 255 and 0.10 rms")
    assert read("checkpoints", "suburb", "--json").json["storage"] == "exact"


@pytest.mark.parametrize("run", WEIGHTS)
def test_its_weights_are_read_bit_for_bit(old_root, run):
    assert digest_weights(CheckpointIndex(old_root / "runs")[run]) == WEIGHTS[run]


def test_its_specimens_are_listed_and_starred(read):
    found = read("specimens", "list", "city", "--json").json
    sampled = [specimen for specimen in found if specimen["batch"] == 12]
    assert {specimen["label"] for specimen in sampled} >= {"12.0", "12.1", "12.2", "12.3"}
    assert {specimen["label"] for specimen in found if specimen["starred"]} == {"12.1", "12.3"}
    assert sum(specimen["origin"] == "fixed" for specimen in found) == 4


def test_its_jobs_say_what_they_were_and_how_they_ended(read, old_root):
    jobs = {job["id"]: job for job in read("jobs", "list", "--json").json}
    assert [jobs[number]["status"] for number in range(1, 8)] == ["done"] * 7
    assert jobs[8]["status"] == "failed"
    assert "'1.2.3' is no latent point" in jobs[8]["note"]
    assert jobs[9]["status"] == "interrupted"
    assert [jobs[number]["run"] for number in (3, 4, 9)] == ["city", "suburb", "suburb"]
    resumed = find_job(Workspace.open(old_root), 3)
    assert resumed.text == "studio resume city --batches 12"


def test_its_events_are_told(read):
    told = read("events", "city").out
    assert "learning_rate_g: 0.0002 -> 0.0001" in told
    assert "goes on from the training state of batch 8" in told
    assert "branched off city@8" in read("events", "suburb").out


@pytest.mark.parametrize(("run", "count"), [("city", 12), ("suburb", 2)])
def test_its_checkpoints_verify(read, run, count):
    found = read("verify", run, "--deep", "--json").json
    assert (found["ok"], found["checked"], found["damaged"]) == (True, count, [])


def test_its_film_is_what_its_plan_says(read, old_root):
    (film,) = (old_root / "renders").glob("city-timelapse-*/city-timelapse.mp4")
    verified = read("render", "verify", film)
    assert (verified.status, count_frames(film)) == (0, 12)


def test_its_live_film_is_joined(work, tmp_path):
    out = tmp_path / "live.mp4"
    assert work("film", "city", "--grid", "--out", out).status == 0
    assert count_frames(out) == 12


@pytest.fixture(scope="module")
def continued(unpacked, tmp_path_factory):
    """The tensors of the training state at batch 15: as version 0.1.0 had them, and as of now."""
    root = tmp_path_factory.mktemp("continued") / "workspace"
    shutil.copytree(unpacked / "workspace", root)
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        with pytest.MonkeyPatch.context() as monkeypatch:
            assert call_main(root, ("resume", "city", "--batches", 15), monkeypatch) == 0
        arithmetic = digest_arithmetic()
    finally:
        torch.set_num_threads(before)
    now = load_file(root / "runs" / "city" / "training_state" / "15.safetensors")
    return Continued(load_file(unpacked / "continued.safetensors"), now, arithmetic)


def test_training_goes_on_bit_for_bit(continued):
    if continued.arithmetic != ARITHMETIC:
        pytest.skip("this processor adds in another order than the one that trained then")
    then, now = continued.then, continued.now
    if digest_tensors(now) not in ALSO_CONTINUED:
        assert [name for name in then if not torch.equal(now[name], then[name])] == []


def test_training_goes_on_with_the_same_draws_on_any_processor(continued):
    """Weights move by about 1e-4 in each of the three batches."""
    then, now = continued.then, continued.now
    assert now.keys() == then.keys()
    assert torch.equal(now["rng"], then["rng"])
    for name in then:
        if name.startswith(("G.", "D.", "G_ema.")) and then[name].is_floating_point():
            assert (now[name] - then[name]).abs().mean() < 1e-5, name


def test_a_branch_goes_on(work, copied_root):
    assert work("resume", "suburb", "--batches", 11, "--json").json["batch"] == 11
    assert CheckpointIndex(copied_root / "runs")["suburb"].batches == [9, 10, 11]


def test_films_are_rendered_of_it(work, tmp_path):
    out = tmp_path / "film.mp4"
    words = ("render", "timelapse", "city", "--points", "12.1", "--out", out)
    (video,) = work(*words, "--json").json["videos"]
    assert video["frames"] == count_frames(Path(video["path"])) == 12


def test_the_film_it_has_is_not_rendered_again(work, copied_root):
    """An archive's plan names the folder where it was made; parts and digests hold all the same."""
    words = ("--points", "12.1,12.2", "--both", "--fps", 10, "--overlay", "--size", 64)
    videos = work("render", "timelapse", "city", *words, "--json").json["videos"]
    assert [Path(video["path"]).parent.name for video in videos] == ["city-timelapse-55be4b"] * 3


def test_specimens_are_exported_from_it_and_found_by_their_pictures(work, copied_root, tmp_path):
    (exported,) = work("specimens", "export", "city", "12.3", "--out", tmp_path, "--json").json
    for picture in (exported["path"], copied_root / "exports" / "city" / "city-12.1.jpg"):
        near = work("near", "city", picture, "-k", 2, "--json").json
        assert len(near["neighbours"]) == 2


def test_everything_is_known_again_without_its_database(work, copied_root):
    (copied_root / "studio.db").unlink()
    assert work("reindex").status == 0
    assert [run["checkpoints"] for run in work("runs", "--json").json] == [12, 2]
    labels = {found["label"] for found in work("specimens", "list", "city", "--json").json}
    assert {"12.0", "12.1", "12.2", "12.3"} <= labels


def test_the_film_that_was_interrupted_is_finished_by_its_command(work, copied_root):
    refused = work("jobs", "retry", 9)
    assert refused.status == 1
    told = refused.err.partition("Give its command again: studio ")[2]
    made = work(*shlex.split(told), "--json")
    assert made.status == 0, made.err
    (video,) = made.json["videos"]
    (film,) = (copied_root / "renders").glob("suburb-timelapse-*/*.mp4")
    assert str(film) == video["path"]
    assert count_frames(film) == 2
