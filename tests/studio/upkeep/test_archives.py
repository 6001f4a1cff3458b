import json
import signal
import subprocess
import sys
import zipfile

import pytest
import torch

from checkpoints_index import CheckpointIndex
from checkpoints_index.storage.seals import read_sealed_json, seal_json
from studio.runs.events import list_events
from studio.runs.pins import list_pins, pin_batches
from studio.runs.status import read_config
from studio.specimens.marking import star_specimens
from studio.specimens.points import points_of
from studio.specimens.specimens import list_specimens
from studio.upkeep.archives import archive_as_run
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from tests.checkpoints_index.weights import same

BATCHES = [3, 6, 9]


def same_checkpoints(one, other):
    """Whether two runs give the same weights at the archived batches, bit for bit."""
    return all(same(one.weights(batch), other.weights(batch)) for batch in BATCHES)


@pytest.fixture
def archive(studio, workspace, tmp_path):
    """An archive of three checkpoints as a file."""
    path = tmp_path / "few.zip"
    star_specimens(workspace, "city", ["0.1"])
    pin_batches(workspace, "city", [6, 7])
    said = studio("archive", "city", "--batches", "3:12:3", "--out", path, "--json")
    assert said.json["checkpoints"] == 3
    return path


def test_a_chosen_few_are_a_run_of_their_own_that_can_be_rendered(studio, workspace, tmp_path):
    before = workspace.run("city")
    listed = sorted(path.name for path in before.rglob("*"))
    assert studio("archive", "city", "--batches", "3,6,9", "--run", "few").status == 0
    index = CheckpointIndex(workspace.runs)
    assert index["few"].batches == BATCHES
    assert same_checkpoints(index["city"], index["few"])
    assert workspace.run_config("few").read_bytes() == workspace.run_config("city").read_bytes()
    points = points_of(workspace, "few")
    assert [p.label for p in points] == [p.label for p in points_of(workspace, "city")]
    assert studio("render", "sheet", "few", "--batches", "3,9").status == 0
    assert studio("verify", "few", "--deep").status == 0
    assert sorted(path.name for path in before.rglob("*")) == listed


def test_a_file_comes_back_in_another_workspace_bit_for_bit(
    studio, empty_studio, archive, tmp_path
):
    original = Workspace.open(tmp_path / "workspace")
    other = Workspace.open(tmp_path / "empty")
    assert empty_studio("restore", archive, "--run", "back").status == 0
    assert same_checkpoints(
        CheckpointIndex(original.runs)["city"], CheckpointIndex(other.runs)["back"]
    )
    for one, two in zip(points_of(original, "city"), points_of(other, "back"), strict=True):
        assert one.label == two.label
        assert torch.equal(one.z, two.z)
    assert [s.label for s in list_specimens(other, "back") if s.starred] == ["0.1"]
    assert list_pins(other, "back") == [6]
    assert list_events(other, "back")[0].text == "archived from city: 3 checkpoints"


def test_what_is_pinned_is_archived_by_default(studio, workspace):
    assert "Say which to archive" in studio("archive", "city").err
    studio("pin", "city", "2", "5")
    made = studio("archive", "city", "--json").json
    assert made["path"] == str(workspace.exports / "city" / "city-archive-2-5-2.zip")
    assert "is there already" in studio("archive", "city").err
    assert studio("archive", "city", "--overwrite").status == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--batches", "3,99"], "no checkpoint 99"),
        (["--batches", "3", "--run", "city"], "Run 'city' exists already"),
        (["--batches", "3", "--run", "../out"], "cannot be the name of a run"),
        (["--batches", "3", "--run", "new", "--out", "x.zip"], "Give one of --out and --run"),
    ],
)
def test_what_cannot_be_archived_is_refused_and_nothing_is_written(
    studio, workspace, words, sentence
):
    said = studio("archive", "city", *words)
    assert said.status in (1, 2)
    assert sentence in said.err
    assert list(CheckpointIndex(workspace.runs)) == ["city"]
    assert list(workspace.exports.rglob("*.zip")) == []


def rewrite(path, change, compression=zipfile.ZIP_STORED):
    """Write an archive again, with its members changed by their names."""
    with zipfile.ZipFile(path) as archived:
        members = change({name: archived.read(name) for name in archived.namelist()})
    with zipfile.ZipFile(path, "w", compression) as archived:
        for name, content in members.items():
            archived.writestr(name, content)


