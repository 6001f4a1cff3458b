"""Films as a person asks for them, through the command line."""

import os
from pathlib import Path
from threading import Timer

import numpy as np
import pytest
from PIL import Image

from checkpoints_index import CheckpointIndex
from checkpoints_index.storage import segments
from renderers.video.video_reader import count_frames, read_frames
from studio.runs.selection import choose_frames, nearest_batch
from studio.workspace.devices import take_leases

POINTS = ("--points", "seed:1,seed:2")


@pytest.fixture
def render(studio, tmp_path):
    """render("timelapse", "city", ..., out="a.mp4"): the videos that the command tells of."""

    def call(kind, *words, out="film.mp4"):
        outcome = studio("render", kind, "city", *words, "--out", tmp_path / out, "--json")
        assert outcome.status == 0, outcome.err
        return outcome.json["videos"]

    return call


def frames(video):
    return np.stack(list(read_frames(video["path"])))


def test_held_batches_show_the_checkpoint_before():
    kept = [2, 3, 7]
    assert choose_frames(kept, "0:9", "city", "hold").batches == [2, 3, 3, 3, 3, 7]
    assert choose_frames(kept, "0:9", "city", "hold").numbers == [2, 3, 4, 5, 6, 7]
    assert choose_frames(kept, "3,5", "city", "hold").batches == [3, 3]
    assert choose_frames(kept, "", "city", "hold").numbers == [2, 3, 4, 5, 6, 7]


def test_the_nearest_checkpoint_stands_for_a_moment_between_two():
    kept = [10, 20, 40]
    assert [nearest_batch(kept, b) for b in (0, 14.9, 15.1, 29, 31, 99)] == [10, 10, 20, 20, 40, 40]
    assert nearest_batch([7], 3.0) == 7


@pytest.mark.parametrize(
    ("out", "codec"), [("f.webm", "vp9"), ("f.webm", "av1"), ("f.mov", None), ("f.mkv", None)]
)
def test_films_of_every_format_have_every_frame(render, out, codec):
    (video,) = render(
        "timelapse", "--points", "seed:1", *(["--codec", codec] * bool(codec)), out=out
    )
    assert video["frames"] == count_frames(video["path"]) == 12


def test_short_films_may_be_pictures_that_move(render):
    (gif,) = render("timelapse", "--grid", "--fps", "25", *POINTS, out="f.gif")
    with Image.open(gif["path"]) as image:
        assert image.n_frames == 12


def test_a_film_may_be_numbered_pictures(render, tmp_path):
    render("timelapse", "--points", "seed:1", "--scale", "1", out="seq/%04d.png")
    pictures = sorted((tmp_path / "seq").iterdir())
    assert [p.name for p in pictures] == [f"{n:04d}.png" for n in range(12)]
    (mkv,) = render("timelapse", "--points", "seed:1", "--scale", "1", out="f.mkv")
    lossless = frames(mkv)
    for picture, frame in zip(pictures, lossless, strict=True):
        assert (np.asarray(Image.open(picture).convert("RGB")) == frame).all()


def test_crop_size_and_scaling_shape_the_film(render):
    words = ("--crop", "16x8+4+12", "--size", "64x32", "--scaling", "lanczos")
    (video,) = render("timelapse", "--points", "seed:1", *words)
    assert frames(video).shape == (12, 32, 64, 3)


def test_an_odd_size_is_made_even_and_said(studio, tmp_path):
    words = ("render", "timelapse", "city", "--points", "seed:1", "--size", "65x33", "--json")
    outcome = studio(*words, "--out", tmp_path / "odd.mp4")
    assert "66x34 px instead of 65x33" in outcome.err
    assert frames(outcome.json["videos"][0]).shape == (12, 34, 66, 3)


def test_a_duration_chooses_checkpoints_to_fit(render):
    (video,) = render("timelapse", "--points", "seed:1", "--duration", "0.5", "--fps", "12")
    assert video["frames"] == 6
    (longer,) = render(
        "timelapse", "--points", "seed:1", "--duration", "2", "--fps", "12", out="l.mp4"
    )
    assert longer["frames"] == 24


