"""Films of an atlas over training."""

import imageio.v3 as iio
import numpy as np
import pytest

from renderers.video.video_reader import count_frames
from studio.atlases.growth_pictures import lay_in_frames, picture_size


@pytest.fixture
def film(studio, tmp_path):
    studio("atlas-growth", "city", "--count", 20, "--space", "pictures", "--batches", "2,5,9")

    def render(*words):
        out = tmp_path / "growth.mp4"
        return studio(
            *("render", "atlas-growth", "city", "--fps", 10, "--seconds", 1, "--size", 216),
            *("--out", out, "--overwrite", *words),
        ), out

    return render


def test_a_film_has_a_frame_for_each_moment_and_cities_move_on_it(film):
    made, out = film("--json")
    assert [row["frames"] for row in made.json["videos"]] == [10]
    frames = iio.imread(out, plugin="FFMPEG")
    assert frames.shape == (10, 216, 216, 3)
    assert count_frames(out) == 10
    light = frames.astype(int).max(3) > 60
    assert 0.01 < light[0].mean() < 0.6  # Cities lie on a dark ground, and leave room.
    moved = np.abs(np.diff(frames.astype(int), axis=0)).mean((1, 2, 3))
    assert moved.min() > 0.1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--seconds", "0.2"), "2 frames has no room for 3 maps"),
        (("--crop", "10x10+0+0"), "single pictures"),
        (("--show", "label"), "a map shows many"),
        (("--space", "z"), "no atlas over training by z"),
    ],
)
def test_what_cannot_be_filmed_is_refused(film, words, said):
    refused, out = film(*words)
    assert refused.status != 0
    assert said in refused.err
    assert not out.exists()


def test_pictures_are_neither_crowded_nor_enlarged():
    assert picture_size(10, 1000, 64) == 64
    assert picture_size(400, 1000, 64) == 28
    places = np.random.default_rng(0).normal(size=(3, 400, 2)).astype(np.float32)
    laid = lay_in_frames(places, 1000, 28)
    apart = np.linalg.norm(laid[0][:, None] - laid[0][None], axis=2) + 1e3 * np.eye(400)
    assert np.quantile(apart.min(1), 0.05) > 28
    assert laid.min() >= 30 + 14 - 0.01  # The margin, and half of a picture.
    assert laid.max() <= 1000 - 44 + 0.01
