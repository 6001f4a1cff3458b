import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from studio.datasets.folder import find_files, prepare_folder
from studio.datasets.prepared import PreparedDataset
from studio.workspace.errors import EXPECTED_ERRORS


def save_grey(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (40, 40), level).save(path)


def test_pictures_of_all_subfolders_come_in_natural_order(tmp_path):
    for name, level in {"10.png": 40, "2.png": 20, "a/1.PNG": 60, "1.png": 10}.items():
        save_grey(tmp_path / "photos" / name, level)
    save_grey(tmp_path / "photos" / ".thumbnails" / "1.png", 99)
    dataset = prepare_folder(tmp_path / "photos", tmp_path / "datasets" / "grey", 32)
    assert list(dataset.pixels[:, 0, 0, 0]) == [10, 20, 40, 60]
    assert dataset.manifest.name == "grey"
    assert dataset.manifest.source == "folder photos"
    assert dataset.manifest.attribution == ""


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=8, unique=True))
def test_numbered_pictures_come_in_the_order_of_their_numbers(tmp_path_factory, numbers):
    folder = tmp_path_factory.mktemp("numbered")
    for number in numbers:
        (folder / f"step {number}.png").touch()
    found = [path.name for path in find_files(folder)[0]]
    assert found == [f"step {number}.png" for number in sorted(numbers)]


def test_a_broken_picture_is_named_and_skipped(tmp_path):
    save_grey(tmp_path / "photos" / "good.png", 10)
    (tmp_path / "photos" / "sub").mkdir()
    (tmp_path / "photos" / "sub" / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    prepare_folder(tmp_path / "photos", tmp_path / "mixed", 32)
    dataset = PreparedDataset.open(tmp_path / "mixed")
    assert len(dataset) == 1
    [(file, reason)] = dataset.manifest.skipped
    assert file == "sub/broken.jpg"
    assert reason


def test_progress_counts_every_file(tmp_path):
    for index in range(3):
        save_grey(tmp_path / "photos" / f"{index}.png", index)
    (tmp_path / "photos" / "1.png").write_bytes(b"")
    reported = []
    prepare_folder(
        tmp_path / "photos",
        tmp_path / "out",
        32,
        on_progress=lambda done, total: reported.append((done, total)),
    )
    assert reported == [(1, 3), (2, 3), (3, 3)]


def test_a_folder_without_pictures_is_an_error_that_names_what_can_be_read(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme.txt").write_text("no pictures")
    with pytest.raises(EXPECTED_ERRORS, match=r"no pictures in .*WEBP"):
        prepare_folder(tmp_path / "notes", tmp_path / "out", 32)


def test_a_missing_folder_and_a_file_are_told_apart(tmp_path):
    save_grey(tmp_path / "one.png", 1)
    with pytest.raises(EXPECTED_ERRORS, match="There is no folder"):
        prepare_folder(tmp_path / "nowhere", tmp_path / "out", 32)
    with pytest.raises(EXPECTED_ERRORS, match="is a file"):
        prepare_folder(tmp_path / "one.png", tmp_path / "out", 32)


def test_a_folder_of_only_broken_pictures_leaves_nothing(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_text("broken")
    with pytest.raises(EXPECTED_ERRORS, match=r"none of its 1 files .* a\.jpg: damaged"):
        prepare_folder(tmp_path / "photos", tmp_path / "datasets" / "out", 32)
    assert list((tmp_path / "datasets").iterdir()) == []


def test_preparing_again_replaces_only_when_asked(tmp_path):
    save_grey(tmp_path / "photos" / "a.png", 10)
    prepare_folder(tmp_path / "photos", tmp_path / "out", 32)
    save_grey(tmp_path / "photos" / "a.png", 20)
    with pytest.raises(EXPECTED_ERRORS, match="exists already"):
        prepare_folder(tmp_path / "photos", tmp_path / "out", 32)
    dataset = prepare_folder(tmp_path / "photos", tmp_path / "out", 64, replace=True)
    assert dataset.pixels.shape == (1, 64, 64, 3)
    assert np.all(dataset.pixels == 20)


def test_files_are_read_by_content_and_links_are_followed_once(tmp_path):
    photos, elsewhere = tmp_path / "photos", tmp_path / "elsewhere"
    for name, kind in {"a.gif": "GIF", "b.jfif": "JPEG", "c": "PNG", "d.avif": "AVIF"}.items():
        photos.mkdir(exist_ok=True)
        Image.new("RGB", (40, 40)).save(photos / name, format=kind)
    save_grey(elsewhere / "e.png", 5)
    (photos / "linked").symlink_to(elsewhere)
    (elsewhere / "loop").symlink_to(photos)
    (photos / "gone.png").symlink_to(tmp_path / "nowhere")
    (photos / "notes.txt").write_text("no picture")
    manifest = prepare_folder(photos, tmp_path / "out", 32).manifest
    assert manifest.pictures == 5
    assert {file for file, _ in manifest.skipped} == {"linked/loop", "gone.png", "notes.txt"}


def test_a_name_that_is_not_utf_8_is_told_in_letters_that_can_be_printed(tmp_path):
    save_grey(tmp_path / "photos" / "good.png", 1)
    (tmp_path / "photos" / os.fsdecode(b"bad\xff.png")).write_bytes(b"")
    manifest = prepare_folder(tmp_path / "photos", tmp_path / "out", 32).manifest
    [(file, _)] = manifest.skipped
    assert file == "bad\\xff.png"
    assert PreparedDataset.open(tmp_path / "out").manifest == manifest


BLACK_AT_THE_LEFT = {  # Where a black band of 10 of 80 px ends up in 32 px.
    "crop": (np.s_[:0], "their middle squares were cut out"),
    "pad": (np.s_[8:24, :4], "white was added at two sides"),
    "stretch": (np.s_[:, :4], "they were stretched"),
}


@pytest.mark.parametrize("fit", BLACK_AT_THE_LEFT)
def test_how_pictures_become_square_is_a_choice_is_counted_and_told(fit, tmp_path, empty_studio):
    wide = Image.new("L", (80, 40), 255)
    wide.paste(0, (0, 0, 10, 40))
    (tmp_path / "photos").mkdir()
    wide.save(tmp_path / "photos" / "wide.png")
    save_grey(tmp_path / "photos" / "square.png", 0)
    chosen = [] if fit == "crop" else ["--fit", fit]
    words = ["datasets", "add", tmp_path / "photos", "--name", "new", "--image-size", "32"]
    told = empty_studio(*words, *chosen)
    where, sentence = BLACK_AT_THE_LEFT[fit]
    assert f"1 of them were not square: {sentence}" in told.out
    dataset = PreparedDataset.open(tmp_path / "empty" / "datasets" / "new")
    assert (dataset.manifest.fit, dataset.manifest.not_square) == (fit, 1)
    expected = np.full((32, 32), 255)
    expected[where] = 0
    # The filter blurs a border over a few pixels.
    assert (np.abs(dataset.pixels[1, :, :, 0].astype(int) - expected) > 128).sum() == 0
    assert abs(int((dataset.pixels[1, :, :, 0] < 128).sum()) - (expected == 0).sum()) == 0


def test_square_pictures_need_no_word(tmp_path, empty_studio):
    save_grey(tmp_path / "photos" / "square.png", 0)
    words = ["datasets", "add", tmp_path / "photos", "--name", "new", "--image-size", "32"]
    assert "not square" not in empty_studio(*words).out
