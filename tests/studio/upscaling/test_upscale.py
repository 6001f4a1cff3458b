import numpy as np
import pytest
import torch
from PIL import Image

from renderers.errors import RenderError
from renderers.pictures.picture_file import save_picture
from renderers.upscaling.enlarger import Enlarger
from renderers.video.encoders import VideoEncoder
from renderers.video.film_reader import read_facts, read_from
from renderers.video.video_reader import count_frames, read_frames
from renderers.video.video_writer import VideoWriter
from studio.specimens.passports import Passport, read_passport, save_specimen
from studio.upscaling import stills


def draw(height=21, width=30, seed=0):
    """A smooth picture, uint8 [height, width, 3]."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def enlarged(run, picture, batch=300):
    return Enlarger(run.generator(batch)).enlarge(picture)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg"])
def test_a_picture_becomes_what_the_newest_batch_makes_of_it(
    empty_studio, upscaler_run, tmp_path, suffix
):
    save_picture(draw(), tmp_path / "a.png")
    out = tmp_path / "out" / f"b{suffix}"
    words = ["upscale", tmp_path / "a.png", "--with", "large", "--out", out, "--quality", 100]
    done = empty_studio(*words, "--json")
    assert done.status == 0, done.err
    assert done.json["pictures"] == [str(out)]
    assert (done.json["run"], done.json["batch"], done.json["scale"]) == ("large", 300, 2)
    difference = np.asarray(Image.open(out)).astype(int) - enlarged(upscaler_run, draw())
    assert np.abs(difference).max() <= (8 if suffix == ".jpg" else 0)
    again = empty_studio(*words)
    assert again.status == 1
    assert "is there already, and would be replaced" in again.err


def test_another_batch_makes_another_picture(empty_studio, upscaler_run, tmp_path):
    save_picture(draw(), tmp_path / "a.png")
    done = empty_studio("upscale", tmp_path / "a.png", "--with", "large@100", "--json")
    (path,) = done.json["pictures"]
    assert np.array_equal(np.asarray(Image.open(path)), enlarged(upscaler_run, draw(), 100))
    assert not np.array_equal(np.asarray(Image.open(path)), enlarged(upscaler_run, draw(), 300))


def test_what_a_picture_says_of_itself_stays_and_its_passport_tells_of_the_network(
    empty_studio, upscaler_run, tmp_path
):
    passport = Passport("city", "7.1", 7, torch.randn(4), "abc", {"size": "30x21"})
    save_specimen(draw(), tmp_path / "city.png", passport, "© somebody")
    out = tmp_path / "large.jpg"
    empty_studio("upscale", tmp_path / "city.png", "--with", "large", "--out", out)
    told = read_passport(out)
    assert (told.run, told.label, told.weights_digest) == ("city", "7.1", "abc")
    assert torch.equal(told.z, passport.z)
    assert told.licence == "© somebody"
    assert told.options == {"size": "30x21", "upscaled": "large@300"}


def test_a_photograph_is_turned_upright_and_keeps_its_copyright(
    empty_studio, upscaler_run, tmp_path
):
    exif = Image.Exif()
    exif[0x0112], exif[0x8298] = 6, "(c) somebody"
    Image.fromarray(draw(20, 30)).save(tmp_path / "a.jpg", exif=exif, quality=100)
    out = tmp_path / "b.png"
    assert empty_studio("upscale", tmp_path / "a.jpg", "--with", "large", "--out", out).status == 0
    with Image.open(out) as written:
        assert written.size == (40, 60)
        assert written.getexif().get(0x0112, 1) == 1
        assert written.getexif()[0x8298] == "(c) somebody"


def test_a_transparent_picture_is_laid_on_white_and_says_so(empty_studio, upscaler_run, tmp_path):
    pixels = np.dstack([draw(), np.zeros((21, 30), np.uint8)])
    Image.fromarray(pixels, "RGBA").save(tmp_path / "a.png")
    done = empty_studio(
        "upscale", tmp_path / "a.png", "--with", "large", "--out", tmp_path / "b.png"
    )
    assert "on white" in done.err
    white = enlarged(upscaler_run, np.full((21, 30, 3), 255, np.uint8))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "b.png")), white)


def test_a_folder_goes_on_where_it_was_and_names_what_cannot_be_read(
    empty_studio, upscaler_run, tmp_path, monkeypatch
):
    folder, out = tmp_path / "in", tmp_path / "out"
    for number in (1, 2, 10):
        save_picture(draw(seed=number), folder / f"{number}.png")
    (folder / "3.png").write_bytes(b"no picture")
    words = ["upscale", folder, "--with", "large", "--out", out]
    write, calls = stills._write, []

    def die_at_the_third(planned, *others):
        calls.append(planned.source.name)
        if len(calls) == 3:
            raise KeyboardInterrupt
        write(planned, *others)

    monkeypatch.setattr(stills, "_write", die_at_the_third)
    assert empty_studio(*words).status != 0
    assert calls == ["1.png", "2.png", "10.png"]
    monkeypatch.setattr(stills, "_write", write)
    first = (out / "1.png").stat()
    done = empty_studio(*words, "--json")
    assert done.status == 1
    assert done.json["pictures"] == [str(out / "10.png")]
    assert done.json["kept"] == [str(out / "1.png"), str(out / "2.png")]
    ((path, reason),) = ((row["path"], row["reason"]) for row in done.json["left_out"])
    assert path.endswith("3.png")
    assert "damaged" in reason
    assert (out / "1.png").stat() == first
    for number in (1, 2, 10):
        made = np.asarray(Image.open(out / f"{number}.png"))
        assert np.array_equal(made, enlarged(upscaler_run, draw(seed=number)))
    save_picture(draw(seed=5), folder / "2.png")  # What changed is made anew.
    assert empty_studio(*words, "--json").json["pictures"] == [str(out / "2.png")]
    other = empty_studio("upscale", folder, "--with", "large@100", "--out", out)
    assert "holds pictures that large@300 made" in other.err


def coarse(frame):
    """A frame at a quarter of its size, which the colours of H.264 leave as it is."""
    return np.asarray(Image.fromarray(frame).reduce(4)).astype(int)


def write_film(path, frames, fps=12):
    height, width, _ = frames[0].shape
    encoder = VideoEncoder("libx264", crf=10)
    with VideoWriter(path, width, height, fps, "format=yuv420p", encoder) as video:
        for frame in frames:
            video.add(frame)
    return path


def test_a_film_keeps_its_rate_its_frames_and_what_it_says(
    empty_studio, upscaler_run, tmp_path, monkeypatch
):
    monkeypatch.setattr("studio.films.given.larger_films.PART_FRAMES", 3)
    frames = [draw(22, 32, seed) for seed in range(7)]
    source = write_film(tmp_path / "small.mp4", frames)
    out = tmp_path / "large.mp4"
    words = ["upscale", source, "--with", "large@300", "--out", out, "--crf", 5]
    done = empty_studio(*words, "--json")
    assert done.status == 0, done.err
    (video,) = done.json["videos"]
    assert (video["path"], video["frames"]) == (str(out), 7)
    assert count_frames(out) == 7
    facts = read_facts(out)
    assert (facts.width_px, facts.height_px, facts.fps) == (64, 44, 12)
    assert dict(facts.tags)["upscaled"] == "large@300"
    expected = [coarse(enlarged(upscaler_run, frame)) for frame in read_frames(source)]
    for number, frame in enumerate(read_frames(out)):
        distances = [np.abs(coarse(frame) - each).mean() for each in expected]
        assert np.argmin(distances) == number
        assert distances[number] < 8
    assert empty_studio(*words).status == 0  # It is whole, and is not made again.


def test_frames_are_read_from_any_of_them_on(tmp_path):
    frames = [draw(22, 32, seed) for seed in range(5)]
    source = write_film(tmp_path / "small.mp4", frames)
    whole = list(read_frames(source))
    for first in range(5):
        for got, expected in zip(read_from(source, first, 5 - first), whole[first:], strict=True):
            assert np.array_equal(got, expected)
    with pytest.raises(RenderError, match="ends at frame 5, and 7 were there"):
        list(read_from(source, 2, 5))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.png", "--with", "city"], "draws pictures and makes none larger. Runs that do: large"),
        (["a.png", "--with", "large@x"], "names no batch of a run. Write RUN@BATCH"),
        (["a.png", "--with", "large@5"], "5"),
        (["a.png", "--with", "huge"], "huge"),
        (["no.png", "--with", "large"], "There is no 'no.png'"),
        (["a.png", "--with", "large", "--out", "b.bmp"], "Cannot write a picture as 'b.bmp'"),
        (["wide.png", "--with", "large", "--out", "b.webp"], "at most 16,383. Write a .png"),
        (["text.png", "--with", "large"], "text.png cannot be read: damaged"),
        (["text.mp4", "--with", "large"], "text.mp4"),
        (["a.png", "--with", "large", "--devices", "cuda:77"], "no device 'cuda:77'"),
    ],
)
def test_what_cannot_be_made_larger_is_refused_in_a_sentence(
    empty_studio, upscaler_run, tmp_path, monkeypatch, words, said
):
    monkeypatch.chdir(tmp_path)
    save_picture(draw(), tmp_path / "a.png")
    save_picture(np.zeros((2, 9000, 3), np.uint8), tmp_path / "wide.png")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "text.mp4").write_text("no film")
    before = set(tmp_path.iterdir())
    done = empty_studio("upscale", *words)
    assert done.status != 0
    assert said in done.err
    assert "Traceback" not in done.err
    assert set(tmp_path.iterdir()) == before
