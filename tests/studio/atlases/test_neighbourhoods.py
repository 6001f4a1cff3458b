"""The neighbourhood of one city as a map of its own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from renderers.files import read_json, write_json
from studio.atlases.atlas_files import RECORD, find_atlas, read_atlas
from studio.screens.explore.atlas_view import _title
from studio.specimens.passports import read_passport, save_specimen
from studio.specimens.points import points_of, resolve_point
from studio.upkeep.removal import list_beside


def test_a_neighbourhood_begins_at_its_city_and_none_of_it_is_kept(studio, workspace):
    words = ("atlas", "city", "--around", "seed:7", "--batch", 5, "--count", 30, "--radius", 0.4)
    drawn = studio(*words, "--json").json
    assert (drawn["around"], drawn["count"], drawn["batch"]) == ("seed:7", 30, 5)
    atlas = find_atlas(workspace, "city", 5, "pictures", around="seed:7")
    assert atlas.radius == 0.4
    first = resolve_point(workspace, "city", atlas.labels[0])
    assert torch.equal(first.z, resolve_point(workspace, "city", "seed:7").z)
    assert all(point.label.startswith("0.") for point in points_of(workspace, "city"))
    assert atlas.labels[29] == "around:seed:7:0.4:30:0:29"
    assert (
        studio("locate", "city", atlas.labels[5], "--around", "seed:7", "--json").json["cities"][0][
            "nearest"
        ]
        == atlas.labels[5]
    )
    assert atlas.path.parent in list_beside(workspace, "city")
    assert "around seed:7" in studio(*words, "--seed", 1).out
    assert "around seed:7" in _title(atlas)


def test_its_points_outlive_a_lost_database(studio, workspace):
    studio("atlas", "city", "--around", "seed:7", "--batch", 5, "--count", 12)
    atlas = find_atlas(workspace, "city", 5, "pictures", around="seed:7")
    z = [resolve_point(workspace, "city", label).z for label in atlas.labels]
    workspace.database.unlink()
    assert studio("reindex").status == 0
    again = [resolve_point(workspace, "city", label).z for label in atlas.labels]
    assert all(map(torch.equal, z, again))


def test_a_neighbourhood_that_was_drawn_before_labels_had_rules_is_still_read(studio, workspace):
    studio("atlas", "city", "--around", "seed:7", "--batch", 5, "--count", 12)
    atlas = find_atlas(workspace, "city", 5, "pictures", around="seed:7")
    record = atlas.path.with_name(RECORD)
    old = read_json(record)
    del old["prefix"]
    write_json({**old, "first": 40}, record)
    assert read_atlas(record).labels == [f"5.{number}" for number in range(40, 52)]


def test_the_neighbourhood_of_a_foreign_picture_keeps_that_one_point(studio, workspace, tmp_path):
    words = ("specimens", "export", "city", "seed:5", "--out", str(tmp_path), "--json")
    (made,) = studio(*words).json
    foreign, z = tmp_path / "foreign.jpg", torch.full((16,), 0.5)
    passport = replace(read_passport(Path(made["path"])), label="77.3", run="other", z=z)
    save_specimen(np.zeros((32, 32, 3), np.uint8), foreign, passport, "")
    before = len(points_of(workspace, "city"))
    drawn = studio("atlas", "city", "--around", str(foreign), "--count", 10, "--json").json
    assert torch.equal(resolve_point(workspace, "city", drawn["around"]).z, z)
    assert len(points_of(workspace, "city")) == before + 1


def test_a_radius_out_of_range_and_an_unknown_city_are_sentences(studio):
    assert "--radius 2" in studio("atlas", "city", "--around", "seed:7", "--radius", 2).err
    ended = studio("atlas", "city", "--around", "99.9", "--count", 12)
    assert ended.status == 1
    assert "no specimen 99.9" in ended.err
