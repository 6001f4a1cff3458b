"""The numbers of a run as CSV."""

import csv

from tests.studio.conftest import BATCHES


def test_the_numbers_of_a_run_are_written_a_batch_a_row(studio, tmp_path):
    out = tmp_path / "city.csv"
    told = studio("metrics", "city", "--out", out, "--json").json
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert told["rows"] == len(rows) == BATCHES
    assert [int(row["batch"]) for row in rows] == list(range(1, BATCHES + 1))
    assert all(float(row["g"]) for row in rows)
    assert studio("metrics", "city", "--out", out).status != 0
    assert studio("metrics", "city", "--out", out, "--overwrite").status == 0


def test_without_a_place_it_lies_with_the_exports_of_the_run(studio, workspace):
    path = workspace.exports / "city" / "city-metrics.csv"
    assert str(path) in studio("metrics", "city").out
    assert path.is_file()
    assert studio("metrics", "nobody").status != 0
