"""Films of a layer: its list, its frames, one brightness for the whole film, and refusals."""

import imageio.v3 as imageio
import numpy as np
import pytest
import torch

from checkpoints_index import CheckpointIndex
from latent.nearness.layers import LayerMaps
from latent.points import seeded_point
from renderers.files import read_json

LAYER = ("--layer", "blocks.0.2", "--channels", "0,3,7")
POINTS = ("--points", "seed:1,seed:2", "--fps", "12", "--crf", "0", "--json")


def maps_over_training(workspace, batches, channels=(0, 3, 7), seeds=(1, 2)):
    """float32 [batches, points, channels, h, w], computed one by one."""
    z = torch.stack([seeded_point(seed, 16).z for seed in seeds])
    run = CheckpointIndex(workspace.runs)["city"]
    with torch.inference_mode():
        found = [LayerMaps(run.generator(b), "blocks.0.2", channels)(z) for b in batches]
    return torch.stack(found).numpy()


def plan_of(workspace, kind="layer"):
    (path,) = workspace.renders.glob(f"*{kind}*/plan.json")
    return read_json(path)


def test_layers_are_listed_with_their_maps(studio):
    found = studio("layers", "city", "--json").json
    rows = {row["name"]: row for row in found["layers"]}
    assert found["run"] == "city"
    assert rows["to_rgb"]["channels"] == 3
    assert (rows["blocks.0.2"]["height_px"], rows["blocks.0.2"]["width_px"]) == (8, 8)
    assert "blocks.0.2" in studio("layers", "city").out


def test_a_brightness_means_the_same_number_in_every_frame(studio, workspace):
    made = studio("render", "layer", "city", *LAYER, *POINTS).json
    assert [(v["label"], v["frames"]) for v in made["videos"]] == [("seed:1", 12), ("seed:2", 12)]
    maps = maps_over_training(workspace, range(1, 13))
    view = plan_of(workspace)["plan"]["options"]["layer"]
    lows, highs = maps.min((0, 1, 3, 4)), maps.max((0, 1, 3, 4))
    assert np.allclose(view["lows"], lows, atol=1e-5)
    assert np.allclose(view["highs"], highs, atol=1e-5)
    spans = (highs - lows)[:, None, None]
    expected = 255 * (maps - lows[:, None, None]) / spans  # [frames, points, channels, 8, 8]
    for point, video in enumerate(made["videos"]):
        frames = imageio.imread(video["path"])
        scale = frames.shape[1] // 17  # Two rows of maps of 8 px, with a gap of 1.
        shown = frames[:, scale // 2 :: scale, scale // 2 :: scale].mean(-1)[:, :17, :17]
        for channel, (top, left) in enumerate([(0, 0), (0, 9), (9, 0)]):
            part = shown[:, top : top + 8, left : left + 8]
            assert np.abs(part - expected[:, point, channel]).max() < 4  # H.264 has 219 levels.
        assert shown[:, 9:, 9:].max() < 4  # No fourth channel was asked for.


def test_one_range_for_all_channels_and_a_sample_of_batches(studio, workspace):
    words = ("--brightness", "shared", "--sampled", "2", "--colours", "viridis")
    outcome = studio("render", "layer", "city", *LAYER, *words, *POINTS)
    assert outcome.status == 0
    assert "measured at 2 of 12 batches" in outcome.err
    view = plan_of(workspace)["plan"]["options"]["layer"]
    maps = maps_over_training(workspace, (1, 12))
    assert np.allclose(view["lows"], [maps.min()] * 3, atol=1e-5)
    assert np.allclose(view["highs"], [maps.max()] * 3, atol=1e-5)
    assert view["colours"] == "viridis"


def test_a_film_that_is_asked_for_again_is_there_and_its_frames_are_counted(studio, workspace):
    words = ("render", "layer", "city", *LAYER, *POINTS)
    first = studio(*words).json
    before = plan_of(workspace)
    (levels,) = workspace.renders.glob("*layer*/levels.json")
    written = levels.stat().st_mtime_ns
    again = studio(*words).json
    assert again["videos"] == first["videos"]
    assert plan_of(workspace) == before
    assert levels.stat().st_mtime_ns == written
    for video in first["videos"]:
        assert studio("render", "verify", video["path"], "--json").json["ok"]


def test_a_film_whose_record_is_lost_is_made_again_frame_by_frame(studio, workspace):
    made = studio("render", "layer", "city", *LAYER, *POINTS).json
    path = made["videos"][0]["path"]
    frames = imageio.imread(path)
    (folder,) = workspace.renders.glob("*layer*")
    (folder / "videos.json").unlink()
    again = studio("render", "layer", "city", *LAYER, *POINTS).json
    assert again["videos"] == made["videos"]
    assert np.array_equal(imageio.imread(path), frames)


def test_channels_are_the_first_ones_where_none_is_named(studio, workspace):
    assert studio("render", "layer", "city", "--layer", "to_rgb", *POINTS).status == 0
    assert plan_of(workspace)["plan"]["options"]["layer"]["channels"] == [0, 1, 2]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--layer", "nowhere"), "has no layer 'nowhere' that gives maps"),
        (("--layer", "stem"), "has no layer 'stem' that gives maps. List them: studio layers city"),
        (("--layer", "\x1b[2J"), "has no layer '\\x1b[2J'"),
        (("--layer", "to_rgb", "--channels", "0,3"), "there is no channel 3"),
        (("--layer", "to_rgb", "--channels", "0,-1"), "'-1' is no channel"),
        (("--layer", "to_rgb", "--channels", "x" * 900), "is no channel"),
        (("--layer", "to_rgb", "--channels", "1,1"), "each once"),
        (("--layer", "to_rgb", "--batches", "99"), "99"),
        (("--layer", "to_rgb", "--compile"), "--compile is for pictures"),
        (("--layer", "to_rgb", "--crop", "66x66+0+0"), "reaches out of the picture"),
        ((), "--layer"),
    ],
)
def test_what_cannot_be_filmed_is_refused_in_a_sentence(studio, words, sentence):
    outcome = studio("render", "layer", "city", *words)
    assert outcome.status in (1, 2)
    assert sentence in " ".join(outcome.err.split())
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
