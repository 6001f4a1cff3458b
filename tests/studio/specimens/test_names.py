"""A specimen and a film may have a name beside their own, and are found by either."""

import pytest

from renderers.files import read_json
from studio.screens.render.film_list import list_films
from studio.specimens.points import resolve_points
from studio.specimens.specimens import list_specimens


@pytest.fixture
def named(studio):
    assert studio("specimens", "sample", "city", "--batch", "3", "--count", "2").status == 0
    assert studio("rename", "specimen", "city", "3.0", "Old harbour").status == 0
    return studio


def test_a_specimen_is_found_by_its_name_in_any_case_wherever_a_label_is(named, workspace):
    points = resolve_points(workspace, "city", ["old Harbour", "3.0"])
    assert [point.label for point in points] == ["3.0", "3.0"]
    assert named("near", "city", "Old harbour", "-k", "1", "--json").json["point"] == "3.0"
    (exported,) = named("specimens", "export", "city", "Old harbour", "--json").json
    assert exported["label"] == "3.0"
    made = named("render", "timelapse", "city", "--points", "Old harbour", "--json").json
    assert [video["label"] for video in made["videos"]] == ["3.0"]
    listed = {s["label"]: s["name"] for s in named("specimens", "list", "city", "--json").json}
    assert listed["3.0"] == "Old harbour"
    assert not any(name for label, name in listed.items() if label != "3.0")


def test_a_specimen_is_renamed_by_its_name_and_lets_the_former_one_go(named, workspace):
    assert named("rename", "specimen", "city", "Old harbour", "New harbour").status == 0
    assert named("rename", "specimen", "city", "3.1", "Old harbour").status == 0
    names = {s.label: s.name for s in list_specimens(workspace, "city") if s.name}
    assert names == {"3.0": "New harbour", "3.1": "Old harbour"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["3.1", "old HARBOUR"], "Specimen 3.0 of run 'city' has the name 'Old harbour' already"),
        (["3.1", "5.5"], "'5.5' cannot be a name here"),
        (["3.1", "seed:1"], "'seed:1' cannot be a name here"),
        (["3.1", "a,b"], "'a,b' cannot be a name here"),
        (["3.1", "../x"], "'../x' cannot be a name here"),
        (["3.1", "x" * 61], "cannot be a name here"),
        (["99.9", "Square"], "Run 'city' has no specimen 99.9"),
        (["seed:1", "Square"], "'seed:1' is no specimen that run 'city' keeps"),
    ],
)
def test_a_name_that_cannot_be_is_refused(named, words, sentence):
    told = named("rename", "specimen", "city", *words)
    assert told.status == 1
    assert sentence in " ".join(told.err.split())


def test_a_star_for_what_is_not_kept_is_refused_rather_than_forgotten(studio):
    told = studio("specimens", "star", "city", "seed:1")
    assert told.status == 1
    assert "no specimen that run 'city' keeps" in told.err


def test_a_point_of_a_file_keeps_its_name_in_an_archive(named, workspace, tmp_path):
    archived = tmp_path / "few.zip"
    assert named("archive", "city", "--batches", "3,6", "--out", archived).status == 0
    assert named("restore", archived, "--run", "back").status == 0
    assert [s.label for s in list_specimens(workspace, "back") if s.name == "Old harbour"] == [
        "3.0"
    ]
    assert named("rename", "specimen", "back", "Old harbour", "Harbour").status == 0


def test_a_film_is_named_found_by_it_and_rendered_no_second_time(studio, workspace):
    render = ["render", "timelapse", "city", "--points", "seed:1", "--json"]
    (video,) = studio(*render).json["videos"]
    (film,) = list_films(workspace, "city")
    folder = film.path.parent
    assert studio("rename", "film", folder.name, "Growth").status == 0
    assert [film.title for film in list_films(workspace, "city")] == [
        "Growth: Time-lapse of seed:1"
    ]
    made_at = read_json(folder / "videos.json")
    assert studio(*render).json["videos"] == [video]
    assert read_json(folder / "videos.json") == made_at
    assert studio("rename", "run", "city", "town").status == 0
    assert studio("rename", "film", "growth", "City").status == 0
    assert "There is no film 'growth'" in studio("delete", "film", "growth", "--yes").err
    assert studio("delete", "film", "city", "--yes").status == 0
    assert list_films(workspace, "town") == []


def test_two_films_never_share_a_name(studio, workspace):
    for seed in ("seed:1", "seed:2"):
        studio("render", "timelapse", "city", "--points", seed, "--batches", "0:4")
    one, other = (film.path.parent.name for film in list_films(workspace, "city"))
    assert studio("rename", "film", one, "Growth").status == 0
    assert "has the name 'GROWTH'" in studio("rename", "film", other, "GROWTH").err
    assert "cannot be a name" in studio("rename", "film", other, "a/b").err
