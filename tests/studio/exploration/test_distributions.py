"""Every way through latent space stays in the distribution that its run was trained with."""

import json

import numpy as np
import pytest
import torch

from checkpoints_index import CheckpointIndex
from latent.interpolation import slerp
from latent.maps.neighbourhood import Neighbourhood
from latent.points import seeded_point
from renderers.frames.frame_renderer import render_frames
from renderers.pictures.picture_file import save_picture
from renderers.plan.render_plan import RenderPlan
from studio.specimens.own_points import keep_own_points
from studio.specimens.point_files import ForeignPoint
from studio.specimens.points import points_of, resolve_point, resolve_points
from studio.specimens.specimens import list_specimens

OTHERS = pytest.mark.parametrize("shaped", ["uniform", "sphere"], indirect=True)
ENDS = ("--points", "seed:1,seed:2,seed:3")
WAYS = {
    "slerp": ("render", "interpolation", "shaped", *ENDS, "--kind", "slerp"),
    "linear": ("render", "interpolation", "shaped", *ENDS, "--kind", "linear"),
    "spline": ("render", "interpolation", "shaped", *ENDS, "--kind", "spline", "--loop"),
    "circle": ("render", "interpolation", "shaped", "--points", "seed:1", "--kind", "circle"),
    "through": ("render", "interpolation", "shaped", "--points", "seed:1-2", "--kind", "circle"),
    "noise": ("render", "interpolation", "shaped", "--kind", "noise"),
    "walk": ("render", "walk", "shaped", "seed:1"),
    "keys": ("render", "path", "shaped", "5@seed:1 -> 5@seed:2", "--kind", "linear"),
    "pca": ("render", "direction", "shaped", "--points", "seed:1", "--strength", "5"),
    "sefa": ("render", "direction", "shaped", "--points", "seed:1", "--method", "sefa"),
    "examples": (
        *("render", "direction", "shaped", "--points", "seed:1", "--method", "examples"),
        *("--with", "seed:1-5", "--without", "seed:6-10"),
    ),
}
QUICK_WAYS = [way for way in WAYS if way != "examples"]


def frames_of(workspace):
    (path,) = workspace.renders.glob("shaped-*/plan.json")
    plan = RenderPlan.from_json(json.loads(path.read_text())["plan"])
    return plan.z(0, len(plan.batches))[:, 0]


@OTHERS
@pytest.mark.parametrize("way", [*QUICK_WAYS, pytest.param("examples", marks=pytest.mark.slow)])
def test_no_frame_of_a_film_leaves_the_distribution(studio, workspace, shaped, way):
    assert studio(*WAYS[way], "--seconds", "0.5").status == 0
    z = frames_of(workspace)
    assert shaped.holds_z(z)
    assert len(z.unique(dim=0)) > 10
    if way not in ("noise", "walk"):
        first = seeded_point(1, 16, shaped.shape_z).z
        nearest = (z - first).norm(dim=1).min()
        assert nearest < 1e-4 or way == "circle"


@pytest.mark.parametrize("shaped", ["uniform"], indirect=True)
def test_points_outside_are_named_before_a_film_is_made_of_them(studio, workspace, shaped):
    far = ForeignPoint(None, np.full(16, 3.0, np.float32))
    (point,) = keep_own_points(workspace, "shaped", [far], 5)
    for words in (
        ("render", "interpolation", "shaped", "--points", f"{point.label},seed:2"),
        ("render", "direction", "shaped", "--points", point.label),
    ):
        told = studio(*words, "--seconds", "0.2")
        assert f"{point.label} lies outside of the uniform distribution" in told.err
        assert told.status == 0
    alone = studio("mix", "shaped", point.label, "--json").json
    assert shaped.holds_z(torch.tensor(alone["z"]))


