"""Films whose pictures are made larger by a run of super-resolution."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from checkpoints_index import CheckpointIndex, GeneratorSpec
from renderers.compositions.composition import Composition
from renderers.frames.passes import round_pictures
from renderers.plan.options import RenderOptions
from renderers.video.video_reader import read_frames
from studio.films.given.enlarged_runs import choose_enlargement
from studio.runs.tools.upscalers import open_upscaler
from studio.specimens.points import resolve_point

OPTIONS = {"z_dim": 3 * 8 * 8, "image_size": 16, "scale": 2, "channels": 16, "kernel": 3}


@pytest.fixture
def enlarging(workspace):
    """The run `large`, which makes pictures twice as wide."""
    spec = GeneratorSpec("shufflemixer", OPTIONS)
    with CheckpointIndex(workspace.runs).create("large", spec, storage="exact") as run:
        for batch in (5, 9):
            torch.manual_seed(batch)
            run.append(batch, spec.build().state_dict())
    return CheckpointIndex(workspace.runs)["large"]


@torch.inference_mode()
def expected(workspace, enlarging, batch, times, crop=None, size=None, upscaler_batch=9):
    """The frame of seed:1, uint8 [H, W, 3]."""
    run = CheckpointIndex(workspace.runs)["city"]
    pictures = run.generator(batch)(resolve_point(workspace, "city", "seed:1").z[None])
    if crop:
        x, y, width, height = crop
        pictures = pictures[:, :, y : y + height, x : x + width]
    network = enlarging.generator(upscaler_batch)
    for _ in range(times):
        pictures = (network.enlarge((pictures + 1) / 2) * 2 - 1).clamp(-1, 1)
    if size:
        pictures = F.interpolate(pictures, size, mode="bicubic", antialias=True)
    return round_pictures(pictures)[0].numpy()


def assert_shows(path, pictures):
    frames = list(read_frames(path))
    assert len(frames) == len(pictures)
    for frame, picture in zip(frames, pictures, strict=True):
        assert frame.shape == picture.shape
        assert np.abs(frame.astype(int) - picture.astype(int)).max() <= 1


@pytest.mark.parametrize(
    ("words", "made"),
    [
        (["--size", "64"], {"times": 1}),
        (["--scale", "3"], {"times": 2, "size": (96, 96)}),
        (["--crop", "16x12+8+4", "--size", "32x24"], {"times": 1, "crop": (8, 4, 16, 12)}),
    ],
    ids=["size", "scale", "crop"],
)
def test_a_time_lapse_shows_pictures_made_larger(
    studio, workspace, enlarging, tmp_path, words, made
):
    out = tmp_path / "f.mkv"
    film = ["render", "timelapse", "city", "--points", "seed:1", "--batches", "10:13", "--plain"]
    done = studio(*film, *words, "--upscale", "large", "--out", out, "--json")
    assert done.status == 0, done.err
    assert_shows(out, [expected(workspace, enlarging, batch, **made) for batch in (10, 11, 12)])


def test_another_batch_of_the_upscaler_is_another_film(studio, workspace, enlarging, tmp_path):
    out = tmp_path / "f.mkv"
    film = ["render", "timelapse", "city", "--points", "seed:1", "--last", "1", "--plain"]
    film += ["--size", "64", "--out", out]
    assert studio(*film, "--upscale", "large@9").status == 0
    before = out.stat()
    assert studio(*film, "--upscale", "large@9").status == 0
    assert out.stat() == before
    assert studio(*film, "--upscale", "large@5", "--overwrite").status == 0
    assert_shows(out, [expected(workspace, enlarging, 12, 1, upscaler_batch=5)])


@pytest.mark.parametrize(
    ("kind", "points", "times"), [("grid", 9, 4), ("grid", 1, 5), ("large", 9, 5), ("strip", 9, 4)]
)
def test_pictures_of_a_composition_are_about_as_large_as_their_cells(
    workspace, enlarging, kind, points, times
):
    options = RenderOptions(composition=Composition((1080, 1080), kind))
    upscaler = open_upscaler(workspace, "large")
    assert choose_enlargement(options, upscaler, (32, 32), points).times == times


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["timelapse", "city", "--upscale", "city"], "Runs that do: large"),
        (["timelapse", "city", "--upscale", "large", "--follow"], "follows its run"),
        (["timelapse", "city", "--upscale", "large", "--crop", "30x30+9+9"], "reaches out"),
        (["layer", "city", "--layer", "blocks.0", "--upscale", "large"], "is for pictures"),
    ],
)
def test_what_cannot_be_made_larger_is_refused(studio, enlarging, words, said):
    done = studio("render", *words)
    assert done.status in (1, 2)
    assert said in done.err
