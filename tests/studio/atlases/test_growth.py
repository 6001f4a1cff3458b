"""Atlases over training: maps in one frame that stay where they are while the run grows."""

import json

import numpy as np
import pytest
from PIL import Image

from checkpoints_index import CheckpointIndex
from studio.atlases import growth_drawing
from studio.atlases.growth_drawing import GrowthRequest, choose_maps, grow_atlas
from studio.atlases.growth_files import COLUMNS, STABILITY, STRIP, find_growth
from studio.workspace.errors import StudioError
from studio.workspace.progress import SilentReporter

GROW = ("atlas-growth", "city", "--count", 24, "--space", "pictures")


@pytest.fixture
def grown(studio, workspace):
    studio(*GROW, "--batches", "2,5,9")
    return find_growth(workspace, "city")


def test_maps_of_chosen_batches_are_told_and_kept(studio, workspace):
    told = studio(*GROW, "--batches", "2,5,9", "--json").json
    assert told["batches"] == [2, 5, 9]
    assert (told["count"], told["neighbours"], told["new_maps"]) == (24, 15, 3)
    assert told["maps"][0]["moved"] == 0 < told["moved"]
    assert [row["stable_since"] for row in told["maps"]] == [1, 4, 8]
    assert all(0 < row["stable"] <= 1 for row in told["maps"])
    atlas = find_growth(workspace, "city", "pictures")
    for row, drawn in zip(told["maps"], atlas.maps, strict=True):
        assert row["faithful"] == pytest.approx(atlas.read_places(drawn)[:, 2].mean(), abs=1e-3)
    for name in ("path", "stability"):
        with Image.open(told[name]) as picture:
            assert min(picture.size) > 200


def test_a_page_reads_positions_by_pieces_as_the_documentation_says(grown):
    record = json.loads((grown.folder / "growth.json").read_bytes())
    folder = grown.folder / record["maps"][1]["path"]
    with (folder / "places.bin").open("rb") as file:
        file.seek(7 * 4 * len(record["columns"]))
        piece = np.frombuffer(file.read(8), "<f4")
    assert tuple(record["columns"]) == COLUMNS
    assert np.array_equal(piece, grown.read_places(grown.maps[1])[7, :2])
    near = np.frombuffer((folder / "near.bin").read_bytes(), "<i4").reshape(24, -1)
    assert np.array_equal(near, grown.read_near(grown.maps[1]))
    assert (folder / "sprites-00000.jpg").exists()


def test_further_batches_and_points_move_nothing_that_is_there(studio, workspace, grown):
    before = {drawn.batch: grown.read_places(drawn) for drawn in grown.maps}
    told = studio(
        *("atlas-growth", "city", "--space", "pictures", "--count", 30),
        *("--points", "seed:7", "--batches", "7,11", "--json"),
    ).json
    assert told["batches"] == [2, 5, 7, 9, 11]
    assert (told["new_maps"], told["new_points"], told["count"]) == (2, 7, 31)
    assert told["shifted"] == 0
    assert [row["placed"] for row in told["maps"]] == [7, 7, 0, 7, 0]
    atlas = find_growth(workspace, "city")
    assert atlas.labels[:24] == grown.labels
    assert atlas.labels[-1] == "seed:7"
    for drawn in atlas.maps:
        places = atlas.read_places(drawn)
        assert np.isfinite(places).all()
        assert len(places) == 31
        if drawn.batch in before:
            assert np.array_equal(places[:24, :2], before[drawn.batch][:, :2])
    assert sorted(path.name for path in atlas.folder.glob("map-*")) == sorted(
        atlas.folder_of(drawn).name for drawn in atlas.maps
    )
    again = studio("atlas-growth", "city", "--space", "pictures", "--batches", "2", "--json").json
    assert (again["new_maps"], again["new_points"], again["shifted"]) == (0, 0, 0)


def test_how_far_a_point_was_moved_is_measured(grown):
    places = grown.read_places(grown.maps[0])
    assert growth_drawing._measure_shift(grown, grown.maps[0], places) == 0
    places[3, :2] += [0.3, 0.4]
    assert growth_drawing._measure_shift(grown, grown.maps[0], places) == pytest.approx(0.5)


def test_a_drawing_that_is_stopped_goes_on_to_the_same_maps(workspace, monkeypatch, tmp_path):
    asked = GrowthRequest("city", "pictures", 24, batches="2,5,9")
    whole = grow_atlas(workspace, asked, SilentReporter(workspace), "cpu").atlas
    known = [whole.read_places(drawn) for drawn in whole.maps]
    save, saved = growth_drawing.save_growth, []

    def save_two(atlas):
        if len(saved) == 2:
            raise KeyboardInterrupt
        saved.append(atlas)
        save(atlas)

    monkeypatch.setattr(growth_drawing, "save_growth", save_two)
    with pytest.raises(KeyboardInterrupt):
        grow_atlas(
            workspace,
            GrowthRequest("city", "pictures", 24, batches="2,5,9", anew=True),
            SilentReporter(workspace),
            "cpu",
        )
    monkeypatch.undo()
    assert find_growth(workspace, "city").batches == [2, 5]
    gone_on = grow_atlas(workspace, asked, SilentReporter(workspace), "cpu")
    assert gone_on.new_maps == 1
    for drawn, places in zip(gone_on.atlas.maps, known, strict=True):
        assert np.array_equal(gone_on.atlas.read_places(drawn), places)