def test_perceptual_pace_shows_the_first_and_the_last_checkpoint(render):
    words = ("--points", "seed:1", "--scale", "1")
    (paced,) = render("timelapse", *words, "--pace", "perceptual", "--duration", "0.2", out="p.mkv")
    (all_of_them,) = render("timelapse", *words, out="a.mkv")
    shown, known = frames(paced), frames(all_of_them)
    assert len(shown) == 12
    assert (shown[0] == known[0]).all()
    assert (shown[-1] == known[-1]).all()


def test_the_last_checkpoints_alone(render):
    (video,) = render("timelapse", "--points", "seed:1", "--last", "5")
    assert video["frames"] == 5


def test_an_interpolation_along_training_moves_both(render):
    words = ("--points", "seed:1,seed:2", "--batches", "1:13", "--seconds", "1", "--fps", "24")
    (video,) = render("interpolation", *words)
    assert video["frames"] == count_frames(video["path"]) == 24


@pytest.mark.parametrize(
    "words",
    [
        ("--kind", "circle", "--points", "seed:1"),
        ("--kind", "circle", *POINTS),
        ("--kind", "noise", "--seed", "3", "--loop"),
        ("--kind", "spline", "--points", "seed:1,seed:2,seed:3", "--loop", "--easing", "smooth"),
        ("--kind", "linear", *POINTS, "--easing", "ends"),
    ],
)
def test_routes_of_every_kind_are_filmed(render, words):
    (video,) = render("interpolation", *words, "--seconds", "0.5", "--fps", "20")
    assert video["frames"] == count_frames(video["path"]) == 10


def test_a_path_moves_batch_and_point_from_key_to_key(render):
    words = ("--seconds", "1", "--fps", "13", "--scale", "1")
    (video,) = render("path", "2@seed:1 -> 12@seed:2 -> 1@seed:2", *words, out="path.mkv")
    (first,) = render("timelapse", "--points", "seed:1", "--scale", "1", out="a.mkv")
    (second,) = render("timelapse", "--points", "seed:2", "--scale", "1", out="b.mkv")
    shown = frames(video)
    assert len(shown) == 13
    assert (shown[0] == frames(first)[1]).all()
    assert (shown[6] == frames(second)[11]).all()
    assert (shown[12] == frames(second)[0]).all()


def test_a_finished_film_is_verified_and_a_cut_one_is_not(studio, render):
    (video,) = render("timelapse", "--points", "seed:1")
    whole = studio("render", "verify", video["path"], "--json")
    assert (whole.status, whole.json["ok"], whole.json["frames"]) == (0, True, 12)
    os.truncate(video["path"], 2000)
    cut = studio("render", "verify", video["path"], "--json")
    assert (cut.status, cut.json["ok"], cut.json["expected"]) == (1, False, 12)


def test_another_format_of_a_film_leaves_the_first_one_as_it_was(studio):
    words = ("render", "timelapse", "city", "--grid", "--fps", "25", "--json")
    (video,) = studio(*words).json["videos"]
    (gif,) = studio(*words, "--format", "gif").json["videos"]
    for path in (video["path"], gif["path"]):
        assert studio("render", "verify", path, "--json").json["ok"]


def test_a_film_that_was_moved_with_its_record_can_be_verified(studio, workspace):
    (video,) = studio("render", "timelapse", "city", "--grid", "--json").json["videos"]
    folder = Path(video["path"]).parent
    moved = folder.rename(folder.with_name("moved")) / Path(video["path"]).name
    assert studio("render", "verify", moved, "--json").json["ok"]


def test_a_damaged_checkpoint_is_named_and_can_be_left_out(studio, render, workspace):
    run = CheckpointIndex(workspace.runs)["city"]
    path = segments.list_segments(run.folder)[-1]
    content = bytearray(path.read_bytes())
    for record in segments.read_segment(path).records:
        if record.batch == 12:
            for place in range(record.offset + segments.RECORD_HEAD_BYTES, record.end, 40):
                content[place] ^= 1  # More than the parity of the record can bring back.
    path.write_bytes(content)
    words = ("render", "timelapse", "city", "--points", "seed:1")
    refused = studio(*words, "--out", workspace.root / "a.mp4")
    assert refused.status == 1
    assert "Checkpoint 12" in refused.err
    assert "--skip-damaged" in refused.err
    (video,) = render("timelapse", "--points", "seed:1", "--skip-damaged")
    assert video["frames"] == 11


