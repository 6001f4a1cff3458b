"""Specimens are tagged, rated and annotated, and found by it."""

import pytest
import torch

from studio.specimens.points import points_of, resolve_point, resolve_points
from studio.specimens.specimens import list_specimens
from studio.workspace.errors import StudioError
from studio.workspace.marks import read_marks


@pytest.fixture
def marked(studio):
    for words in (
        ["specimens", "sample", "city", "--batch", "3", "--count", "3"],
        ["rename", "specimen", "city", "3.2", "Alder"],
        ["rename", "specimen", "city", "3.0", "Old harbour"],
        ["specimens", "mark", "city", "3.0", "3.1", "--tag", "River,Old town"],
        ["specimens", "mark", "city", "3.1", "5.7", "--rating", "3", "--note", "BRIDGES at night"],
        ["specimens", "mark", "city", "3.2", "--rating", "5"],
        ["specimens", "star", "city", "3.1"],
    ):
        assert studio(*words).status == 0, words
    return studio


def listed(studio, *words):
    return [row["label"] for row in studio("specimens", "list", "city", *words, "--json").json]


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        (["--tag", "river"], ["3.1", "3.0"]),
        (["--tag", "RIVER,old town", "--sort", "batch"], ["3.0", "3.1"]),
        (["--tag", "river,coast"], []),
        (["--search", "bridges"], ["3.1", "5.7"]),
        (["--search", "HARBOUR"], ["3.0"]),
        (["--search", "old t"], ["3.1", "3.0"]),
        (["--starred"], ["3.1"]),
        (["--rating", "3", "--sort", "rating"], ["3.2", "3.1", "5.7"]),
        (["--origin", "sampled", "--sort", "name"], ["3.2", "3.0", "3.1", "5.7"]),
        (["--origin", "imported"], []),
    ],
)
def test_specimens_are_found_by_what_was_said_of_them(marked, words, labels):
    assert listed(marked, *words) == labels
    assert listed(marked, "--sort", "created")[0] == "5.7"


def test_a_mark_says_what_the_specimens_have_now(marked, workspace):
    (row,) = marked("specimens", "mark", "city", "Old harbour", "--untag", "river", "--json").json
    assert (row["label"], row["tags"], row["name"]) == ("3.0", ["old town"], "Old harbour")
    said = marked("specimens", "mark", "city", "tag:old town", "--note", "", "--rating", "0")
    assert said.status == 0
    assert {s.label: (s.note, s.rating) for s in list_specimens(workspace, "city")}["3.1"] == (
        "",
        0,
    )
    assert "3.1" not in read_marks(workspace, "city").notes


def test_a_city_that_was_looked_at_is_kept_by_a_mark_and_not_by_taking_one_away(marked, workspace):
    assert "5.7" in {point.label for point in points_of(workspace, "city")}
    for words in (["--untag", "river"], ["--rating", "0"], ["--note", " "]):
        told = marked("specimens", "mark", "city", "5.9", *words)
        assert (told.status, "no specimen that run 'city' keeps" in told.err) == (1, True)
    assert "5.9" not in {s.label for s in list_specimens(workspace, "city")}


def test_a_tag_stands_for_its_specimens_wherever_points_are_asked_for(marked, workspace):
    workspace = workspace
    points = resolve_points(workspace, "city", ["tag:RIVER", "seed:1"])
    assert [point.label for point in points] == ["3.0", "3.1", "seed:1"]
    with pytest.raises(StudioError, match="names several points"):
        resolve_point(workspace, "city", "tag:river")
    with pytest.raises(StudioError, match=r"has the tag 'lake'\. Known: old town, river"):
        resolve_points(workspace, "city", ["tag:lake"])
    made = marked("render", "timelapse", "city", "--points", "tag:river", "--json").json
    assert [video["label"] for video in made["videos"]] == ["3.0", "3.1"]
    assert marked("specimens", "star", "city", "tag:river", "--undo").status == 0
    assert listed(marked, "--starred") == []


