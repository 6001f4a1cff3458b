"""What is kept, verified, thinned, pinned, exported and indexed anew, as outside programs ask."""

import shutil

import pytest
import torch
from safetensors.torch import load_file

from checkpoints_index import CheckpointIndex
from checkpoints_index.storage.catalogue import open_catalogue
from checkpoints_index.storage.segments import RECORD_HEAD_BYTES
from studio.specimens.points import FIXED, points_of
from tests.studio.conftest import BATCHES, TINY

ALL = list(range(1, BATCHES + 1))


def flip(path, offset):
    """Change one byte of a file."""
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


@pytest.fixture
def city(workspace):
    """Opens run `city` as it is now."""
    return lambda: CheckpointIndex(workspace.runs)["city"]


def test_checkpoints_say_how_small_and_how_faithful(studio, workspace):
    found = studio("checkpoints", "city", "--json").json
    plain = CheckpointIndex(workspace.runs)["city"].plain_bytes
    assert found["plain_bytes_per_checkpoint"] == plain
    assert found["ratio"] == pytest.approx(plain / (found["size_bytes"] / BATCHES), abs=0.01)
    bound = "pictures differ by at most 1 of 255 and 0.10 rms on 16 calibration points"
    assert found["promise"] == bound
    assert found["pinned"] == []
    assert found["forecast"] is None  # nothing trains
    assert "times smaller" in studio("checkpoints", "city").out


def test_a_quality_is_the_error_bound_of_a_run(studio, workspace):
    studio("train", "streets", "--run", "rough", "--batches", 2, "--quality", 0.25, *TINY)
    assert "quality = 0.25" in workspace.run_config("rough").read_text()
    bound = CheckpointIndex(workspace.runs)["rough"].error_bound
    assert (bound.rms, bound.largest) == (0.25, 3)
    assert (
        "at most 3 of 255 and 0.25 rms" in studio("checkpoints", "rough", "--json").json["promise"]
    )


def test_exact_storage_keeps_every_bit_and_takes_no_quality(studio):
    words = ("train", "streets", "--batches", 2, "--storage", "exact", *TINY)
    ended = studio(*words, "--run", "a", "--quality", 0.3)
    assert ended.status == 1
    assert "goes with visual storage alone" in ended.err
    ended = studio(*words, "--run", "b")
    assert "Visual storage would take" in ended.err
    assert studio("checkpoints", "b", "--json").json["promise"] == "every bit"


@pytest.mark.parametrize("quality", ["0", "11"])
def test_a_quality_out_of_range_is_a_sentence(studio, quality):
    ended = studio("train", "streets", "--run", "x", "--quality", quality, *TINY)
    assert ended.status == 1
    assert "quality is from 0.01 to 10" in ended.err


def test_training_tells_before_it_begins_what_it_will_take(studio):
    ended = studio("train", "streets", "--run", "x", "--batches", 2, *TINY, "--json")
    assert "2 batches take" in ended.err
    assert ended.json["status"] == "finished"


def test_a_part_of_the_checkpoints_is_verified(studio):
    assert studio("verify", "city", "--subset", "50%", "--json").json["checked"] == BATCHES // 2
    assert studio("verify", "city", "--subset", "0.25", "--json").json["checked"] == BATCHES // 4


@pytest.mark.parametrize("subset", ["0", "101%", "-5%", "half"])
def test_what_is_no_subset_is_wrong_usage(studio, subset):
    ended = studio("verify", "city", "--subset", subset)
    assert ended.status == 2
    assert "Write it as 5% or 0.05" in ended.err


def test_damage_that_can_be_read_around_has_a_status_of_its_own(studio, workspace):
    (path, *_) = sorted((workspace.run("city") / "checkpoints").glob("*.segment"))
    flip(path, 40)  # in the header, of which the table has a copy
    ended = studio("verify", "city", "--json")
    assert ended.status == 3
    assert not ended.json["ok"]
    assert all(damage["readable"] for damage in ended.json["damaged"])
    assert "it can be read another way" in studio("verify", "city").out


def test_a_checkpoint_that_cannot_be_read_back_has_status_1(studio, workspace):
    record = open_catalogue(workspace.runs, "city").records[1]
    for place in range(record.offset + RECORD_HEAD_BYTES, record.end, 40):
        flip(record.path, place)  # More than the parity of the record can bring back.
    ended = studio("verify", "city", "--json")
    assert ended.status == 1
    first = ended.json["damaged"][0]
    assert (first["batch"], first["readable"]) == (1, False)


