"""Exports: kinds, sizes, sheets and ZIPs of pictures, each of which brings its point back."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from checkpoints_index import CheckpointIndex, GeneratorSpec
from renderers.frames.frame_renderer import render_frames
from renderers.upscaling.enlarger import Enlarger
from studio.actions.declared.removal_actions import DeleteSpecimens
from studio.specimens.exports import ExportOptions
from studio.specimens.passports import read_passport
from studio.specimens.points import resolve_point


def frame_of(workspace, label, batch):
    G = CheckpointIndex(workspace.runs)["city"].generator(batch)
    return render_frames(G, resolve_point(workspace, "city", label).z[None])[0]


def test_a_png_and_a_lossless_webp_have_the_pixels_of_the_frame(studio, workspace, tmp_path):
    expected = frame_of(workspace, "seed:3", 6)
    for kind, more in (("png", []), ("webp", ["--quality", "100"])):
        words = ["seed:3", "--at-batch", "6", "--size", "own", "--format", kind, *more]
        (row,) = studio("specimens", "export", "city", *words, "--out", tmp_path, "--json").json
        assert Path(row["path"]).suffix == f".{kind}"
        with Image.open(row["path"]) as image:
            np.testing.assert_array_equal(np.asarray(image.convert("RGB")), expected)


def test_a_picture_is_enlarged_in_squares_or_smoothly(studio, workspace, tmp_path):
    expected = frame_of(workspace, "0.1", 12)
    common = ["0.1", "--at-batch", "12", "--format", "png", "--size", "128"]
    made = {}
    for scaling in ("nearest", "lanczos"):
        out = tmp_path / scaling
        words = [*common, "--scaling", scaling, "--out", out, "--json"]
        (row,) = studio("specimens", "export", "city", *words).json
        made[scaling] = np.asarray(Image.open(row["path"]))
        passport = read_passport(Path(row["path"]))
        assert passport.options == {"size": "128x128", "scaling": scaling}
    np.testing.assert_array_equal(made["nearest"], expected.repeat(4, 0).repeat(4, 1))
    smooth = Image.fromarray(expected).resize((128, 128), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(made["lanczos"], np.asarray(smooth))


def test_a_picture_is_enlarged_by_a_run_as_often_as_needed_then_smoothly(
    studio, workspace, tmp_path
):
    options = {"z_dim": 3 * 8 * 8, "image_size": 16, "scale": 2, "channels": 16, "kernel": 3}
    spec = GeneratorSpec("shufflemixer", options)
    with CheckpointIndex(workspace.runs).create("large", spec, storage="exact") as run:
        run.append(5, spec.build().state_dict())
    expected = frame_of(workspace, "0.1", 12)
    enlarger = Enlarger(CheckpointIndex(workspace.runs)["large"].generator(5))
    once, twice = enlarger.enlarge(expected), enlarger.enlarge(enlarger.enlarge(expected))
    smooth = np.asarray(Image.fromarray(twice).resize((100, 100), Image.Resampling.LANCZOS))
    for size, picture in (("own", once), ("128", twice), ("100", smooth), ("32", expected)):
        words = ["0.1", "--at-batch", "12", "--format", "png", "--size", size, "--json"]
        words += ["--upscale", "large", "--out", tmp_path / size]
        (row,) = studio("specimens", "export", "city", *words).json
        np.testing.assert_array_equal(np.asarray(Image.open(row["path"])), picture)
        told = read_passport(Path(row["path"])).options
        assert told.get("upscaled") == (None if size == "32" else "large@5")
    refused = studio("specimens", "export", "city", "0.1", "--upscale", "city")
    assert refused.status == 1
    assert "Runs that do: large" in refused.err


def test_small_pictures_become_1024_px_wide_and_smooth_and_say_so(studio, workspace, tmp_path):
    (row,) = studio("specimens", "export", "city", "0.1", "--out", tmp_path, "--json").json
    with Image.open(row["path"]) as image:
        assert image.size == (1024, 1024)
    assert read_passport(Path(row["path"])).options == {"size": "1024x1024", "scaling": "lanczos"}


def test_large_pictures_keep_their_own_size():
    options = ExportOptions()
    assert options.display_of(np.zeros((1024, 512, 3), np.uint8)).size is None
    assert options.display_of(np.zeros((1023, 512, 3), np.uint8)).size == (1024, 1024)


def test_an_export_takes_the_place_of_the_picture_that_drawing_it_left(studio, workspace):
    assert studio("specimens", "sample", "city", "--batch", "3", "--count", "1").status == 0
    (path,) = workspace.specimens("city").iterdir()
    assert Image.open(path).size == (32, 32)
    assert studio("specimens", "export", "city", "3.0").status == 0
    assert [other.name for other in workspace.specimens("city").iterdir()] == [path.name]
    assert Image.open(path).size == (1024, 1024)


@pytest.mark.parametrize("suffix", ["png", "jpg", "pdf"])
def test_a_print_sheet_has_the_size_of_the_paper(studio, tmp_path, suffix):
    page = tmp_path / f"page.{suffix}"
    words = ["0.1", "0.2", "0.3", "--sheet", page, "--paper", "a4", "--landscape"]
    assert studio("specimens", "export", "city", *words).status == 0
    if suffix == "pdf":
        assert b"/MediaBox [ 0 0 841.92 595.2 ]" in page.read_bytes()
        return
    with Image.open(page) as image:
        assert image.size == (3508, 2480)
        assert [round(float(dpi)) for dpi in image.info["dpi"]] == [300, 300]


def test_a_picture_of_another_size_does_not_replace_one(studio, workspace):
    assert studio("specimens", "export", "city", "0.1").status == 0
    (large,) = studio("specimens", "export", "city", "0.1", "--size", "64", "--json").json
    assert studio("specimens", "export", "city", "0.1", "--format", "png").status == 0
    folder = workspace.specimens("city")
    names = {path.name for path in folder.iterdir()}
    assert names == {"city-0.1-at-12.jpg", "city-0.1-at-12-2.jpg", "city-0.1-at-12.png"}
    assert Path(large["path"]).name == "city-0.1-at-12-2.jpg"


def test_a_deleted_specimen_takes_every_picture_of_it_along(studio, workspace):
    assert studio("specimens", "sample", "city", "--batch", "3", "--count", "2").status == 0
    for words in (["--size", "64"], ["--format", "webp"], ["--at-batch", "4,5"]):
        assert studio("specimens", "export", "city", "3.0", *words).status == 0
    assert studio("delete", "specimen", "city", "3.0", "--yes").status == 0
    assert [path.name for path in workspace.specimens("city").iterdir()] == ["city-3.1.jpg"]


def test_several_batches_are_files_a_sheet_and_a_zip_at_once(studio, tmp_path):
    sheet, archive = tmp_path / "sheet.png", tmp_path / "all.zip"
    common = ["specimens", "export", "city", "0.1", "seed:2", "--at-batch", "2,5,9"]
    places = ["--sheet", sheet, "--zip", archive, "--out", tmp_path / "files"]
    rows = studio(*common, *places, "--json").json
    assert [(row["label"], row["at_batch"]) for row in rows] == [
        (label, batch) for label in ("0.1", "seed:2") for batch in (2, 5, 9)
    ]
    with zipfile.ZipFile(archive) as zipped:
        assert zipped.namelist() != []
        for row in rows:
            inside = tmp_path / "again.jpg"
            inside.write_bytes(zipped.read(Path(row["path"]).name))
            one, other = read_passport(inside), read_passport(Path(row["path"]))
            assert (one.label, one.batch) == (other.label, other.batch)
            assert (one.label, one.batch) == (row["label"], row["at_batch"])
            assert torch.equal(one.z, other.z)
    with Image.open(sheet) as image:
        assert image.width > image.height > 2 * 128  # Two rows of three pictures.


def test_a_zip_alone_leaves_no_files_and_is_the_same_each_time(studio, workspace, tmp_path):
    contents = []
    for name in ("a.zip", "b.zip"):
        words = ["0.1", "0.2", "--zip", tmp_path / name, "--json"]
        rows = studio("specimens", "export", "city", *words).json
        assert {row["path"] for row in rows} == {str(tmp_path / name)}
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]
    assert not workspace.specimens("city").exists()
    told = studio("specimens", "export", "city", "0.1", "--zip", tmp_path / "a.zip")
    assert (told.status, "is there already" in told.err) == (1, True)


def test_a_sheet_of_specimens_at_their_own_batches_has_each_once(studio, tmp_path):
    assert studio("specimens", "sample", "city", "--batch", "3", "--count", "3").status == 0
    words = ["3.0", "3.1", "3.2", "0.1", "--sheet", tmp_path / "sheet.png", "--json"]
    rows = studio("specimens", "export", "city", *words).json
    assert [(row["label"], row["at_batch"]) for row in rows] == [
        *(("3.0", 3), ("3.1", 3), ("3.2", 3), ("0.1", 12))
    ]
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.width > 4 * 128


def test_a_zip_of_pictures_beside_the_exports_is_no_damaged_archive(studio, workspace):
    place = workspace.specimens("city") / "pictures.zip"
    assert studio("specimens", "export", "city", "0.1", "--zip", place).status == 0
    assert studio("verify", "city").status == 0
    content = bytearray(place.read_bytes())
    content[len(content) // 2] ^= 1
    place.write_bytes(content)
    assert "pictures.zip" in studio("verify", "city").out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--size", "x"], "'x' is not a size"),
        (["--size", "99999"], "out of range: use 2 to 16383 px"),
        (["--quality", "101"], "--quality 101 is out of range"),
        (["--at-batch", "99"], "99"),
        (["--zip", "a.tar"], "must end in .zip"),
        (["--sheet", "a.gif"], "must end in .png"),
        (["--paper", "a3"], "--paper says how a sheet is printed. Say where: --sheet FILE."),
        (
            ["--sheet", "a.webp", "--paper", "a3"],
            "must end in .png or .jpg or .jpeg or .pdf or .svg",
        ),
    ],
)
def test_an_export_that_cannot_be_is_refused_and_writes_nothing(studio, workspace, words, sentence):
    told = studio("specimens", "export", "city", "0.1", *words)
    assert told.status in (1, 2)
    assert sentence in " ".join(told.err.split())
    assert not workspace.specimens("city").exists()


def save_again(path, kind, **metadata):
    """A picture as Pillow saves it anew, with what a program passes on."""
    out = path.with_name(f"again.{kind}")
    with Image.open(path) as image:
        image.convert("RGB").save(out, **{name: get(image) for name, get in metadata.items()})
    return out


EXIF = {"exif": lambda image: image.getexif()}
RAW_EXIF = {"exif": lambda image: image.info["exif"]}
XMP = {"xmp": lambda image: image.info["xmp"]}
KINDS_PASSED = {"exif": EXIF, "bytes": RAW_EXIF, "xmp": XMP, "both": {**EXIF, **XMP}}


@pytest.mark.parametrize("first", ["jpg", "png", "webp"])
@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
@pytest.mark.parametrize("passed", KINDS_PASSED.values(), ids=KINDS_PASSED)
def test_a_picture_saved_anew_brings_its_point_back(exported, tmp_path, first, kind, passed):
    if "xmp" in passed and (kind == "png" or first == "png"):
        pytest.skip("Pillow neither reads XMP as 'xmp' from a PNG nor writes it there")
    path = tmp_path / exported[first].name
    path.write_bytes(exported[first].read_bytes())
    found, again = read_passport(path), read_passport(save_again(path, kind, **passed))
    assert again.z.numpy().tobytes() == found.z.numpy().tobytes()
    assert (again.run, again.label, again.batch) == (found.run, found.label, found.batch)
    assert (again.weights_digest, again.options) == (found.weights_digest, found.options)


@pytest.fixture(scope="module")
def exported(trained_root, tmp_path_factory):
    """A picture of each kind of one city."""
    from tests.studio.conftest import call_main

    out = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as monkeypatch:
        for kind in ("jpg", "png", "webp"):
            words = ["specimens", "export", "city", "seed:5", "--format", kind, "--out", out]
            assert call_main(trained_root, words, monkeypatch) == 0
    return {path.suffix[1:]: path for path in out.iterdir()}


def test_a_png_without_exif_is_read_by_its_xmp(exported, tmp_path):
    content = exported["png"].read_bytes()
    place = content.index(b"eXIf") - 4
    length = int.from_bytes(content[place : place + 4], "big") + 12
    stripped = tmp_path / "stripped.png"
    stripped.write_bytes(content[:place] + content[place + length :])
    assert torch.equal(read_passport(stripped).z, read_passport(exported["png"]).z)


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
def test_a_command_takes_a_picture_of_any_kind_and_renders_the_same_frame(
    studio, workspace, exported, kind
):
    batch = CheckpointIndex(workspace.runs)["city"].last_batch
    point = resolve_point(workspace, "city", str(exported[kind]))
    assert point.label == "seed:5"
    G = CheckpointIndex(workspace.runs)["city"].generator(batch)
    frame = render_frames(G, point.z[None])[0]
    np.testing.assert_array_equal(frame, frame_of(workspace, "seed:5", batch))
    near = studio("near", "city", exported[kind], "-k", "1", "--json")
    assert near.json["point"] == "seed:5"


def test_reindex_finds_the_points_of_pictures_of_every_kind(studio, workspace):
    assert studio("specimens", "sample", "city", "--batch", "3", "--count", "2").status == 0
    for label, kind in (("3.0", "png"), ("3.1", "webp")):
        assert studio("specimens", "export", "city", label, "--format", kind).status == 0
    for path in workspace.specimens("city").glob("*.jpg"):
        path.unlink()
    workspace.database.unlink()
    assert studio("reindex").status == 0
    labels = {row["label"] for row in studio("specimens", "list", "city", "--json").json}
    assert {"3.0", "3.1"} <= labels
    picture = workspace.specimens("city") / "city-3.0.png"
    content = picture.read_bytes()
    picture.write_bytes(content.replace(b'"batch": 3', b'"batch": 4', 1))
    assert "city-3.0.png" in studio("verify", "city").out


def test_the_question_before_specimens_are_deleted_knows_their_names_and_pictures(
    studio, workspace
):
    assert studio("specimens", "sample", "city", "--batch", "3", "--count", "2").status == 0
    assert studio("rename", "specimen", "city", "3.0", "Old harbour").status == 0
    assert studio("specimens", "star", "city", "3.0").status == 0
    assert studio("specimens", "export", "city", "3.0", "--size", "64").status == 0
    asked = DeleteSpecimens(run="city", labels=("Old harbour",))
    assert "3.0, of which 3.0 starred" in asked.question(workspace)
    names = [path.name for path in asked.parts(workspace)]
    assert names == ["city-3.0-2.jpg", "city-3.0.jpg"]
