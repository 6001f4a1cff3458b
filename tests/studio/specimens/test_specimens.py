"""Specimens as pictures: each view of a city is a file of its own."""

import numpy as np
import torch

from checkpoints_index import CheckpointIndex
from studio.specimens.passports import Passport, read_passport, save_specimen
from studio.specimens.specimens import export_specimens, picture_path


def test_a_city_at_another_batch_does_not_replace_the_picture_of_its_own(workspace, tmp_path):
    checkpoints = CheckpointIndex(workspace.runs)["city"]
    first, last = checkpoints.batches[0], checkpoints.batches[-1]
    paths = [
        export_specimens(workspace, "city", ["seed:3"], tmp_path, batch)[0].path
        for batch in (first, last, first)
    ]
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
    exported = export_specimens(workspace, "city", ["seed:3"], tmp_path, batch)[0]
    assert exported.path.name == f"city-seed-3-at-{batch}-2.jpg"
    assert other.read_bytes() == content