def flip(members):
    name = next(name for name in members if name.endswith(".segment"))
    content = bytearray(members[name])
    for place in range(len(content) // 4, len(content), 40):
        content[place] ^= 1  # More than the parity of a record can bring back.
    return {**members, name: bytes(content)}


def renamed(members):
    name = next(name for name in members if name.endswith(".segment"))
    return {**members, "checkpoints/../../evil.segment": members[name]}


def other_facts(**changed):
    def change(members):
        facts = json.loads(members["archive.json"])
        return {**members, "archive.json": json.dumps(facts | changed).encode()}

    return change


def foreign(members):
    described = read_sealed_json(members["checkpoints/generator.json"])
    described["generator"]["architecture"] = "evilmod:G"
    return {**members, "checkpoints/generator.json": seal_json(described)}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (flip, "damaged"),
        (renamed, "other members"),
        (other_facts(batches=[3, 6, 9, 12]), "not those that it lists"),
        (other_facts(points=[{"label": "../x", "origin": "fixed", "z": ""}]), "no latent point"),
        (other_facts(points=[{"label": "1.0", "origin": "fixed", "z": "AAAA"}]), "damaged"),
        (other_facts(batches=[1e999]), "damaged"),
        (other_facts(points=3), "damaged"),
        (other_facts(points=[{"label": f"{2**64}.0", "origin": "", "z": ""}]), "no latent point"),
        (other_facts(version=2), "version 2 is not known here"),
        (lambda members: {**members, "archive.json": b"[" * 10_000}, "damaged"),
        (lambda members: {**members, "run.toml": b"batches = -1"}, "batches"),
        (foreign, "would be imported. Where you trust it"),
    ],
)
def test_a_changed_archive_is_refused_and_leaves_nothing(
    empty_studio, archive, change, sentence, empty_workspace
):
    rewrite(archive, change)
    said = empty_studio("restore", archive)
    assert said.status == 1
    assert sentence in " ".join(said.err.split())
    assert list(CheckpointIndex(empty_workspace.runs)) == []
    assert list(empty_workspace.runs.iterdir()) == []
    assert list(empty_workspace.exports.iterdir()) == []


def test_an_archive_that_is_imported_is_explained(empty_studio, archive):
    said = empty_studio("import", archive, "--run", "back")
    assert said.status == 1
    assert f"studio restore {archive} --run back" in said.err


def test_a_compressed_archive_or_another_file_is_none(empty_studio, archive, tmp_path):
    rewrite(archive, dict, zipfile.ZIP_DEFLATED)
    assert "other members" in empty_studio("restore", archive).err
    (tmp_path / "text.zip").write_text("no zip")
    for path in (tmp_path / "text.zip", tmp_path / "absent.zip", tmp_path):
        assert "is no archive of a run" in empty_studio("restore", path).err


def test_settings_of_a_foreign_archive_run_no_command_and_call_nobody(
    empty_studio, empty_workspace, archive
):
    def arm(members):
        unsealed = members["run.toml"].rpartition(b"#")[0]
        armed = unsealed.replace(b'alarm_command = ""', b'alarm_command = "evil"')
        return {**members, "run.toml": armed.replace(b'hook = ""', b'hook = "http://evil.example"')}

    rewrite(archive, arm)
    assert empty_studio("restore", archive).status == 0
    config = read_config(empty_workspace, "city")
    assert (config.alarm_command, config.alarm_webhook) == ("", "")


KILLED = """
import os, signal, sys
from pathlib import Path
from studio.upkeep.archives import archive_as_file, archive_as_run
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace

def die(done, total):
    if done == 2:
        os.kill(os.getpid(), signal.SIGKILL)

workspace = Workspace.open(sys.argv[1])
if os.fork() == 0:
    archive_as_run(workspace, "city", [3, 6, 9], "few", die)
os.wait()
archive_as_file(workspace, "city", [3, 6, 9], Path(sys.argv[2]), die)
"""


@pytest.mark.slow
def test_a_killed_archive_leaves_nothing_half_and_the_same_command_makes_it(
    studio, workspace, tmp_path
):
    path = tmp_path / "few.zip"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(workspace.root), str(path)])
    assert killed.returncode == -signal.SIGKILL
    assert list(CheckpointIndex(workspace.runs)) == ["city"]
    assert not path.exists()
    assert studio("archive", "city", "--batches", "3,6,9", "--run", "few").status == 0
    assert studio("archive", "city", "--batches", "3,6,9", "--out", path).status == 0
    assert same_checkpoints(*(CheckpointIndex(workspace.runs)[name] for name in ("city", "few")))
    assert sorted(p.name for p in workspace.runs.iterdir()) == ["city", "few"]
    assert [p.name for p in tmp_path.glob("*few*")] == ["few.zip"]
    assert list(tmp_path.glob(".few*")) == []


def test_of_two_archives_of_one_name_one_is_refused(workspace):
    path = workspace.run("few")

    def make_one_meanwhile(done, total):
        if done == 1:
            path.mkdir()

    with pytest.raises(EXPECTED_ERRORS, match="few"):
        archive_as_run(workspace, "city", BATCHES, "few", make_one_meanwhile)
    assert list(path.iterdir()) == []
