"""One flipped byte in anything that belongs to a run is found."""

import json
import shutil
import sqlite3

import pytest

from checkpoints_index.storage.seals import Seal, check_lines
from studio.datasets.maps.map_places import PLACES, MapPlaces, Window
from studio.runs.metrics import find_changed_lines
from studio.screens.render.film_list import list_films
from studio.training.setup.run_request import RunRequest, choose_settings
from studio.upkeep.removal import list_beside
from studio.upkeep.run_verification import verify_belongings
from tests.studio.conftest import write_pictures


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
    "a setting": (lambda w: w.run_config("city"), 12),
    "the seal of the settings": (lambda w: w.run_config("city"), -3),
}


def test_damaged_places_of_a_dataset_that_was_cut_from_a_map_are_found(workspace):
    folder = workspace.dataset("streets")
    windows = tuple(Window(top, 2, 0, 0) for top in range(3))
    MapPlaces("helsinki", 4.0, 60.2, 24.9, 1e-5, 2e-5, 32, windows).save(folder)
    assert list(verify_belongings(workspace, "city")) == []
    flip(folder / PLACES, 40)
    (found,) = verify_belongings(workspace, "city")
    assert found.file.endswith(f"streets/{PLACES}")
    assert "damaged" in found.reason


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
        assert find_changed_lines(path) == [1], offset
        if offset % 50 == 0:
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
    film = record.parent / json.loads(record.read_text())["videos"][0]["path"]
    flip(film, -50)
    found = {workspace.root / f.file for f in verify_belongings(workspace, "city")}
    assert found == {picture, film}


