"""The files of an atlas: what a page reads, what an old version wrote, what is damaged."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.atlases.atlas_files import (
    COLUMNS,
    find_atlas,
    join_columns,
    list_atlases,
    read_atlas,
    read_points_file,
)
from studio.atlases.sprites import (
    PER_ROW,
    SpriteSheets,
    order_slots,
    read_sprites,
    sheet_paths,
)
from studio.workspace.errors import StudioError


@pytest.fixture
def drawn(studio, workspace):
    studio("atlas", "city", "--batch", 5, "--count", 40)
    (atlas,) = list_atlases(workspace, "city")
    return atlas


def test_an_atlas_is_read_as_it_was_drawn(drawn):
    assert (drawn.batch, drawn.space, drawn.count, drawn.around) == (5, "pictures", 40, None)
    assert drawn.labels[:2] == ["5.0", "5.1"]
    assert drawn.coordinates.shape == (40, 2)
    assert (drawn.coordinates.min(), drawn.coordinates.max()) == (0, 1)
    assert len({tuple(cell) for cell in drawn.cells}) == 40
    assert drawn.trust.measured == 40
    assert drawn.points[:, COLUMNS.index("faithful")].mean() == pytest.approx(
        drawn.trust.faithful, abs=0.1
    )
    row, column = drawn.cells[7]
    assert drawn.specimen_at(column * drawn.cell_px + 5, row * drawn.cell_px + 5) == "5.7"


def test_specimens_from_all_over_an_atlas_are_exported_once_and_starred(drawn, studio):
    far = drawn.far_apart(3)
    places = drawn.coordinates[[int(label.removeprefix("5.")) for label in far]]
    gaps = [np.linalg.norm(places[i] - places[j]) for i in range(3) for j in range(i)]
    assert len({*drawn.far_apart(99)}) == 40
    assert min(gaps) > 0.4
    made = studio("specimens", "spread", "city", "--count", 3, "--json").json
    assert [(each["label"], each["starred"]) for each in made] == [(label, True) for label in far]
    paths = [Path(each["path"]) for each in made]
    written = [path.stat().st_mtime_ns for path in paths]
    studio("specimens", "spread", "city", "--count", 3)
    assert [path.stat().st_mtime_ns for path in paths] == written
    refused = studio("specimens", "spread", "city", "--batch", 7)
    assert refused.status == 1
    assert "no such atlas" in refused.err


def test_a_page_reads_the_points_by_pieces_as_the_documentation_says(drawn):
    record = json.loads(drawn.path.with_name("atlas.json").read_bytes())
    columns = record["points"]["columns"]
    with drawn.path.with_name(record["points"]["path"]).open("rb") as file:
        file.seek(7 * 4 * len(columns))
        piece = np.frombuffer(file.read(4 * len(columns)), "<f4")
    assert np.array_equal(piece, drawn.points[7])
    assert columns[:2] == ["x", "y"]
    assert not drawn.path.with_name("first-view.bin").exists()


def test_thumbnails_show_the_cities_of_the_picture(drawn):
    sprites = list(read_sprites(drawn.path.parent, drawn.sprite_px, drawn.slots))
    assert len(sprites) == 40
    picture = np.asarray(Image.open(drawn.path))
    row, column = drawn.cells[39] * drawn.cell_px + 2
    shown = picture[row : row + 32, column : column + 32].astype(int)
    assert np.abs(sprites[39].astype(int) - shown).mean() < 12  # JPEG


def test_sheets_of_a_larger_atlas_go_and_order_is_kept(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (2100, 1, 1, 3), np.uint8)
    frames = np.broadcast_to(frames, (2100, 8, 8, 3))
    for count in (2100, 70):
        sheets = SpriteSheets(tmp_path, 8)
        sheets.add(frames[: count // 2])
        sheets.add(frames[count // 2 : count])
        sheets.close()
        assert len(sheet_paths(tmp_path)) == -(-count // PER_ROW**2)
        sprites = list(read_sprites(tmp_path, 8, np.arange(count)))
        assert len(sprites) == count
        assert [path.name for path in tmp_path.glob(".*")] == []
        means = np.array([sprite.mean() for sprite in sprites])
        true = np.array([frame.mean() for frame in frames[:count]])
        assert np.corrcoef(means, true)[0, 1] > 0.9


def test_slots_keep_neighbours_together_and_the_first_sheet_anywhere():
    places = np.random.default_rng(0).random((6000, 2))
    order = order_slots(places)
    assert np.array_equal(np.sort(order), np.arange(6000))
    assert np.array_equal(order[:1024], np.arange(1024))
    slots = np.empty(6000, int)
    slots[order] = np.arange(6000)
    near = np.abs(places - [0.3, 0.6]).max(1) < 0.05
    assert len(set(slots[near] // 1024)) <= 3  # The first, and hardly more than one of the others.


def test_an_atlas_of_many_cities_has_each_picture_in_its_slot(tmp_path):
    count = 2100
    frames = np.random.default_rng(1).integers(0, 255, (count, 1, 1, 3), np.uint8)
    sheets = SpriteSheets(tmp_path, 8)
    sheets.add(np.broadcast_to(frames, (count, 8, 8, 3)))
    order = order_slots(np.random.default_rng(2).random((count, 2)))
    sheets.close(order)
    slots = join_columns(np.zeros((count, 2)), np.zeros((count, 2)), order=order)[:, -1]
    means = [sprite.mean() for sprite in read_sprites(tmp_path, 8, slots.astype(int))]
    assert np.corrcoef(means, frames.mean((1, 2, 3)))[0, 1] > 0.9


def test_an_atlas_without_slots_has_them_in_the_order_of_its_points(drawn):
    points = drawn.path.with_name("points.bin")
    points.write_bytes(np.ascontiguousarray(drawn.points[:, :7], "<f4").tobytes())
    old = read_points_file(points, 40)
    assert np.array_equal(old[:, :7], drawn.points[:, :7])
    assert np.array_equal(old[:, 7], np.arange(40))


def test_an_atlas_of_version_0_1_is_read_without_its_trust(drawn, workspace):
    old = {
        "run": "city",
        "batch": 5,
        "space": "pictures",
        "count": 3,
        "neighbours_kept": 0.5,
        "neighbours_by_chance": 0.1,
        "cell_px": 36,
        "labels": ["5.0", "5.1", "5.2"],
        "coordinates": [[0, 0], [1, 1], [0.5, 0.5]],
        "cells": [[1, 0], [0, 1], [1, 1]],
        "path": "atlas.png",
    }
    drawn.path.with_name("atlas.json").write_text(json.dumps(old))
    (atlas,) = list_atlases(workspace, "city")
    assert atlas.trust is None
    assert atlas.specimen_at(40, 3) == "5.1"
    assert atlas.coordinates[2].tolist() == [0.5, 0.5]


@pytest.mark.parametrize("name", ["atlas.json", "points.bin"])
def test_a_damaged_atlas_is_a_sentence(drawn, name):
    path = drawn.path.with_name(name)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(StudioError, match=r"[Dd]raw the atlas (anew|again)"):
        _ = read_atlas(drawn.path.with_name("atlas.json")).points


def test_an_atlas_that_was_not_drawn_is_a_sentence_that_lists_those_that_were(drawn, workspace):
    assert find_atlas(workspace, "city", None, None).batch == 5
    with pytest.raises(StudioError, match="Drawn: batch 5 by pictures"):
        find_atlas(workspace, "city", 5, "z")


def test_every_space_has_its_atlas_and_activations_say_what_they_keep(studio):
    drawn = studio("atlas", "city", "--count", 20, "--space", "activations", "--json").json
    assert 0 < drawn["variance_kept"] <= 1
    told = studio("atlas", "city", "--count", 20, "--space", "z")
    assert "of this map is UMAP's" in told.out or "has structure" in told.out