def test_placing_points_that_is_stopped_leaves_maps_that_can_be_read(
    workspace, grown, monkeypatch, studio
):
    save = growth_drawing.save_growth

    def stop(atlas):
        if any(drawn.count == 30 for drawn in atlas.maps):
            raise KeyboardInterrupt
        save(atlas)

    monkeypatch.setattr(growth_drawing, "save_growth", stop)
    asked = GrowthRequest("city", "pictures", 30)
    with pytest.raises(KeyboardInterrupt):
        grow_atlas(workspace, asked, SilentReporter(workspace), "cpu")
    monkeypatch.undo()
    atlas = find_growth(workspace, "city")
    assert {drawn.count for drawn in atlas.maps} == {24}
    assert [len(atlas.read_places(drawn)) for drawn in atlas.maps] == [24] * 3
    assert "is not finished" in studio("near-since", "city").err
    assert studio("verify", "city", "--json").json["ok"]
    assert grow_atlas(workspace, asked, SilentReporter(workspace), "cpu").shifted == 0


def test_since_when_cities_are_neighbours_is_told(studio, workspace, grown):
    label = grown.labels[3]
    told = studio("near-since", "city", label, "--json").json
    assert [n["label"] for n in told["neighbours"]] == [
        grown.labels[i] for i in grown.read_near(grown.maps[-1])[3]
    ]
    for row in told["neighbours"]:
        number = grown.labels.index(row["label"])
        was = {d.batch: number in grown.read_near(d)[3] for d in grown.maps}
        assert all(was[batch] for batch in grown.batches if batch >= row["since"])
    shares = [row["share"] for row in told["shares"]]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert f"Neighbours of {label}" in studio("near-since", "city", label).out
    assert "is not on the maps" in studio("near-since", "city", "seed:99").err


def test_maps_are_spaced_so_that_as_much_changes_from_each_to_the_next():
    asked = GrowthRequest("city", "pictures", maps=5)
    kept = list(range(1, 101))
    pace = {batch: 10.0 if batch <= 20 else 1.0 for batch in kept}
    pace[1] = 0.0

    def measure(some):
        total = np.cumsum([pace[batch] for batch in kept])
        return np.diff([total[batch - 1] for batch in some], prepend=total[some[0] - 1])

    first = choose_maps(kept[:40], [], asked, measure)
    assert (first[0], first[-1], len(first)) == (1, 40, 5)
    assert sum(batch <= 20 for batch in first) == 4
    more = choose_maps(kept, first, asked, measure)
    assert more[:5] == first
    assert (len(more), more[-1]) == (6, 100)
    assert choose_maps(kept, first, GrowthRequest("city", "z", batches="3,7"), measure) == sorted(
        {*first, 3, 7}
    )
    assert choose_maps([1, 5, 6], [], asked, measure) == [1, 5, 6]
    assert choose_maps(kept[:40], first, asked, measure) == first
    with pytest.raises(StudioError, match="batch 40 has a map and is gone"):
        choose_maps(kept[:39], first, asked, measure)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--count", 20), "24 drawn cities, and 20 were asked for"),
        (("--seed", 3), "drawn with seed 0, not 3"),
        (("--batches", "99"), "no checkpoint 99"),
        (("--points", "no-such"), "no latent point"),
        (("--space", "w"), "no space w"),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_nothing_changes(studio, grown, words, said):
    before = (grown.folder / "growth.json").read_bytes()
    refused = studio("atlas-growth", "city", "--space", "pictures", *words)
    assert refused.status != 0
    assert said in refused.err
    assert (grown.folder / "growth.json").read_bytes() == before


def test_a_run_without_such_an_atlas_says_how_to_draw_it(studio):
    assert "Draw it: studio atlas-growth city" in studio("near-since", "city").err


@pytest.mark.parametrize("name", ["growth.json", "map-000000002-24/places.bin", "z-24.bin"])
def test_damage_is_found_and_a_sentence(studio, workspace, grown, name):
    path = grown.folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    found = studio("verify", "city", "--json").json
    assert [row["file"] for row in found["damaged"]] == [f"renders/{grown.folder.name}/{name}"]
    path.write_bytes(content[:-4])
    refused = studio("atlas-growth", "city", "--space", "pictures", "--batches", "11")
    assert refused.status == 1
    assert "is damaged" in refused.err
    assert "Traceback" not in refused.err


@pytest.mark.parametrize("name", [STRIP, STABILITY])
def test_a_damaged_picture_is_found_and_drawn_again(studio, workspace, grown, name):
    path = grown.folder / name
    content = path.read_bytes()
    path.write_bytes(content[:-20] + b"x" + content[-19:])
    found = studio("verify", "city", "--json").json
    assert [row["file"] for row in found["damaged"]] == [f"renders/{grown.folder.name}/{name}"]
    words = ("--space", grown.space, "--batches", ",".join(str(m.batch) for m in grown.maps))
    assert studio("atlas-growth", "city", *words).status == 0
    assert studio("verify", "city", "--json").json["damaged"] == []
    assert path.read_bytes() == content


def test_it_is_renamed_and_deleted_with_its_run(studio, workspace, grown):
    assert studio("rename", "run", "city", "town").status == 0
    assert find_growth(workspace, "town").run == "town"
    assert studio("verify", "town", "--json").json["ok"]
    assert studio("delete", "run", "town", "--yes").status == 0
    assert not list(workspace.renders.glob("*growth*"))


def test_a_run_grows_and_its_maps_go_on(workspace, grown):
    run = CheckpointIndex(workspace.runs)["city"]
    weights = run.weights(12)
    run.append(13, {name: value * 1.01 for name, value in weights.items()})
    run.flush()
    run.close()
    asked = GrowthRequest("city", "pictures")
    gone_on = grow_atlas(workspace, asked, SilentReporter(workspace), "cpu")
    assert gone_on.atlas.batches == [2, 5, 9, 10, 11, 12, 13]
    assert gone_on.shifted == 0
