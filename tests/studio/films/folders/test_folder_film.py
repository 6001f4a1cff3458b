"""Films of folders: what shows, what is refused, and that a killed one goes on."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from renderers.video.film_reader import read_facts, read_from
from renderers.video.video_reader import count_frames
from studio.films.folders.picture_frames import DamagedPicturesError, read_frame
from studio.films.folders.picture_looks import look_at_picture

SIDE = 32


def colour(number):
    """A colour that H.264 keeps, another one for each number up to 100."""
    return (20 + 40 * (number % 5), 20 + 40 * (number // 5 % 5), 20 + 40 * (number // 25 % 4))


def write(folder, numbers, name="fakes_{:04d}.png", side=SIDE):
    folder.mkdir(exist_ok=True)
    for number in numbers:
        Image.new("RGB", (side, side), colour(number)).save(folder / name.format(number))
    return folder


def shown(film, frames):
    """The number that each frame of a film shows."""
    colours = np.array([colour(number) for number in range(100)])
    means = [frame.mean(axis=(0, 1)) for frame in read_from(film, 0, frames)]
    return [int(np.abs(colours - mean).sum(axis=1).argmin()) for mean in means]


@pytest.fixture
def film(empty_studio, tmp_path):
    """Films a folder: film("pictures", "--fps", 5) -> the outcome."""
    return lambda folder, *words: empty_studio(
        "render", "folder", folder, "--out", tmp_path / "film.mp4", *words
    )


def test_the_film_shows_the_pictures_in_the_order_of_their_numbers(film, tmp_path):
    folder = write(tmp_path / "old run", [9, 10, 11, 30], "fakes_{}.png")
    done = film(folder, "--json", "--fps", "12")
    assert done.status == 0, done.err
    (video,) = done.json["videos"]
    assert (video["frames"], done.json["left_out"]) == (4, [])
    assert shown(tmp_path / "film.mp4", 4) == [9, 10, 11, 30]
    assert "18 numbers lack between 9 and 30: 12 to 29." in done.err
    tags = dict(read_facts(tmp_path / "film.mp4").tags)
    assert tags["title"] == "old run, picture 9 to 30"
    assert "studio render folder 'old run'" in tags["command"]
    assert "points" not in tags
    assert film(folder, "--fps", "12").status == 0  # It is whole, and is not made again.


def test_pictures_are_chosen_and_held_by_their_numbers(film, tmp_path):
    folder = write(tmp_path / "a", range(0, 60, 10))
    (folder / "fakes_0030.png").unlink()
    assert film(folder, "--pace", "number", "--batches", "10:").status == 0
    assert shown(tmp_path / "film.mp4", 4) == [10, 20, 20, 40]
    assert film(folder, "--every", 2, "--overwrite").status == 0
    assert shown(tmp_path / "film.mp4", 3) == [0, 20, 50]


def test_pictures_of_other_sizes_are_refused_or_fitted(film, tmp_path):
    folder = write(tmp_path / "a", [1, 2, 3])
    write(folder, [4], side=48)
    refused = film(folder)
    assert refused.status == 1
    assert "3 pictures have 32x32 px, and 1 another size, such as 'fakes_0004.png'" in refused.err
    assert film(folder, "--fit", "stretch").status == 0
    assert shown(tmp_path / "film.mp4", 4) == [1, 2, 3, 4]


def test_what_cannot_be_read_is_named_and_left_out_by_option(film, tmp_path):
    folder = write(tmp_path / "a", range(6))
    whole = (folder / "fakes_0002.png").read_bytes()
    (folder / "fakes_0002.png").write_bytes(whole[: len(whole) // 2])  # It was cut off.
    flipped = bytearray((folder / "fakes_0003.png").read_bytes())
    flipped[len(flipped) // 2] ^= 0xFF  # Only decoding finds that.
    (folder / "fakes_0003.png").write_bytes(flipped)
    (folder / "fakes_0004.png").unlink()
    (folder / "fakes_0004.png").symlink_to("nowhere.png")
    refused = film(folder)
    assert refused.status == 1
    assert "2 of 6 pictures cannot be read: 'fakes_0002.png'" in refused.err
    assert "a link that leads nowhere" in refused.err
    for path in ("fakes_0002.png", "fakes_0004.png"):
        (folder / path).unlink()
    refused = film(folder)
    assert refused.status == 1
    assert "'fakes_0003.png' cannot be read" in refused.err
    assert not (tmp_path / "film.mp4").exists()
    for _ in "ab":  # The second call knows what the first one found.
        done = film(folder, "--skip-damaged", "--json")
        assert done.status == 0, done.err
        assert [row["name"] for row in done.json["left_out"]] == ["fakes_0003.png"]
        assert shown(tmp_path / "film.mp4", 3) == [0, 1, 5]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("L", 90), ("P", 90), ("I;16", 90), ("RGBA", 255), ("LA", 255), ("CMYK", 90)],
)
def test_every_kind_of_pixels_becomes_rgb(mode, expected, tmp_path):
    path = tmp_path / ("1.tif" if mode == "CMYK" else "1.png")
    if mode == "I;16":
        Image.fromarray(np.full((8, 8), 90 * 257, np.uint16)).save(path)
    else:
        grey = Image.new("L", (8, 8), 90)
        picture = grey.convert("RGB").convert("CMYK") if mode == "CMYK" else grey.convert(mode)
        if mode in ("RGBA", "LA"):
            picture.putalpha(0)
        picture.save(path)
    frame = read_frame(path, (8, 8), "refuse")
    assert frame.shape == (8, 8, 3)
    assert np.abs(frame.astype(int) - expected).max() <= 1


def test_a_photograph_is_turned_upright_and_measured_so(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (16, 8), (200, 0, 0)).save(tmp_path / "1.jpg", exif=exif)
    assert look_at_picture(tmp_path / "1.jpg").size_px == (8, 16)
    assert read_frame(tmp_path / "1.jpg", (8, 16), "refuse").shape == (16, 8, 3)


def test_the_folder_of_the_pictures_is_never_the_place_of_numbered_ones(empty_studio, tmp_path):
    folder = write(tmp_path / "a", [1, 2], "{:06d}.png")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    for words in ([], ["--overwrite"]):
        done = empty_studio("render", "folder", folder, "--out", folder / "%06d.png", *words)
        assert done.status == 1
        assert "is the folder of the pictures themselves" in done.err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--show", "curve"], "is for films of runs"),
        (["--composition", "wipe"], "is for several points"),
        (["--batches", "x"], "no choice of batches"),
        (["--batches", "9" * 5000], "is no choice of batches"),
        (["--run", "nobody"], "nobody"),
        (["--upscale", "nobody@3"], "nobody"),
        (["--crop", "99x99+0+0"], "reaches out of the picture"),
        (["--pace", "number", "--number", "2"], "There is no number 2"),
    ],
)
def test_what_a_folder_cannot_have_is_refused_in_a_sentence(film, tmp_path, words, said):
    done = film(write(tmp_path / "a", [1, 2]), *words)
    assert done.status in (1, 2)
    assert said in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "film.mp4").exists()


def test_a_composed_film_says_what_is_counted(film, tmp_path):
    folder = write(tmp_path / "a", [1, 2], "image_at_epoch_{}.png")
    words = ["--aspect", "4:5", "--title", "An old run", "--attribution", "Nobody"]
    done = film(folder, *words)
    assert done.status == 0, done.err
    facts = read_facts(tmp_path / "film.mp4")
    assert (facts.width_px, facts.height_px) == (1080, 1350)
    assert dict(facts.tags)["copyright"] == "Nobody"
    (plan,) = (tmp_path / "empty" / "renders").glob("pictures-*/plan.json")
    caption = json.loads(plan.read_text())["plan"]["caption"]
    assert (caption["counted"], caption["run"]) == ("epoch", "An old run")


def test_a_network_makes_the_pictures_larger(film, upscaler_run, tmp_path):
    folder = write(tmp_path / "a", [4, 95])
    done = film(folder, "--upscale", "large@300", "--size", SIDE * 2, "--devices", "cpu")
    assert done.status == 0, done.err
    facts = read_facts(tmp_path / "film.mp4")
    assert (facts.width_px, facts.height_px) == (SIDE * 2, SIDE * 2)
    frames = read_from(tmp_path / "film.mp4", 0, 2)
    for number, other, frame in zip((4, 95), (95, 4), frames, strict=True):
        mean = frame.mean(axis=(0, 1))
        assert 3 * np.abs(mean - colour(number)).sum() < np.abs(mean - colour(other)).sum()


def test_pictures_that_came_later_are_added_to_the_film(empty_studio, tmp_path):
    folder = write(tmp_path / "a", [1, 2])
    words = ["render", "folder", folder, "--json"]
    first = empty_studio(*words).json["videos"][0]
    write(folder, [3])
    second = empty_studio(*words).json["videos"][0]
    assert (first["path"], first["frames"], second["frames"]) == (second["path"], 2, 3)


def test_an_error_of_damage_survives_the_way_from_another_process():
    import pickle

    error = pickle.loads(pickle.dumps(DamagedPicturesError({"a.png": "cut off"})))
    assert error.found == {"a.png": "cut off"}
    assert str(error).startswith("'a.png' cannot be read: cut off.")


@pytest.mark.slow
def test_a_killed_film_goes_on_with_the_same_frames(tmp_path):
    folder = write(tmp_path / "a", range(1200), side=64)

    def command(out):
        words = [sys.executable, "-m", "studio", "--workspace", str(tmp_path / "ws")]
        return [*words, "render", "folder", str(folder), "--out", str(out), "--size", "512"]

    subprocess.run(command(tmp_path / "whole.mp4"), check=True, timeout=900)
    out = tmp_path / "killed.mp4"
    process = subprocess.Popen(command(out), start_new_session=True)
    marks = "ws/renders/pictures-*/parts/*.json"
    before = len(list(tmp_path.glob(marks)))
    deadline = time.monotonic() + 600
    while len(list(tmp_path.glob(marks))) < before + 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob(marks)}
    assert len(kept) >= 2
    subprocess.run(command(out), check=True, timeout=900)
    assert count_frames(out) == 1200
    assert out.read_bytes() == (tmp_path / "whole.mp4").read_bytes() or (
        shown(out, 1200) == shown(tmp_path / "whole.mp4", 1200)
    )
