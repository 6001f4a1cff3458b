from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from checkpoints_index import CheckpointIndex, GeneratorSpec
from studio.films.options.film_options import SheetOptions
from studio.films.sheet import draw_sheet
from studio.workspace.errors import EXPECTED_ERRORS
from tests.studio.conftest import BATCHES

SHEET = ("render", "sheet", "city")


def shape(outcome):
    """Rows and columns of a sheet that was drawn."""
    assert outcome.status == 0, outcome.err
    return outcome.json["rows"], outcome.json["columns"]


def test_the_fixed_points_over_eight_batches_are_drawn_unless_told_otherwise(studio, workspace):
    drawn = studio(*SHEET, "--json")
    assert shape(drawn) == (9, 8)
    path = Path(drawn.json["path"])
    assert path.is_relative_to(workspace.renders)
    picture = np.asarray(Image.open(path))
    assert picture.shape[0] > 9 * 128
    assert picture.shape[1] > 8 * 128
    assert studio(*SHEET, "--json").json == drawn.json
    assert f"{path}: 8 x 9 pictures" in studio(*SHEET).out


def test_points_and_batches_are_chosen_as_for_films(studio, tmp_path):
    out = ("--out", tmp_path / "a.jpg", "--overwrite", "--json")
    assert shape(studio(*SHEET, "--points", "0.1,seed:3", "--batches", "2:11:3", *out)) == (2, 3)
    assert shape(studio(*SHEET, "--points", "0.1", *out)) == (3, 4)
    assert shape(studio(*SHEET, "--points", "0.1", "--columns", 6, *out)) == (2, 6)
    assert shape(studio(*SHEET, "--batch", 5, *out)) == (3, 3)
    assert Image.open(tmp_path / "a.jpg").format == "JPEG"


def test_batches_are_picked_evenly_where_they_are_too_many_or_a_count_is_asked_for(studio):
    two = ("--points", "0.1,0.2", "--json")
    assert shape(studio(*SHEET, *two, "--batches", f"1:{BATCHES + 1}")) == (2, 8)
    assert shape(studio(*SHEET, *two, "--count", 3)) == (2, 3)
    assert shape(studio(*SHEET, *two, "--count", 300)) == (2, BATCHES)
    listed = ",".join(map(str, range(1, 11)))
    assert shape(studio(*SHEET, *two, "--batches", listed)) == (2, 10)


def test_a_picture_shows_its_point_at_its_batch(studio, workspace, tmp_path):
    studio("specimens", "sample", "city", "--batch", 5, "--count", 1)
    drawn = studio(
        *SHEET, "--points", "5.0", "--batch", 5, "--scale", 1, "--out", tmp_path / "a.png", "--json"
    )
    exported = np.asarray(Image.open(workspace.specimens("city") / "city-5.0.jpg")).astype(int)
    sheet = np.asarray(Image.open(drawn.json["path"]))
    windows = np.lib.stride_tricks.sliding_window_view(sheet, exported.shape)[:, :, 0]
    assert np.abs(windows - exported).mean((2, 3, 4)).min() < 4  # an exported JPEG is not exact


def test_a_sheet_is_recorded_as_a_job(studio):
    studio(*SHEET, "--count", 2)
    job = studio("jobs", "list", "--json").json[0]
    assert (job["command"][:3], job["status"]) == (list(SHEET), "done")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--batch", 5, "--batches", "1:5"), "leave out --batches and --count"),
        (("--batch", 5, "--count", 2), "leave out --batches and --count"),
        (("--batch", 500), "500"),
        (("--points", "0.99"), "no specimen 0.99"),
        (("--batches", "often"), "'often' is no choice of batches"),
        (("--columns", 2), "A number of columns needs a sheet of one point"),
        (("--device", "cuda:97"), "no device 'cuda:97'"),
        (("--out", "sheet.gif"), "Cannot write 'sheet.gif': its name must end in .png"),
        (("--scale", 64), "pixels; the most are 40 million"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_a_line(studio, words, sentence):
    ended = studio(*SHEET, *words)
    assert ended.status == 1
    assert sentence in ended.err
    assert "Traceback" not in ended.err


def test_a_count_of_none_is_wrong_usage(studio):
    ended = studio(*SHEET, "--count", 0)
    assert ended.status == 2
    assert "--count 0 is out of range: use 1 or more." in ended.err


def test_a_run_without_points_or_checkpoints_says_what_to_do(empty_workspace):
    spec = GeneratorSpec("dcgan", {"z_dim": 8, "image_size": 32, "width": 0.125})
    with CheckpointIndex(empty_workspace.runs).create("town", spec, storage="exact") as run:
        with pytest.raises(EXPECTED_ERRORS, match=r"no points of its own.* --points seed:1"):
            draw_sheet(empty_workspace, SheetOptions(run="town"), print)
        one = SheetOptions(run="town", points=("seed:1",))
        at_batch = SheetOptions(run="town", points=("seed:1",), batch=5)
        for sheet in (one, at_batch):
            with pytest.raises(EXPECTED_ERRORS, match="no checkpoint"):
                draw_sheet(empty_workspace, sheet, print)
        torch.manual_seed(0)
        run.append(5, spec.build().state_dict())
        run.flush()
        drawn = draw_sheet(empty_workspace, at_batch, print)
    assert (drawn.rows, drawn.columns) == (1, 1)
