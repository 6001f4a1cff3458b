"""Small pictures are made once, and kept as the others are."""

import numpy as np
import pytest
from PIL import Image

from studio.datasets.prepared import PreparedDataset, small_file
from studio.datasets.small_pictures import downscale_dataset, write_small
from studio.workspace.errors import EXPECTED_ERRORS
from tests.studio.conftest import write_pictures


@pytest.fixture
def streets(workspace):
    return PreparedDataset.open(workspace.dataset("streets"))


def test_a_folder_is_prepared_with_its_small_pictures(empty_studio, empty_workspace, tmp_path):
    pictures = write_pictures(tmp_path / "pictures", count=3)
    words = ["datasets", "add", pictures, "--name", "roads", "--image-size", "32"]
    said = empty_studio(*words, "--downscale", "2,4")
    assert "kept 2 and 4 times as small as well" in said.out
    dataset = PreparedDataset.open(empty_workspace.dataset("roads"))
    for factor in (2, 4):
        small = dataset.small(factor)
        assert isinstance(small, np.memmap)
        for whole, made in zip(dataset.pixels, small, strict=True):
            size = (32 // factor, 32 // factor)
            expected = Image.fromarray(whole).resize(size, Image.Resampling.BICUBIC)
            assert np.array_equal(made, np.asarray(expected))


def test_small_pictures_are_added_to_a_dataset_that_is_there(streets):
    assert streets.manifest.small == ()
    with pytest.raises(EXPECTED_ERRORS, match="studio datasets downscale streets --downscale 2"):
        streets.small(2)
    more = downscale_dataset(downscale_dataset(streets, (4,)), (3,))
    assert [factor for factor, _ in more.manifest.small] == [3, 4]
    assert more.small(3).shape == (24, 10, 10, 3)
    assert more.manifest.digest == streets.manifest.digest


def test_verify_names_a_small_file_that_changed(studio, workspace, streets):
    downscale_dataset(streets, (4,))
    assert studio("verify", "city").status == 0
    path = streets.folder / small_file(4)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    refused = studio("verify", "city", "--json")
    assert refused.status == 3
    (damage,) = refused.json["damaged"]
    assert damage["file"].endswith(path.name)
    path.unlink()
    assert studio("verify", "city").status == 3


def test_an_interrupted_call_leaves_the_dataset_as_it_was(streets, monkeypatch):
    def fail(*given):
        raise OSError(28, "No space left on device")

    before = sorted(path.name for path in streets.folder.iterdir())
    monkeypatch.setattr("studio.datasets.small_pictures.shrink_picture", fail)
    with pytest.raises(EXPECTED_ERRORS, match="No space left on device"):
        downscale_dataset(streets, (2,))
    assert sorted(path.name for path in streets.folder.iterdir()) == before
    assert PreparedDataset.open(streets.folder).manifest.small == ()


@pytest.mark.parametrize("written", ["5", "x", "2,22"])
def test_other_factors_are_refused_before_anything_is_written(studio, streets, written):
    refused = studio("datasets", "downscale", "streets", "--downscale", written)
    assert refused.status != 0
    assert "2, 3, 4 times as small" in refused.err


def test_what_is_left_over_is_cut_off(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    write_small(tmp_path, pixels, 3)
    small = np.load(tmp_path / small_file(3))
    expected = Image.fromarray(pixels[1][:30, :30]).resize((10, 10), Image.Resampling.BICUBIC)
    assert np.array_equal(small[1], np.asarray(expected))