def test_thinning_keeps_what_somebody_refers_to(studio, city):
    studio("pin", "city", 7)
    studio("specimens", "sample", "city", "--batch", 3, "--count", 1)
    studio("specimens", "export", "city", "0.0", "--at-batch", 8)
    before = {batch: city().weights(batch) for batch in (1, 3, 7, 8, 10, BATCHES)}
    planned = studio("thin", "city", "--every", 10, "--dry-run", "--json").json
    assert city().batches == ALL
    thinned = studio("thin", "city", "--every", 10, "--json").json
    assert city().batches == [1, 3, 7, 8, 10, BATCHES]
    assert (thinned["checkpoints"], thinned["dropped"]) == (6, BATCHES - 6)
    assert planned["dropped"] == thinned["dropped"]
    assert thinned["size_bytes"] < thinned["size_bytes_before"]
    for batch, weights in before.items():
        after = city().weights(batch)
        assert all(torch.equal(after[name], tensor) for name, tensor in weights.items())


def test_a_range_can_be_thinned_alone(studio, city):
    studio("thin", "city", "--every", 4, "--from", 4, "--to", 9)
    assert city().batches == [1, 2, 3, 4, 8, 9, 10, 11, 12]


def test_only_what_is_pinned_can_be_kept(studio, city):
    studio("pin", "city", 5)
    studio("pin", "city", 6)
    studio("pin", "city", 6, "--remove")
    assert studio("checkpoints", "city", "--json").json["pinned"] == [5]
    studio("thin", "city", "--keep-pinned")
    assert city().batches == [1, 5, BATCHES]


def test_a_budget_is_kept(studio, city):
    budget = city().size_bytes * 3 // 4
    told = studio("thin", "city", "--budget", f"{budget} B", "--json").json
    assert told["size_bytes"] == city().size_bytes <= budget
    assert 2 <= len(city().batches) < BATCHES
    ended = studio("thin", "city", "--budget", "1 kB")
    assert ended.status == 1
    assert "too few" in ended.err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--every", "2", "--keep-pinned"],
        ["--budget", "much"],
        ["--every", "1"],
        ["--keep-pinned", "--from", "3"],
    ],
)
def test_what_is_no_rule_to_thin_by_changes_nothing(studio, city, words):
    assert studio("thin", "city", *words).status == 2
    assert city().batches == ALL


def test_a_checkpoint_is_exported_as_plain_tensors(studio, city, workspace, tmp_path):
    out = tmp_path / "G.safetensors"
    assert studio("export-checkpoint", "city", 5, "--out", out, "--json").json["path"] == str(out)
    exported, weights = load_file(out), city().weights(5)
    assert all(torch.equal(exported[name], tensor) for name, tensor in weights.items())
    again = studio("export-checkpoint", "city", 5, "--out", out)
    assert again.status == 1
    assert "is there already" in again.err
    assert studio("export-checkpoint", "city", 5, "--out", out, "--overwrite").status == 0
    studio("export-checkpoint", "city", 6)
    assert workspace.exported_checkpoint("city", 6).is_file()


def test_a_lost_description_and_a_lost_database_are_made_anew(studio, workspace):
    studio("specimens", "sample", "city", "--batch", 5, "--count", 2)
    before = {p.label: p.z for p in points_of(workspace, "city")}
    (workspace.run("city") / "checkpoints" / "generator.json").unlink()
    workspace.database.unlink()
    (lost,) = studio("runs", "--json").json
    assert (lost["name"], lost["status"], lost["checkpoints"]) == ("city", "damaged", 0)
    verified = studio("verify", "--all")
    assert (verified.status, "studio reindex" in verified.out + verified.err) == (1, True)
    (found,) = studio("reindex", "--json").json
    assert (found["run"], found["checkpoints"], found["damaged"]) == ("city", BATCHES, 0)
    assert studio("checkpoints", "city", "--json").json["checkpoints"] == BATCHES
    after = {p.label: p.z for p in points_of(workspace, "city")}
    assert after.keys() == before.keys()
    assert all(torch.equal(after[label], z) for label, z in before.items())
    assert len(points_of(workspace, "city", FIXED)) == 9


def test_a_new_run_of_a_deleted_ones_name_begins_without_its_pins(studio, workspace):
    studio("pin", "city", 5)
    shutil.rmtree(workspace.run("city"))
    studio("train", "streets", "--run", "city", "--batches", 2, *TINY)
    assert studio("checkpoints", "city", "--json").json["pinned"] == []