@pytest.mark.slow
def test_a_direction_is_learnt_from_tags(marked):
    numbers = ["specimens", "sample", "city", "--batch", "4", "--count", "6"]
    assert marked(*numbers).status == 0
    lake = [f"4.{n}" for n in range(4)]
    assert marked("specimens", "mark", "city", *lake, "--tag", "lake").status == 0
    assert (
        marked("specimens", "mark", "city", "4.4", "4.5", "3.2", "3.0", "--tag", "dry").status == 0
    )
    common = ["--method", "examples", "--compared", "0", "--json"]
    by_tag = marked("directions", "city", "--with", "tag:lake", "--without", "tag:dry", *common)
    dry = "3.0,3.2,4.4,4.5"
    by_label = marked("directions", "city", "--with", ",".join(lake), "--without", dry, *common)
    assert by_tag.status == by_label.status == 0, by_tag.err
    assert by_tag.json["directions"][0]["z"] == by_label.json["directions"][0]["z"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["3.0"], "Say what is marked: --tag, --untag, --note or --rating"),
        (["3.0", "--rating", "6"], "--rating 6 is out of range"),
        (["3.0", "--tag", "a.b"], "'a.b' cannot be a name here"),
        (["3.0", "--tag", "../x"], "'../x' cannot be a name here"),
        (["3.0", "--note", "x" * 2001], "A note of 2,001 characters is too long"),
        (["3.0", "seed:1", "--tag", "x"], "'seed:1' is no specimen that run 'city' keeps"),
        (["3.0", "9999.9", "--tag", "x"], "has no specimen 9999.9"),
        (["3.0", "--tag", ",".join(f"t{n}" for n in range(51))], "the most are 50"),
    ],
)
def test_a_mark_that_cannot_be_is_refused_and_marks_nothing(marked, workspace, words, sentence):
    before = read_marks(workspace, "city")
    told = marked("specimens", "mark", "city", *words)
    assert told.status in (1, 2)
    assert sentence in " ".join(told.err.split())
    assert read_marks(workspace, "city") == before
    assert {s.tags for s in list_specimens(workspace, "city")} == {
        (),
        ("old town", "river"),
    }


def test_marks_go_with_an_archive_and_into_another_run(marked, workspace, tmp_path):
    file = tmp_path / "few.zip"
    assert marked("archive", "city", "--batches", "3,6", "--out", file).status == 0
    assert marked("restore", file, "--run", "back").status == 0
    there = {
        s.label: (s.tags, s.note, s.rating, s.starred) for s in list_specimens(workspace, "back")
    }
    assert there["3.1"] == (("old town", "river"), "BRIDGES at night", 3, True)
    assert there["3.2"] == ((), "", 5, False)


def test_a_note_that_a_terminal_would_obey_is_shown_and_not_obeyed(marked):
    assert marked("specimens", "mark", "city", "3.0", "--note", "a\x1b[31m\nb").status == 0
    shown = marked("specimens", "list", "city")
    assert "\x1b[31m" not in shown.out
    assert "a\\x1b[31m" in shown.out


def test_a_restored_point_is_that_of_the_runs_own_distribution(studio, workspace, tmp_path):
    """Where z is uniform or on a sphere, a label stands for a point of it, kept or not."""
    weights = tmp_path / "files"
    weights.mkdir()
    for batch in (3, 6):
        out = weights / f"G_{batch}.safetensors"
        assert studio("export-checkpoint", "city", str(batch), "--out", out).status == 0
    brought = studio("import", weights, "--run", "sphere", "--z-distribution", "sphere")
    assert brought.status == 0, brought.err
    drawn = resolve_point(workspace, "sphere", "3.5").z
    assert studio("specimens", "mark", "sphere", "3.5", "--rating", "2").status == 0
    assert torch.equal(resolve_point(workspace, "sphere", "3.5").z, drawn)
    assert float(drawn.norm()) == pytest.approx(
        float(resolve_point(workspace, "sphere", "seed:1").z.norm()), rel=1e-4
    )
    workspace.database.unlink()
    assert studio("reindex").status == 0
    assert torch.equal(resolve_point(workspace, "sphere", "3.5").z, drawn)
