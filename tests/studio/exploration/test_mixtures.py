"""Sums of points, grids between them, walks near one: right values, pictures, and refusals."""

import json
import math

import imageio.v3 as imageio
import numpy as np
import pytest
import torch
from PIL import Image

import studio as studio_package
from latent.points import sample_point, seeded_point
from renderers.plan.render_plan import RenderPlan
from studio.specimens.own_points import keep_own_points
from studio.specimens.point_files import ForeignPoint
from studio.specimens.points import resolve_point


def z_of(*seeds):
    return torch.stack([seeded_point(seed, 16).z for seed in seeds])


def test_a_sum_is_told_with_its_terms_and_drawn_beside_them(studio):
    found = studio("mix", "city", "seed:1 + 0.5*0.1 - seed:2", "--json").json
    assert [tuple(term.values()) for term in found["terms"]] == [
        (1, "seed:1"),
        (0.5, "0.1"),
        (-1, "seed:2"),
    ]
    assert found["batch"] == 12
    assert found["label"] is None
    with Image.open(found["path"]) as sheet:
        assert sheet.width > 4 * 128  # Three terms and the result.
    assert found["length"] == pytest.approx(np.linalg.norm(found["z"]), abs=1e-3)
    assert found["typical_length"] == 4
    told = studio("mix", "city", "seed:1 + 0.5*0.1 - seed:2").out
    assert "points of run 'city' are 4.0" in told


def test_an_exported_picture_is_a_part_of_a_sum_in_python_too(studio, workspace, tmp_path):
    words = ("specimens", "export", "city", "0.1", "--out", str(tmp_path), "--json")
    (made,) = studio(*words).json
    here = studio_package.open(workspace.root)
    found = here.mix(run="city", expression=f'0.5*"{made["path"]}" + 0.5*seed:2')
    assert [term.label for term in found.terms] == ["0.1", "seed:2"]
    a, b = resolve_point(workspace, "city", "0.1").z, z_of(2)[0]
    assert torch.allclose(torch.tensor(found.z), (a + b) / math.sqrt(2), atol=1e-5)
    assert here.corners(run="city", corners=["seed:1", "seed:2", "seed:3", "0.1"]).rows == 7


def test_a_typical_sum_is_scaled_and_a_plain_one_is_not(studio):
    a, b, c = z_of(1, 2, 3)
    words = ("mix", "city", "seed:1 + 2*seed:2 - seed:3")
    typical = torch.tensor(studio(*words, "--json").json["z"])
    plain = torch.tensor(studio(*words, "--length", "sum", "--json").json["z"])
    assert torch.allclose(plain, a + 2 * b - c, atol=1e-5)
    assert torch.allclose(typical, plain / math.sqrt(6), atol=1e-5)
    short = studio(*words, "--truncate", "0.25", "--json").json
    assert torch.allclose(torch.tensor(short["z"]), typical * 0.25, atol=1e-5)


def test_a_point_that_is_there_twice_counts_once_with_both_weights(studio):
    found = studio("mix", "city", "seed:1 + seed:1 - seed:2 + seed:2", "--json").json
    assert [tuple(term.values()) for term in found["terms"]] == [(2, "seed:1")]
    assert torch.equal(torch.tensor(found["z"]), z_of(1)[0])


def test_a_result_that_is_kept_is_a_point_of_the_run_and_keeps_its_label(studio, workspace):
    words = ("mix", "city", "seed:1 + seed:2", "--keep", "--json")
    first = studio(*words).json
    assert first["label"].startswith("12.")
    kept = resolve_point(workspace, "city", first["label"])
    assert kept.z.tolist() == first["z"]
    assert studio(*words).json["label"] == first["label"]
    assert studio("mix", "city", first["label"], "--json").json["z"] == first["z"]


@pytest.mark.parametrize(
    ("expression", "options", "sentence"),
    [
        ("seed:1 +", (), "A point is missing in the sum"),
        ("seed:1+seed:2", (), "a space on either side"),
        ("seed:1 - seed:1", (), "Nothing is left of this sum"),
        ("seed:1 + nowhere", (), "'nowhere' is no latent point"),
        ("seed:1-9 + 0.1", (), "seed:1-9 names several points"),
        ("__import__('os') + seed:1", (), "is no latent point"),
        ("seed:1", ("--truncate", "1.5"), "--truncate 1.5 is out of range"),
        ("seed:1", ("--batch", "99"), "99"),
        ("seed:1", ("--out", "sheet.txt"), "sheet.txt"),
        ("x" * 9000, (), "9,000 characters is too long"),
        ("\x1b[31m + seed:1", (), "'\\x1b[31m' is no latent point"),
    ],
)
def test_what_cannot_be_mixed_is_refused_in_a_sentence(studio, expression, options, sentence):
    outcome = studio("mix", "city", expression, *options)
    assert outcome.status in (1, 2)
    assert sentence in " ".join(outcome.err.split())
    assert "Traceback" not in outcome.err
    assert "\x1b[31m" not in outcome.err


@pytest.mark.parametrize("shaped", ["uniform", "sphere"], indirect=True)
def test_sums_and_grids_stay_in_the_distribution_of_their_run(studio, shaped):
    for expression in ("seed:1 + seed:2 - seed:3", "9*seed:1 + seed:2", "-seed:4 + 0.1*5.1"):
        for length in ("typical", "sum"):
            words = ("mix", "shaped", "--length", length, "--json", "--", expression)
            z = torch.tensor(studio(*words).json["z"])
            assert shaped.holds_z(z)
            assert not torch.equal(z, torch.zeros(16))
    alone = torch.tensor(studio("mix", "shaped", "seed:1", "--json").json["z"])
    assert torch.equal(alone, seeded_point(1, 16, shaped.shape_z).z)