@OTHERS
def test_the_point_of_a_picture_is_found_inside_the_distribution(
    studio, workspace, shaped, tmp_path
):
    G = CheckpointIndex(workspace.runs)["shaped"].generator(5)
    outside = 4 * torch.randn(1, 16, generator=torch.Generator().manual_seed(0))
    save_picture(render_frames(G, outside)[0], tmp_path / "any.png")
    found = studio("invert", "shaped", str(tmp_path / "any.png"), "--gallery", "200", "--json").json
    assert shaped.holds_z(torch.tensor(found["z"]))


@OTHERS
def test_neighbourhoods_lie_in_the_distribution_and_none_of_them_is_kept(studio, workspace, shaped):
    words = ("atlas", "shaped", "--around", "seed:7", "--count", "12", "--radius", "0.5")
    assert studio(*words).status == 0
    assert points_of(workspace, "shaped") == []
    labels = [f"around:seed:7:0.5:12:0:{number}" for number in range(12)]
    found = torch.stack([resolve_point(workspace, "shaped", label).z for label in labels])
    assert shaped.holds_z(found)
    centre = seeded_point(7, 16, shaped.shape_z).z
    assert torch.equal(found[0], centre)
    normal = Neighbourhood("seed:7", 12, 0.5, 0).place(shaped.unshape_z(centre), 11)
    assert torch.equal(found[11], shaped.shape_z(normal))


@OTHERS
def test_paths_between_cities_are_measured_where_the_run_was_trained(studio, shaped):
    words = ("distances", "shaped", "seed:1", "seed:2", "--space", "z", "--metric", "path")
    told = studio(*words, "--json").json["matrix"][0][1]
    a, b = (shaped.unshape_z(seeded_point(n, 16, shaped.shape_z).z) for n in (1, 2))
    way = shaped.shape_z(slerp(a, b, torch.linspace(0, 1, 17)))
    assert told == pytest.approx(float((way[1:] - way[:-1]).norm(dim=1).sum()), rel=1e-4)


def test_a_point_of_a_neighbourhood_is_kept_once_somebody_marks_it(studio, workspace):
    label = "around:0.1:0.4:30:2:9"
    before = len(points_of(workspace, "city"))
    z = resolve_point(workspace, "city", label).z
    assert studio("near", "city", label, "-k", "2").status == 0
    assert len(points_of(workspace, "city")) == before
    (row,) = studio("specimens", "mark", "city", label, "--tag", "found", "--json").json
    kept = row["label"]
    assert torch.equal(resolve_point(workspace, "city", kept).z, z)
    assert {"found"} <= {tag for s in list_specimens(workspace, "city") for tag in s.tags}
    assert studio("specimens", "star", "city", label).status == 0
    assert len(points_of(workspace, "city")) == before + 1


def test_an_exported_point_of_a_neighbourhood_brings_itself_back(studio, workspace, tmp_path):
    label = "around:seed:3:0.25:10:0:4"
    (made,) = studio("specimens", "export", "city", label, "--out", str(tmp_path), "--json").json
    point = resolve_point(workspace, "city", made["path"])
    assert point.label == label
    assert torch.equal(point.z, resolve_point(workspace, "city", label).z)


@pytest.mark.parametrize(
    "label",
    ["around:99.9:0.5:10:0:3", "around:seed:3:0.5:10:0:10", "around:seed:3:0:10:0:1", "around:"],
)
def test_what_is_no_point_of_a_neighbourhood_is_refused_in_a_sentence(studio, label):
    refused = studio("near", "city", label)
    assert refused.status == 1
    assert "no specimen 99.9" in refused.err or "is no latent point" in refused.err


def test_all_specimens_without_a_tag_are_named_by_not_and_the_tag(studio, workspace):
    studio("specimens", "mark", "city", "0.0", "0.1", "--tag", "river")
    kept = [point.label for point in points_of(workspace, "city")]
    found = [point.label for point in resolve_points(workspace, "city", ["not tag:river"])]
    assert found == [label for label in kept if label not in ("0.0", "0.1")]
    assert "has the tag" in studio("near", "city", "not tag:dry").err
