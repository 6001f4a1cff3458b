"""Composed frames go through ffmpeg, and are looked at as a viewer sees them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from renderers.compositions.arrangement import Rectangle, arrange
from renderers.compositions.composed_frames import ComposedFrame
from renderers.compositions.composition import Composition, frame_size
from renderers.compositions.panel import FilmWords, panel_height
from renderers.errors import RenderError
from renderers.pictures.sheets import INK
from renderers.video.formats import format_of
from renderers.video.frame_encoding import NumberedFrame, encode_composed
from renderers.video.video_reader import read_frames

COLOURS = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200], [200, 200, 60], [60, 200, 200]])
OWED = "© OpenStreetMap contributors, ODbL"
FPS = 10
FRAMES = 200
SMALL = (480, 270)


def words(frames: int = FRAMES, attribution: str = OWED) -> FilmWords:
    return FilmWords("city", attribution, 12_000, frames, FPS)


def flat_points(count: int) -> np.ndarray:
    """Pictures of one colour each, uint8 [count, 16, 16, 3]."""
    colours = COLOURS[np.arange(count) % len(COLOURS)].astype(np.uint8)
    return np.broadcast_to(colours[:, None, None], (count, 16, 16, 3)).copy()


def shown(
    tmp_path, composition: Composition, count: int, positions=(0,), name="film.mkv", said=None
) -> list[np.ndarray]:
    """What a viewer sees at some neighbouring positions."""
    pictures = flat_points(count)

    def frames() -> Iterator[NumberedFrame]:
        for position in positions:
            yield NumberedFrame(position, 5_000, pictures)

    labels = [f"0.{number}" for number in range(count)]
    path = tmp_path / name
    encoder = format_of(path).encoder(threads=1)
    encode_composed(frames(), path, FPS, composition, said or words(), labels, encoder)
    return list(read_frames(path))


def middle(frame: np.ndarray, place: Rectangle) -> list[int]:
    spot = frame[place.y + place.height // 2, place.x + place.width // 2]
    return [int(level) for level in spot]


def lit(frame: np.ndarray, place: Rectangle) -> int:
    """How many pixels of a place are brighter than the ground."""
    spot = frame[place.y : place.y + place.height, place.x : place.x + place.width]
    return int((spot.astype(int).sum(-1) > sum(INK) + 60).sum())


def arranged(composition: Composition, count: int):
    return arrange(
        composition.kind, count, composition.size, 1.0, panel_height(words(), composition.size)
    )


@pytest.mark.parametrize("name", ["film.mp4", "film.mov", "film.mkv", "film.webm"])
@pytest.mark.parametrize("kind", ["grid", "large"])
def test_every_point_is_in_its_place_in_its_colours_with_its_label(tmp_path, kind, name) -> None:
    composition = Composition(SMALL, kind)
    (frame,) = shown(tmp_path, composition, 3, name=name)
    found = arranged(composition, 3)
    assert frame.shape == (270, 480, 3)
    for number, cell in enumerate(found.cells):
        assert np.abs(np.subtract(middle(frame, cell), COLOURS[number])).max() <= 6
    assert all(lit(frame, label) > 10 for label in found.labels)
    assert np.abs(frame[2, 2].astype(int) - INK).max() <= 3
    assert np.abs(frame[-2, -2].astype(int) - INK).max() <= 3


def test_the_ground_is_one_colour_behind_texts_and_between_cells(tmp_path) -> None:
    composition = Composition(SMALL)
    (frame,) = shown(tmp_path, composition, 3, name="film.mp4", said=words(attribution=""))
    panel = arranged(composition, 3).panel
    inside = frame[panel.y + panel.height - 3, panel.x + panel.width // 2].astype(int)
    assert np.abs(inside - frame[1, 1].astype(int)).max() <= 1


@pytest.mark.parametrize("shape", ["1:1", "16:9", "9:16", "4:5"])
def test_the_line_grows_with_the_film_and_the_attribution_comes_at_its_end(tmp_path, shape) -> None:
    composition = Composition(frame_size(shape, 270))
    frames = [shown(tmp_path, composition, 2, [at])[0] for at in (0, 100, 155, 199)]
    panel = arranged(composition, 2).panel
    bright = [int((frame[:, :, 0] > 225).sum(1).max()) for frame in frames]
    assert bright[0] < 0.2 * panel.width
    assert 0.4 * panel.width < bright[1] < 0.6 * panel.width
    assert bright[3] >= panel.width - 4
    before, early, last = (lit(frame, panel) for frame in frames[1:])
    assert abs(early - before) < 20  # Nothing is added until 4 s before the end.
    assert last - early > 100


@pytest.mark.slow
def test_a_part_that_begins_later_goes_on_where_the_one_before_ended(tmp_path) -> None:
    for kind, count in (("strip", 5), ("wipe", 2), ("grid", 4)):
        composition = Composition(SMALL, kind)
        whole = shown(tmp_path, composition, count, range(20, 26))
        later = shown(tmp_path, composition, count, range(23, 26))
        assert all((one == other).all() for one, other in zip(whole[3:], later, strict=True))


def test_a_wipe_shows_one_point_at_the_left_of_its_line_and_the_other_at_its_right(
    tmp_path,
) -> None:
    composition = Composition(SMALL, "wipe")
    cell = arranged(composition, 2).cells[0]
    edges = []
    for frame in shown(tmp_path, composition, 2, range(0, 90, 10)):
        row = frame[cell.y + cell.height // 2, cell.x : cell.x + cell.width].astype(int)
        assert np.abs(row[2] - COLOURS[0]).max() <= 6
        assert np.abs(row[-3] - COLOURS[1]).max() <= 6
        line = np.flatnonzero(row.min(-1) > 200)
        assert 1 <= len(line) <= 4
        edges.append(line.mean() / cell.width)
    assert abs(edges[0] - 0.5) < 0.02
    assert max(edges) > 0.85
    assert min(edges) < 0.15


def test_a_strip_scrolls_evenly_and_comes_round(tmp_path) -> None:
    composition = Composition(SMALL, "strip")
    row = arranged(composition, 5).rows[0]
    step = max(2, int(row.pitch / (2.8 * FPS) + 1) // 2 * 2)
    around = 5 * row.pitch // step if 5 * row.pitch % step == 0 else None
    first, second = shown(tmp_path, composition, 5, (0, 1))
    y = row.window.y + row.cell.height // 2
    assert np.abs(first[y, step:].astype(int) - second[y, :-step]).max() <= 4
    assert (first[y] != second[y]).any()
    if around is not None:
        (again,) = shown(tmp_path, composition, 5, [around])
        assert np.abs(first[y].astype(int) - again[y]).max() <= 4


def test_a_map_shows_one_point_after_the_other_and_lights_it_up(tmp_path) -> None:
    places = ((0.1, 0.1), (0.9, 0.1), (0.5, 0.9))
    composition = Composition(SMALL, "map", places=places, around=((0.5, 0.5), *places))
    found = arranged(composition, 3)
    seen, brightest = [], []
    for frame in shown(tmp_path, composition, 3, range(0, FRAMES, 10)):
        colour = middle(frame, found.cells[0])
        seen.append(int(np.abs(COLOURS[:3] - colour).sum(1).argmin()))
        cell = found.cells[1]
        side = min(cell.width, cell.height)
        grey = frame[cell.y : cell.y + side, cell.x : cell.x + side].sum(-1)
        y, x = np.unravel_index(grey.argmax(), grey.shape)
        brightest.append(int(np.hypot(*(np.array(places) - (x / side, y / side)).T).argmin()))
    assert brightest == seen
    assert seen[0] == 0
    assert {0, 1, 2} == set(seen)
    assert [seen.count(point) for point in (0, 1, 2)] == pytest.approx([20 / 3] * 3, abs=2)


def test_labels_that_have_no_room_are_left_out_of_all_cells() -> None:
    def frame_of(label: str) -> ComposedFrame:
        return ComposedFrame(Composition((1080, 1080)), words(), [label] * 12, (16, 16))

    with_labels, without = frame_of("0.1"), frame_of("a label that is much too long for a cell")
    assert without.filters("yuv420p", 0).count("crop=") == 13  # 12 pictures and the text.
    assert with_labels.filters("yuv420p", 0).count("crop=") == 25


@pytest.mark.parametrize(
    ("kind", "count", "message"),
    [("wipe", 3, "2 points, not 3"), ("strip", 2, "3 to 64 points"), ("grid", 65, "1 to 64")],
)
def test_too_many_or_too_few_points_are_refused(kind, count, message) -> None:
    with pytest.raises(RenderError, match=message):
        Composition(SMALL, kind).require_points(count)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": (1081, 1080)}, "even sides"),
        ({"size": (100, 1080)}, "256 to 4096"),
        ({"kind": "mosaic"}, "no composition 'mosaic'"),
        ({"scaling": "bicubic"}, "no scaling 'bicubic'"),
    ],
)
def test_what_is_no_composition_is_refused(given, message) -> None:
    with pytest.raises(RenderError, match=message):
        Composition(**{"size": SMALL, **given})


def test_a_composition_is_read_as_it_was_written() -> None:
    from dataclasses import asdict
    from json import dumps, loads

    composition = Composition(SMALL, "map", 3, "nearest", ((0.5, 0.25),), ((0.1, 0.2), (0.5, 0.25)))
    assert Composition.from_json(loads(dumps(asdict(composition)))) == composition