@pytest.mark.parametrize("shaped", ["uniform", "sphere"], indirect=True)
def test_points_are_led_back_to_normal_ones_and_shaped_again(shaped):
    normal = torch.randn(200, 16, generator=torch.Generator().manual_seed(0))
    z = shaped.shape_z(normal)
    assert shaped.holds_z(z)
    assert not shaped.holds_z(z * 1.5)
    assert torch.allclose(shaped.shape_z(shaped.unshape_z(z)), z, atol=1e-5)
    squares = float(shaped.unshape_z(z).square().mean())
    assert squares == pytest.approx(1, abs=0.05)
    assert float(z.norm(dim=1).square().mean().sqrt()) == pytest.approx(
        shaped.typical_length, rel=0.05
    )


@pytest.mark.parametrize("shaped", ["uniform"], indirect=True)
def test_a_point_outside_of_the_distribution_is_named_and_brought_inside(studio, shaped, workspace):
    (point,) = keep_own_points(
        workspace, "shaped", [ForeignPoint(None, np.full(16, 3.0, np.float32))], 5
    )
    outcome = studio("mix", "shaped", f"{point.label} + seed:1", "--json")
    assert f"{point.label} lies outside of the uniform distribution" in outcome.err
    assert shaped.holds_z(torch.tensor(outcome.json["z"]))


@pytest.mark.parametrize("shaped", ["sphere"], indirect=True)
def test_nothing_on_a_sphere_is_truncated(studio, shaped):
    outcome = studio("mix", "shaped", "seed:1", "--truncate", "0.5")
    assert outcome.status == 1
    assert "lie on a sphere" in outcome.err


@pytest.mark.parametrize("shaped", ["uniform", "sphere"], indirect=True)
def test_a_label_that_nobody_kept_stands_for_a_point_of_the_distribution(shaped, workspace):
    point = resolve_point(workspace, "shaped", "5.7")
    assert torch.equal(point.z, sample_point(5, 7, 16, shape=shaped.shape_z).z)


def test_a_grid_between_four_points_is_drawn(studio):
    words = ("corners", "city", "seed:1", "seed:2", "0.1", "seed:4")
    found = studio(*words, "--columns", "5", "--rows", "3", "--json").json
    assert (found["columns"], found["rows"]) == (5, 3)
    assert found["corners"] == ["seed:1", "seed:2", "0.1", "seed:4"]
    with Image.open(found["path"]) as sheet:
        assert sheet.width > 5 * 128
        assert sheet.height > 3 * 128
    assert "5 x 3 pictures between seed:1" in studio(*words, "--columns", "5", "--rows", "3").out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("seed:1", "seed:2", "seed:3"), "four corners, each another point; 3 were named"),
        (("seed:1", "seed:2", "seed:3", "seed:1"), "four corners, each another point; 4"),
        (("seed:1-2", "seed:3", "seed:4", "0.1"), "names several points"),
        (("seed:1", "seed:2", "seed:3", "0.1", "--columns", "1"), "--columns 1 is out of range"),
    ],
)
def test_a_grid_without_four_corners_is_refused(studio, words, sentence):
    outcome = studio("corners", "city", *words)
    assert outcome.status in (1, 2)
    assert sentence in outcome.err
    assert "Traceback" not in outcome.err


def planned_walk(workspace):
    """Where the point of the one film is in each frame, float32 [frames, z_dim]."""
    (path,) = workspace.renders.glob("*walk*/plan.json")
    plan = RenderPlan.from_json(json.loads(path.read_text())["plan"])
    return plan.z(0, len(plan.batches))[:, 0]


def test_a_walk_is_filmed_from_its_point_and_stays_within_the_radius(studio, workspace):
    words = ("--radius", "0.4", "--seconds", "1", "--fps", "12")
    made = studio("render", "walk", "city", "seed:3", *words, "--json").json
    (video,) = made["videos"]
    assert video["frames"] == 12
    assert len(imageio.imread(video["path"])) == 12
    z, point = planned_walk(workspace), seeded_point(3, 16).z
    assert torch.equal(z[0], point)
    far = (z - point).norm(dim=1) / 4
    assert float(far.max()) == pytest.approx(0.4, rel=1e-3)
    assert torch.allclose(z.norm(dim=1), point.norm().expand(12), rtol=1e-4)


@pytest.mark.parametrize("shaped", ["uniform", "sphere"], indirect=True)
def test_a_walk_stays_in_the_distribution_of_its_run(studio, shaped, workspace):
    words = ("--radius", "1.2", "--seconds", "1", "--fps", "12", "--json")
    assert studio("render", "walk", "shaped", "seed:3", *words).status == 0
    z = planned_walk(workspace)
    assert shaped.holds_z(z)
    assert torch.equal(z[0], seeded_point(3, 16, shaped.shape_z).z)
    assert len({tuple(row) for row in z.tolist()}) == 12


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nowhere",), "'nowhere' is no latent point"),
        (("seed:1", "--radius", "2"), "--radius 2 is out of range: use 1.41 or less"),
        (("seed:1", "--batch", "99"), "99"),
    ],
)
def test_a_walk_that_cannot_be_filmed_is_refused(studio, words, sentence):
    outcome = studio("render", "walk", "city", *words)
    assert outcome.status in (1, 2)
    assert sentence in outcome.err
    assert "Traceback" not in outcome.err