def test_the_records_of_films_and_atlases_are_held_against_what_was_written(studio, workspace):
    studio("render", "timelapse", "city", "--points", "0.0", "--json")
    studio("film", "city", "--json")
    studio("atlas", "city", "--batch", "1", "--count", "20", "--json")
    records = [path for path in workspace.renders.glob("*/*.json") if path.name != "claim.json"]
    names = {"plan.json", "videos.json", "joined.json", "atlas.json"}
    assert {path.name for path in records} == names
    assert list(verify_belongings(workspace, "city")) == []
    for record in records:
        whole = record.read_bytes()
        for offset in (4, len(whole) // 2, -20):
            flip(record, offset)
            assert [workspace.root / f.file for f in verify_belongings(workspace, "city")] == [
                record
            ]
            record.write_bytes(whole)
    joined = next(workspace.renders.glob("*-live/*-0.0.mp4"))
    flip(joined, -50)
    (found,) = verify_belongings(workspace, "city")
    assert workspace.root / found.file == joined


@pytest.mark.slow
def test_films_and_sheets_of_every_kind_belong_to_their_run(studio, workspace, tmp_path):
    picture = write_pictures(tmp_path / "photos") / "0.png"
    short = ("city", "--seconds", "0.2", "--batch", "12")
    studio("render", "direction", *short, "--points", "0.0")
    studio("render", "path", "city", "1@0.0 -> 12@0.1", "--seconds", "0.2")
    studio("render", "interpolation", *short, "--points", "0.0,0.1")
    studio("directions", "city")
    studio("invert", "city", picture, "--gallery", "100")
    studio("render", "sheet", "city")
    kinds = [path.name.split("-")[1] for path in list_beside(workspace, "city")]
    sheets = ["directions", "inversion", "sheet"]
    films = ["direction", "interpolation", "path"]
    assert sorted(kinds) == sorted([*films, *sheets])
    shown = list_films(workspace, "city")
    assert {film.path.parent for film in shown} == {*list_beside(workspace, "city")}
    assert len([film for film in shown if film.is_sheet]) == len(sheets)
    for film in shown:
        if not film.is_sheet:
            whole = film.path.read_bytes()
            flip(film.path, -50)
            (found,) = verify_belongings(workspace, "city")
            assert workspace.root / found.file == film.path
            film.path.write_bytes(whole)
    studio("delete", "run", "city", "--yes")
    assert not list(workspace.renders.iterdir())


def test_the_name_of_a_film_is_held_against_what_was_written(studio, workspace):
    studio("render", "timelapse", "city", "--points", "0.0")
    (film,) = list_films(workspace, "city")
    studio("rename", "film", film.path.parent.name, "growth")
    name = film.path.with_name("name.json")
    flip(name, name.read_bytes().index(b"growth"))
    (found,) = verify_belongings(workspace, "city")
    assert workspace.root / found.file == name
    assert list_films(workspace, "city")[0].title == "Time-lapse of 0.0"


def test_the_lists_of_what_is_trusted_are_verified(studio, workspace, tmp_path, monkeypatch):
    (tmp_path / "mymodule.py").write_text("")
    monkeypatch.chdir(tmp_path)
    studio("trust", "mymodule:G", "--command", "mail me", "--address", "http://127.0.0.1:9/")
    assert studio("verify", "--all").status == 0
    for path, word in ((workspace.trusted, b"mail"), (workspace.trusted_classes, b"module:G")):
        whole = path.read_bytes()
        flip(path, whole.index(word))
        (damage,) = studio("verify", "--all", "--json").json["damaged"]
        assert workspace.root / damage["file"] == path
        assert "name again" in studio("trust").err
        path.write_bytes(whole)
    assert studio("trust", "--command", "mail me", "--undo").status == 0
    assert studio("verify", "--all").status == 0


def test_exported_checkpoints_archives_and_atlases_are_held_against_their_checksums(
    studio, workspace
):
    studio("export-checkpoint", "city", "4")
    studio("export-checkpoint", "city", "4", "--out", str(workspace.specimens("city") / "G.pt"))
    studio("archive", "city", "--batches", "2,4")
    studio("atlas", "city", "--batch", "1", "--count", "20")
    assert list(verify_belongings(workspace, "city")) == []
    made = [path for path in workspace.specimens("city").iterdir() if path.suffix != ".jpg"]
    assert {path.suffix for path in made} == {".safetensors", ".pt", ".zip"}
    for path in (*made, next(workspace.renders.glob("*-atlas-*/atlas.png"))):
        whole = path.read_bytes()
        flip(path, len(whole) // 2)
        (found,) = verify_belongings(workspace, "city")
        assert (workspace.root / found.file, "checksum" in found.reason) == (path, True)
        path.write_bytes(whole[:30])
        assert [workspace.root / f.file for f in verify_belongings(workspace, "city")] == [path]
        path.write_bytes(whole)


def test_all_that_the_database_holds_is_verified(studio, workspace):
    studio("pin", "city", "3")
    assert studio("verify", "city").status == studio("verify", "--all").status == 0
    with sqlite3.connect(workspace.database) as db:
        db.execute("UPDATE pins SET batch = 4")
    for words in (("city",), ("--all",)):
        found = studio("verify", *words)
        assert (found.status, "row 1 of the table pins has changed" in found.out) == (3, True)


def test_points_that_were_brought_in_are_held_against_their_file(studio, workspace, tmp_path):
    (tmp_path / "mine.json").write_text(json.dumps([[0.5] * 16]))
    assert studio("specimens", "import", "city", str(tmp_path / "mine.json")).status == 0
    assert list(verify_belongings(workspace, "city")) == []
    with sqlite3.connect(workspace.database) as db:
        db.execute("UPDATE specimens SET z = ? WHERE origin = 'imported'", (bytes(64),))
    (found,) = verify_belongings(workspace, "city")
    assert "imported_points.json" in found.reason
    flip(workspace.own_points("city"), 5)
    assert [f.file.rpartition("/")[2] for f in verify_belongings(workspace, "city")] == [
        "imported_points.json"
    ]


def test_an_edited_file_is_refused_until_its_owner_accepts_it(studio, workspace):
    config = workspace.run_config("city")
    edited = config.read_text().replace("batches = 12", "batches = 14")
    config.write_text(edited)
    (found,) = verify_belongings(workspace, "city")
    assert (found.file, found.reason) == (
        "runs/city/run.toml",
        "it was edited or damaged since the studio wrote it",
    )
    refused = studio("resume", "city")
    assert refused.status == 1
    assert f"{config} was edited or damaged" in refused.err
    assert "delete its last line, and" in refused.err
    assert studio("runs", "--json").json[0]["status"] == "damaged"
    assert studio("archive", "city", "--batches", "1").status == 1
    config.write_text(edited.rpartition("#")[0])
    resumed = studio("resume", "city", "--json")
    assert resumed.json == {"run": "city", "status": "finished", "batch": 14}
    assert check_lines(config.read_bytes()) is Seal.WHOLE  # It is sealed as it is now.
    assert config.read_text().count("delete the line below") == 1

    manifest = workspace.dataset("streets") / "manifest.json"
    edited = manifest.read_text().replace('"attribution": ""', '"attribution": "mine"')
    manifest.write_text(edited)
    refused = studio("train", "streets", "--run", "next", "--preset", "none")
    assert refused.status == 1
    assert f"{manifest} was edited or damaged" in refused.err
    manifest.write_text(edited.rpartition(",")[0] + "}")
    assert "mine" in studio("datasets", "list", "--json").out
    assert list(verify_belongings(workspace, "city")) == []


def test_a_copy_of_the_settings_may_be_edited_and_trained_with(workspace, tmp_path):
    config = workspace.run_config("city")
    copy = tmp_path / "mine.toml"
    copy.write_text(config.read_text().replace("seed = 0", "seed = 7"))
    wanted = RunRequest("streets", copy, None, {})
    assert choose_settings(workspace, wanted).seed == 7


def test_what_has_no_checksum_is_passed_over(workspace):
    manifest = workspace.dataset("streets") / "manifest.json"
    document = json.loads(manifest.read_text())
    del document["digest"], document["xxh3"]
    manifest.write_text(json.dumps(document))
    chunk = chunk_of(workspace)
    document = json.loads(chunk.read_text())
    del document["sha256"], document["checksum"]
    chunk.write_text(json.dumps(document))
    config = workspace.run_config("city")
    config.write_text(config.read_text().rpartition("#")[0])
    assert list(verify_belongings(workspace, "city")) == []


def test_a_run_that_lost_its_description_or_all_checkpoints_is_missed_by_nobody(studio, workspace):
    shutil.copytree(workspace.run("city"), workspace.run("town"))
    description = workspace.run("city") / "checkpoints" / "generator.json"
    description.unlink()
    city, town = studio("runs", "--json").json
    assert (city["name"], city["status"], town["checkpoints"]) == ("city", "damaged", 12)
    assert "studio reindex" in city["reason"]
    assert "'city' cannot be opened" in studio("runs").err.replace("\n", " ")
    assert "exists already" in studio("train", "streets", "--run", "city", "--batches", "1").err
    shutil.rmtree(workspace.run("town") / "checkpoints")
    ended = studio("verify", "--all")
    assert ended.status != 0
    told = " ".join((ended.out + ended.err).split())
    assert "Run 'city' cannot be opened: generator.json" in told
    assert "Run 'town' has its settings and no checkpoints any more" in told
    studio("reindex")
    assert studio("runs", "--json").json[0]["status"] == "finished"


def test_a_run_whose_folder_is_gone_is_missed_and_can_be_let_go(studio, workspace):
    shutil.rmtree(workspace.run("city"))
    missed = studio("verify", "--all")
    assert missed.status != 0
    told = " ".join((missed.out + missed.err).split())
    assert "Run 'city' has its specimens and no checkpoints any more" in told
    assert "studio delete run city" in told
    assert studio("delete", "run", "city", "--yes").status == 0
    assert "'city'" not in studio("verify", "--all").err
    assert studio("delete", "run", "city", "--yes").status != 0


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