def test_a_film_on_auto_waits_for_the_one_that_is_at_work_and_then_holds_the_device(
    studio, workspace
):
    (other,) = take_leases(workspace.leases, ["cpu"], 1, "a film of town", "films").values()
    Timer(2.0, other.release).start()
    words = ("render", "timelapse", "city", "--points", "seed:1", "--devices", "auto")
    made = studio(*words, "--out", workspace.root / "auto.mp4")
    assert made.status == 0, made.err
    assert "Waiting for a device. At work: cpu: a film of town" in made.err
    assert count_frames(workspace.root / "auto.mp4") == 12
    assert take_leases(workspace.leases, ["cpu"], 1, "a film", "films")
    both = studio(*words[:-1], "auto,cpu", "--out", workspace.root / "both.mp4")
    assert "'auto' stands for all devices that nobody works on" in both.err


def test_a_run_that_has_ended_is_followed_to_its_end(render):
    (video,) = render("timelapse", "--points", "seed:1", "--follow", "--overlay")
    assert video["frames"] == count_frames(video["path"]) == 12


def test_overlays_change_the_corner_alone(render):
    words = ("--points", "seed:1", "--size", "320", "--last", "3")
    (bare,) = render("timelapse", *words, out="bare.mkv")
    (drawn,) = render("timelapse", *words, "--show", "batch,run,label,curve", out="drawn.mkv")
    changed = (frames(bare) != frames(drawn)).any(axis=(0, 3))
    assert changed[200:, :160].any()
    assert not changed[:200].any()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["timelapse", "--size", "big"], "'big' is not a size"),
        (["timelapse", "--crop", "99x99+0+0"], "reaches out of the picture"),
        (["timelapse", "--out", "f.avi"], "must end in one of"),
        (["timelapse", "--out", "f.png"], "give a place for the number"),
        (["timelapse", "--codec", "av1"], "holds h264, not 'av1'"),
        (["timelapse", "--format", "exe"], "must end in one of"),
        (["timelapse", "--encoder", "magic"], "There is no encoder 'magic'"),
        (["timelapse", "--show", "clock"], "There is no overlay 'clock'"),
        (["timelapse", "--follow", "--pace", "perceptual"], "leave out --pace"),
        (["timelapse", "--follow", "--show", "batch,curve"], "leave out --pace"),
        (
            ["interpolation", "--kind", "circle"],
            "A circle goes around one point, or through two; not 0",
        ),
        (["interpolation", "--points", "seed:1"], "at least two latent points"),
        (["path", "3@seed:1"], "a path needs two or more"),
        (["path", "3@seed:1 -> x"], "write BATCH@POINT"),
    ],
)
def test_what_makes_no_film_is_said_in_a_sentence(studio, words, sentence):
    outcome = studio("render", words[0], "city", *words[1:])
    assert outcome.status == 1
    assert sentence in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["timelapse", "--last", "0"], "--last 0 is out of range: use 1 or more"),
        (["timelapse", "--duration", "0"], "--duration 0 is out of range: use more than 0"),
        (["timelapse", "--fps", "fast"], "--fps cannot be read: 'fast' is no rate"),
        (["timelapse", "--pace", "slow"], "--pace 'slow' is not known. Use 'batch' or 'percept"),
        (["timelapse", "--points", "0.0,,0.1"], "empty place between two commas"),
        (
            ["timelapse", "--skip-missing", "--hold-missing"],
            "--skip-missing and --hold-missing exclude each other",
        ),
        (
            ["interpolation", *POINTS, "--seconds", "1", "--seconds-per-leg", "1"],
            "Give --seconds of the whole film or --seconds-per-leg between stops, not both",
        ),
    ],
)
def test_a_value_that_does_not_fit_its_option_is_wrong_usage(studio, words, sentence):
    outcome = studio("render", words[0], "city", *words[1:])
    assert outcome.status == 2
    assert sentence in outcome.err
    assert "Traceback" not in outcome.err
