"""Specimens as pictures: each view of a city is a file of its own, and each has a label."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from checkpoints_index import CheckpointIndex
from latent.points import sample_point
from studio.nearness.searches import find_near
from studio.runs.pins import specimen_batches
from studio.specimens.exports import ExportOptions, export_specimens
from studio.specimens.marking import star_specimens
from studio.specimens.passports import Passport, read_passport, save_specimen
from studio.specimens.points import SAMPLED, draw_points, points_of, resolve_points
from studio.specimens.specimens import (
    list_specimens,
    picture_path,
)
from studio.workspace.errors import StudioError


def export_at(workspace, batch, out):
    options = ExportOptions(at_batch=str(batch), out=out)
    return export_specimens(workspace, "city", ["seed:3"], options)


def test_a_city_at_another_batch_does_not_replace_the_picture_of_its_own(workspace, tmp_path):
    checkpoints = CheckpointIndex(workspace.runs)["city"]
    first, last = checkpoints.batches[0], checkpoints.batches[-1]
    paths = [export_at(workspace, batch, tmp_path)[0].path for batch in (first, last, first)]
    assert [path.name for path in paths] == [
        f"city-seed-3-at-{batch}.jpg" for batch in (first, last, first)
    ]
    assert [read_passport(path).batch for path in paths[:2]] == [first, last]
    assert picture_path(workspace, "city", "40.7", batch=40).name == "city-40.7.jpg"


def test_another_picture_of_the_same_name_stays(workspace, tmp_path):
    batch = CheckpointIndex(workspace.runs)["city"].last_batch
    other = tmp_path / f"city-seed-3-at-{batch}.jpg"
    passport = Passport("city", "seed:3", batch, torch.zeros(4), "another")
    save_specimen(np.zeros((8, 8, 3), np.uint8), other, passport, "")
    content = other.read_bytes()
    exported = export_at(workspace, batch, tmp_path)[0]
    assert exported.path.name == f"city-seed-3-at-{batch}-2.jpg"
    assert other.read_bytes() == content


def test_no_label_is_drawn_twice_by_several_at_once(workspace):
    kept = len(points_of(workspace, "city"))
    with ThreadPoolExecutor(4) as threads:
        drawn = list(threads.map(lambda _: draw_points(workspace, "city", 3, 2, 16), range(12)))
    numbers = sorted(int(point.label.partition(".")[2]) for points in drawn for point in points)
    assert numbers == list(range(24))
    assert len(points_of(workspace, "city")) == kept + 24


def test_a_label_that_nobody_kept_stands_for_the_point_that_is_drawn_under_it(workspace):
    before = points_of(workspace, "city")
    (point,) = resolve_points(workspace, "city", ["5.7"])
    assert torch.equal(point.z, sample_point(5, 7, 16).z)
    export_specimens(workspace, "city", ["5.7"])
    assert len(points_of(workspace, "city")) == len(before)
    assert specimen_batches(workspace, "city") == [0]  # No batch is kept from thinning by a look.


@pytest.mark.parametrize("label", ["0.99", "13.0", "5.100000"])
def test_a_label_of_a_batch_that_was_not_trained_is_refused(workspace, label):
    with pytest.raises(StudioError, match="has no specimen"):
        resolve_points(workspace, "city", [label])


def test_only_a_star_makes_a_specimen_of_a_city_that_was_looked_at(workspace):
    star_specimens(workspace, "city", ["5.7"])
    starred = [s.label for s in list_specimens(workspace, "city") if s.starred]
    assert starred == ["5.7"]
    assert specimen_batches(workspace, "city") == [0, 5]
    with pytest.raises(StudioError, match="no specimen that run 'city' keeps"):
        star_specimens(workspace, "city", ["5.8"], starred=False)
    assert len(points_of(workspace, "city", SAMPLED)) == 1


def test_nearness_is_measured_among_specimens_and_what_was_shown(workspace):
    kept = {point.label for point in points_of(workspace, "city")}
    found = find_near(workspace, "city", ["5.7"], k=100, at_batch=5, shown=12).found[0]
    labels = {label for label, _ in found.neighbours}
    assert labels == kept | {f"5.{n}" for n in range(12)} - {"5.7"}
