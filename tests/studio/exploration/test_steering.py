"""A city that is steered: right numbers, pictures, refusals."""

import numpy as np
import pytest
import torch
from PIL import Image

from checkpoints_index import CheckpointIndex
from latent.directions.closed_form import find_closed_form
from latent.points import seeded_point
from studio.specimens.points import resolve_point


def test_single_dimensions_and_directions_add_up(studio, workspace):
    found = studio("steer", "city", "seed:1", "--along", "z:3=1.5,sefa:0=-2", "--json").json
    G = CheckpointIndex(workspace.runs)["city"].generator(12)
    way = find_closed_form(G, 16, 1)[0].z
    wanted = seeded_point(1, 16).z - 2 * way
    wanted[3] += 1.5
    assert found["z"] == pytest.approx(wanted.tolist(), abs=1e-5)
    assert found["along"] == ["z:3=1.5", "sefa:0=-2"]
    moved = np.linalg.norm(np.array(found["z"]) - seeded_point(1, 16).z.numpy())
    assert found["distance"] == pytest.approx(moved, abs=1e-3)
    with Image.open(found["path"]) as sheet:
        assert sheet.width > 2 * 128  # Before and after.


def test_a_strength_of_nothing_changes_no_bit_and_what_is_kept_is_a_point(studio, workspace):
    found = studio("steer", "city", "seed:4", "--along", "pca:0=0", "--keep", "--json").json
    kept = resolve_point(workspace, "city", found["label"])
    assert torch.equal(kept.z, seeded_point(4, 16).z)


def test_the_sheet_of_a_command_says_what_its_directions_do(studio):
    """`studio directions` draws what `studio steer` goes along."""
    told = studio("directions", "city", "--point", "seed:1", "--compared", "0", "--json").json
    way = torch.tensor(told["directions"][2]["z"])
    found = studio("steer", "city", "seed:1", "--along", "pca:2=1", "--json").json
    assert found["z"] == pytest.approx((seeded_point(1, 16).z + way).tolist(), abs=1e-4)


@pytest.mark.parametrize(
    ("along", "said"),
    [
        ("pca:0", "in --along is no step: write pca:0=2"),
        ("pca:0=nan", "no step"),
        ("pca:0=21", "at most 20 standard deviations"),
        ("tensor:0=1", "no step"),
        ("z:16=1", "There is no z:16: these points have 16 numbers"),
        ("z:1=1,z:1=2", "names each direction once"),
        ("z:1=1\x00", "holds a NUL"),
    ],
)
def test_what_is_no_step_is_refused_with_a_sentence(studio, along, said):
    refused = studio("steer", "city", "seed:1", "--along", along)
    assert refused.status in (1, 2)
    assert said in " ".join(refused.err.split())
