"""One flipped byte in anything that belongs to a run is found."""

import json
import sqlite3

import pytest

from studio.upkeep.run_verification import verify_belongings


def flip(path, offset, mask=1):
    """Change one byte of a file."""
    content = bytearray(path.read_bytes())
    content[offset] ^= mask
    path.write_bytes(content)


def state_of(workspace):
    return max(workspace.training_states("city").glob("*.safetensors"))


def chunk_of(workspace):
    return min(workspace.live_film("city").glob("*.json"))


def video_of(workspace):
    return min(workspace.live_film("city").glob("*.mp4"))


FILES = {
    "facts of a state": (state_of, 40),
    "numbers of a state": (state_of, -9),
    "a line of the metrics": (lambda w: w.metrics("city"), 12),
    "the seal of a line": (lambda w: w.metrics("city"), -10),
    "the manifest": (lambda w: w.dataset("streets") / "manifest.json", 14),
    "the pixels": (lambda w: w.dataset("streets") / "pixels.npy", -100),
    "the index of a chunk": (chunk_of, 9),
    "the video of a chunk": (video_of, -50),
}


def test_a_whole_run_has_nothing_to_be_found(workspace):
    assert list(verify_belongings(workspace, "city")) == []


@pytest.mark.parametrize("kind", FILES)
def test_one_flipped_byte_is_found(workspace, kind):
    find, offset = FILES[kind]
    path = find(workspace)
    flip(path, offset)
    (found,) = verify_belongings(workspace, "city")
    assert (workspace.root / found.file, bool(found.reason)) == (path, True)


def test_every_changed_byte_of_a_line_is_found(workspace):
    path = workspace.metrics("city")
    whole = path.read_bytes()
    for offset in range(len(whole.splitlines()[0])):
        flip(path, offset)
        assert [f.reason for f in verify_belongings(workspace, "city")], offset
        path.write_bytes(whole)


def test_a_torn_line_is_no_damage(workspace):
    path = workspace.metrics("city")
    (first, *rest) = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first[:-20] + b"\n" + b"".join(rest) + first[:30])
    assert list(verify_belongings(workspace, "city")) == []


def test_a_changed_point_of_the_database_is_found(workspace):
    with sqlite3.connect(workspace.database) as db:
        (z,) = db.execute("SELECT z FROM specimens WHERE number = 1").fetchone()
        db.execute("UPDATE specimens SET z = ? WHERE number = 1", (bytes([z[0] ^ 1]) + z[1:],))
    (found,) = verify_belongings(workspace, "city")
    assert "0.1" in found.reason


def test_exports_and_finished_films_are_held_against_what_they_were(studio, workspace):
    studio("specimens", "export", "city", "0.1", "--json")
    studio("render", "timelapse", "city", "--points", "0.0", "--json")
    assert list(verify_belongings(workspace, "city")) == []
    picture = next(workspace.specimens("city").glob("*.jpg"))
    content = picture.read_bytes()
    flip(picture, content.index(b'"z": "') + 8)
    record = next(workspace.renders.glob("*/videos.json"))
    film = json.loads(record.read_text())["videos"][0]["path"]
    flip(workspace.root / film, -50)
    found = {workspace.root / f.file for f in verify_belongings(workspace, "city")}
    assert found == {picture, workspace.root / film}


def test_what_has_no_checksum_is_passed_over(workspace):
    manifest = workspace.dataset("streets") / "manifest.json"
    document = json.loads(manifest.read_text())
    del document["digest"], document["xxh3"]
    manifest.write_text(json.dumps(document))
    chunk = chunk_of(workspace)
    document = json.loads(chunk.read_text())
    del document["sha256"], document["checksum"]
    chunk.write_text(json.dumps(document))
    assert list(verify_belongings(workspace, "city")) == []


def test_all_runs_are_verified_at_once(studio, workspace):
    found = studio("verify", "--all", "--json")
    assert (found.status, found.json["ok"], list(found.json["runs"])) == (0, True, ["city"])
    flip(workspace.metrics("city"), 12)
    ended = studio("verify", "--all", "--json")
    (damage,) = ended.json["damaged"]
    assert (ended.status, damage["run"]) == (3, "city")
    assert damage["file"].endswith("metrics.jsonl")
    assert "metrics.jsonl: line 1 has changed" in studio("verify", "city").out
    assert studio("verify").status == studio("verify", "city", "--all").status == 2
