import json

import numpy as np
import pytest

from studio.datasets.prepared import PreparedDataset
from studio.datasets.writer import write_dataset
from studio.workspace.errors import EXPECTED_ERRORS


@pytest.fixture
def folder(tmp_path):
    with write_dataset(tmp_path / "tones", 32, "made by hand", attribution="© nobody") as writer:
        for tone in range(3):
            writer.append(np.full((32, 32, 3), tone, np.uint8))
    return tmp_path / "tones"


def test_what_was_written_is_read(folder):
    dataset = PreparedDataset.open(folder)
    assert len(dataset) == 3
    assert list(dataset.pixels[:, 31, 31, 2]) == [0, 1, 2]
    assert dataset.manifest.attribution == "© nobody"
    assert dataset.manifest.source == "made by hand"


def test_pixels_are_mapped_and_read_only(folder):
    pixels = PreparedDataset.open(folder).pixels
    assert isinstance(pixels, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        pixels[0] = 1


def test_a_folder_without_a_dataset_says_how_to_make_one(tmp_path):
    with pytest.raises(EXPECTED_ERRORS, match="studio datasets add"):
        PreparedDataset.open(tmp_path / "nothing")


def test_a_count_that_disagrees_with_the_pixels_is_damage(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["xxh3"]  # Older versions wrote none.
    (folder / "manifest.json").write_text(json.dumps(manifest | {"pictures": 4}))
    with pytest.raises(EXPECTED_ERRORS, match=r"damaged: .*\[3, 32, 32, 3\].*\[4, 32, 32, 3\]"):
        PreparedDataset.open(folder)


@pytest.mark.parametrize(
    "text", ["{", "[]", '"a"', "{}", '{"skipped": [], "colour": "red"}', '{"skipped": [1]}']
)
def test_a_manifest_that_makes_no_sense_is_damage(folder, text):
    (folder / "manifest.json").write_text(text)
    with pytest.raises(EXPECTED_ERRORS, match="damaged"):
        PreparedDataset.open(folder)


@pytest.mark.parametrize("length", [0, 50, -1])
def test_pixels_cut_short_are_damage(folder, length):
    content = (folder / "pixels.npy").read_bytes()
    (folder / "pixels.npy").write_bytes(content[:length])
    with pytest.raises(EXPECTED_ERRORS, match="damaged"):
        PreparedDataset.open(folder)


def test_missing_pixels_are_damage(folder):
    (folder / "pixels.npy").unlink()
    with pytest.raises(EXPECTED_ERRORS, match="damaged"):
        PreparedDataset.open(folder)


def test_a_manifest_that_changed_since_it_was_written_is_refused(folder):
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b"made by hand", b"made by band"))
    with pytest.raises(EXPECTED_ERRORS, match=r"manifest\.json was edited or damaged"):
        PreparedDataset.open(folder)
