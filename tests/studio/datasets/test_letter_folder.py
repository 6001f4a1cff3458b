import json

import numpy as np
import pytest

from studio.datasets.fonts.letter_folder import prepare_letters
from studio.datasets.looking import describe_look, draw_dataset, measure_dataset
from studio.datasets.prepared import LETTERS, PreparedDataset
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from tests.studio.conftest import run_studio
from tests.studio.datasets.font_files import of_symbols, whole_font, write_fonts


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A workspace with the dataset `letters` of six fonts, one of which comes twice."""
    root = tmp_path_factory.mktemp("letters")
    fonts = write_fonts(root / "fonts", 6)
    (fonts / "again.otf").write_bytes((fonts / "font-3.ttf").read_bytes())
    (fonts / "symbols.ttf").write_bytes(of_symbols(whole_font()))
    (fonts / "README").write_text("Fonts.")
    (fonts / "broken.ttf").write_bytes(whole_font()[:6000])
    dataset = prepare_letters(fonts, root / "workspace" / "datasets" / "letters")
    return root / "workspace", dataset


def test_letters_are_kept_as_fields_and_what_was_left_out_is_named(prepared):
    _, dataset = prepared
    assert dataset.pixels.shape == (6, 52, 36, 36)
    assert dataset.manifest.kind == LETTERS
    assert dict(dataset.manifest.skipped) == {
        "font-3.ttf": "the letters of another font",  # `again.otf` comes before it.
        "symbols.ttf": "a font of symbols",
        "README": "no TrueType or OpenType font",
        "broken.ttf": "lacks a letter",
    }
    assert not dataset.has_changed()


def test_a_sheet_shows_both_cases_of_a_letter_with_fields_above(prepared):
    _, dataset = prepared
    sheet = draw_dataset(dataset, columns=2)
    assert sheet.shape == (72, 2 * 72 + 2, 3)
    ink = sheet[36:, :72] < 128
    assert ink[:, :36].any()
    assert not np.array_equal(ink[:, :36], ink[:, 36:])
    said = describe_look(dataset, measure_dataset(dataset))
    assert "both cases of a letter for each font" in said


def test_a_folder_without_a_font_of_use_says_what_it_has_and_leaves_nothing(tmp_path):
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / "a.txt").write_text("a")
    with pytest.raises(EXPECTED_ERRORS, match="1 no TrueType or OpenType font"):
        prepare_letters(tmp_path / "fonts", tmp_path / "datasets" / "letters")
    assert list((tmp_path / "datasets").iterdir()) == []


def test_letters_are_listed_shown_and_renamed_and_other_recipes_refuse_them(
    prepared, tmp_path, capsys, monkeypatch
):
    root, _ = prepared

    def studio(*words):
        return run_studio(root, words, capsys, monkeypatch)

    listed = studio("datasets", "list", "--json").json
    assert [(each["name"], each["kind"], each["pictures"]) for each in listed] == [
        ("letters", "letters", 6)
    ]
    shown = studio("datasets", "show", "letters", "--out", tmp_path / "sheet.png")
    assert "6 fonts, letters of 36 x 36 pixels" in shown.out
    assert "Left out: 4 of 10 files." in shown.out
    assert (tmp_path / "sheet.png").exists()

    refused = studio("train", "letters", "--run", "city", "--preset", "none")
    assert refused.status == 1
    assert "holds the letters of fonts, and pictures are wanted" in refused.err

    assert studio("rename", "dataset", "letters", "abc").status == 0
    assert PreparedDataset.open(Workspace(root).dataset("abc")).manifest.name == "abc"
    assert studio("rename", "dataset", "abc", "letters").status == 0


def test_a_manifest_of_a_kind_of_a_newer_version_is_refused(prepared, tmp_path):
    _, dataset = prepared
    document = json.loads((dataset.folder / "manifest.json").read_text())
    del document["xxh3"]
    (tmp_path / "manifest.json").write_text(json.dumps({**document, "kind": "sounds"}))
    with pytest.raises(EXPECTED_ERRORS, match="damaged: 'sounds'"):
        PreparedDataset.open(tmp_path)
