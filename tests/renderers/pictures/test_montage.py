from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from latent.points import seeded_point
from renderers.errors import RenderError
from renderers.frames.frame_renderer import render_frames
from renderers.pictures.montage import render_montage
from renderers.pictures.sheets import PAPER
from tests.renderers.tiny import (
    Z_DIM,
    GreySource,
    GrowingSource,
    UnreadableSourceError,
    level_of,
    two_points,
)


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def many_points(count: int):
    return [seeded_point(seed, Z_DIM) for seed in range(count)]


def centres_of(sheet: np.ndarray, colour: int) -> np.ndarray:
    """Row and column of the middle of a flat grey picture."""
    return np.argwhere((sheet == colour).all(2)).mean(0).round()


def test_a_cross_has_points_down_and_batches_across(tmp_path) -> None:
    points, batches = two_points(), [0, 7, 20]
    drawn = render_montage(GrowingSource(), points, batches, tmp_path / "a.png", scale=1)
    assert (drawn.path, drawn.rows, drawn.columns) == (tmp_path / "a.png", 2, 3)
    sheet = read(drawn.path)
    z = torch.stack([point.z for point in points])
    places = []
    for _, G in GrowingSource().stream(batches, "cpu"):
        for frame in render_frames(G, z):
            windows = np.lib.stride_tricks.sliding_window_view(sheet, frame.shape)[:, :, 0]
            places.append(np.argwhere((windows == frame).all((2, 3, 4)))[0].tolist())
    (y0, y1), (x0, x1, x2) = sorted({y for y, _ in places}), sorted({x for _, x in places})
    assert places == [[y0, x0], [y1, x0], [y0, x1], [y1, x1], [y0, x2], [y1, x2]]


def test_one_point_over_few_batches_is_a_strip_and_over_many_a_sheet(tmp_path) -> None:
    point = two_points()[:1]
    strip = render_montage(GreySource(), point, [3, 5, 9], tmp_path / "strip.png")
    assert (strip.rows, strip.columns) == (1, 3)
    picture = read(strip.path)
    middles = [centres_of(picture, level_of(batch)) for batch in (3, 5, 9)]
    assert len({y for y, _ in middles}) == 1
    assert middles[0][1] < middles[1][1] < middles[2][1]

    sheet = render_montage(GreySource(), point, range(1, 31), tmp_path / "sheet.png")
    assert (sheet.rows, sheet.columns) == (5, 6)
    narrow = render_montage(GreySource(), point, range(1, 31), tmp_path / "n.png", columns=4)
    assert (narrow.rows, narrow.columns) == (8, 4)


def test_many_points_at_one_batch_are_a_sheet(tmp_path) -> None:
    drawn = render_montage(GrowingSource(), many_points(70), [5], tmp_path / "a.jpg")
    assert (drawn.rows, drawn.columns) == (8, 9)
    assert Image.open(drawn.path).format == "JPEG"
    last_row = read(drawn.path)[-150:]
    assert (last_row[:100, :1200].std(0) > 5).mean() > 0.5  # seven pictures, then paper
    assert abs(last_row[:, 1200:].astype(int) - PAPER).max() < 5


@pytest.mark.parametrize(
    ("side", "scale", "shown"),
    [(16, None, 128), (60, None, 120), (200, None, 200), (700, None, 256), (700, 1, 700)],
)
def test_small_pictures_are_enlarged_and_large_ones_made_smaller(
    tmp_path, side, scale, shown
) -> None:
    source = GreySource(side, side)
    sheet = read(
        render_montage(source, two_points()[:1], [3], tmp_path / "a.png", scale=scale).path
    )
    assert (sheet == level_of(3)).all(2).sum() == shown * shown


def test_title_and_footer_have_room_of_their_own(tmp_path) -> None:
    def draw(name: str, **words: str) -> np.ndarray:
        return read(
            render_montage(GreySource(), two_points(), [3, 5], tmp_path / name, **words).path
        )

    plain = draw("plain.png")
    titled = draw("titled.png", title="city · batches 3 to 5", footer="© " + "W" * 40)
    assert titled.shape[1] > plain.shape[1]
    extra = titled.shape[0] - plain.shape[0]
    first_pixel = np.argwhere((titled == level_of(3)).all(2)).min(0)[0]
    last_pixel = np.argwhere((titled == level_of(3)).all(2)).max(0)[0]
    assert extra > 20
    assert titled[: extra // 2].min() < 150
    assert titled[last_pixel + 1 :].min() < 150
    assert first_pixel - np.argwhere((plain == level_of(3)).all(2)).min(0)[0] > 10


def test_progress_counts_pictures_up_to_all(tmp_path) -> None:
    reports: list[tuple[int, int]] = []
    render_montage(
        GreySource(),
        two_points(),
        range(3),
        tmp_path / "a.png",
        on_progress=lambda done, total, note="": reports.append((done, total)),
    )
    assert reports == [(done, 6) for done in range(1, 7)]


def test_a_sheet_that_nobody_could_look_at_is_refused_after_the_first_picture(tmp_path) -> None:
    log = tmp_path / "passes.log"
    reports: list[int] = []
    with pytest.raises(RenderError, match=r"20,000 x 2 pictures would have .* smaller scale"):
        render_montage(
            GrowingSource(log=log),
            two_points(),
            range(20_000),
            tmp_path / "a.png",
            on_progress=lambda done, total, note="": reports.append(done),
        )
    assert reports == []
    assert [path.name for path in tmp_path.iterdir()] == ["passes.log"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"columns": 3}, "A number of columns needs a sheet of one point or of one batch"),
        ({"batches": [3], "columns": 0}, "0 columns has no room"),
        ({"scale": 0}, "Scale 0 is out of range: use 1 to 64"),
        ({"batches": []}, "Nothing to draw: 2 points and 0 checkpoints"),
        ({"name": "a.bmp"}, r"Cannot write 'a\.bmp': its name must end in \.png"),
        ({"name": "file/a.png"}, "Cannot write"),
    ],
)
def test_what_cannot_be_drawn_is_told(tmp_path, options, sentence) -> None:
    (tmp_path / "file").touch()
    batches, name = options.pop("batches", [1, 2]), options.pop("name", "a.png")
    with pytest.raises(RenderError, match=sentence):
        render_montage(GreySource(), two_points(), batches, tmp_path / name, **options)


def test_a_failure_half_way_leaves_the_sheet_that_was_there(tmp_path) -> None:
    path = tmp_path / "a.png"
    render_montage(GreySource(), two_points(), [1, 2], path)
    before = path.read_bytes()
    with pytest.raises(UnreadableSourceError, match="checkpoint 2 is damaged"):
        render_montage(GrowingSource(damaged=2), two_points(), [1, 2], path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
