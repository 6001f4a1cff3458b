"""Nearness by its commands, on a real small run."""

import numpy as np
import pytest
import torch
from PIL import Image

from checkpoints_index import CheckpointIndex
from latent.nearness.features import compute_features
from latent.points import seeded_point


@pytest.fixture
def sampled(studio):
    assert studio("specimens", "sample", "city", "--batch", "5", "--count", "12").status == 0
    return studio


def features_of(workspace, batch, seeds, space="pictures"):
    G = CheckpointIndex(workspace.runs)["city"].generator(batch)
    z = torch.stack([seeded_point(seed, 16).z for seed in seeds])
    return compute_features(G, z, space).double().numpy()


def test_near_among_drawn_points_is_what_comparing_them_all_gives(studio, workspace):
    words = ("near", "city", "seed:3", "-k", "4", "--among", "drawn", "--drawn", "60")
    found = studio(*words, "--at-batch", "7", "--json").json
    features = features_of(workspace, 7, range(60))
    far = np.linalg.norm(features - features[3], axis=1)
    order = [i for i in np.argsort(far, kind="stable") if i != 3][:4]
    assert [near["label"] for near in found["neighbours"]] == [f"seed:{i}" for i in order]
    assert np.allclose([near["distance"] for near in found["neighbours"]], far[order])
    assert (found["space"], found["metric"], found["point"]) == ("pictures", "euclidean", "seed:3")
    assert 0 < found["concentration"] <= 1


def test_several_points_are_searched_from_at_once_and_drawn(sampled, tmp_path):
    picture = tmp_path / "near.png"
    words = ("near", "city", "5.1", "-k", "3", "--also", "5.2", "--also", "seed:9")
    found = sampled(*words, "--picture", str(picture), "--json").json
    alone = sampled("near", "city", "5.2", "-k", "3", "--json").json
    assert [each["point"] for each in found["more"]] == ["5.2", "seed:9"]
    first, again = (
        {near["label"]: near["distance"] for near in each["neighbours"]}
        for each in (found["more"][0], alone)
    )
    assert first == pytest.approx(again, rel=1e-5)
    assert Image.open(picture).width > 4 * 128
    assert "5.2" not in [near["label"] for near in alone["neighbours"]]


def test_what_lies_between_two_is_the_least_detour(sampled):
    words = ("near", "city", "5.1", "--between", "5.2", "--space", "z", "-k", "11", "--json")
    found = sampled(*words).json
    assert found["point"] == "5.1 and 5.2"
    ways = [near["distance"] for near in found["neighbours"]]
    assert ways == sorted(ways)
    direct = sampled("distances", "city", "5.1", "5.2", "--space", "z", "--json").json
    assert ways[0] >= direct["matrix"][0][1]
    assert not {"5.1", "5.2"} & {near["label"] for near in found["neighbours"]}


def test_another_runs_specimens_are_searched_as_it_shows_them(sampled, workspace):
    found = sampled("near", "city", "5.1", "--other-run", "city", "-k", "1", "--json").json
    assert found["among"] == "specimens of city"
    same = sampled(
        "near", "city", "5.1", "--other-run", "city", "-k", "1", "--at-batch", "12", "--json"
    )
    (nearest,) = same.json["neighbours"]
    assert nearest["label"] == "5.1"
    assert nearest["distance"] == pytest.approx(0, abs=1e-5)


def test_the_distance_table_is_symmetric_and_tells_its_unit(sampled, tmp_path):
    picture = tmp_path / "table.png"
    words = ("distances", "city", "5.1", "5.2", "seed:1-3", "--picture", str(picture), "--json")
    table = sampled(*words).json
    matrix = np.array(table["matrix"])
    assert table["labels"] == ["5.1", "5.2", "seed:1", "seed:2", "seed:3"]
    assert np.array_equal(matrix, matrix.T)
    assert not matrix.diagonal().any()
    assert (matrix + np.eye(5) > 0).all()
    assert "16 x 16 pixels" in table["unit"]
    assert Image.open(picture).height > 5 * 96
    assert sampled("distances", "city", "5.1").status == 1


def test_a_path_is_never_shorter_than_its_ends_are_apart(studio):
    words = ("distances", "city", "seed:1", "seed:2", "seed:3", "--json")
    straight = np.array(studio(*words).json["matrix"])
    along = studio(*words, "--metric", "path").json
    assert (np.array(along["matrix"]) >= straight - 1e-6).all()
    assert "great circles in 16 steps" in along["unit"]


def test_spaces_agree_with_themselves_and_neighbours_at_the_last_batch_are_all_kept(
    studio, tmp_path
):
    picture = tmp_path / "spaces.png"
    words = ("spaces", "city", "--count", "60", "-k", "5", "--batches", "3")
    said = studio(*words, "--picture", str(picture), "--json").json
    assert set(said["concentration"]) == {"z", "activations", "pictures"}
    assert len(said["agreement"]) == 3
    assert said["by_chance"] == round(5 / 59, 4)
    last = [row for row in said["training"] if row["batch"] == said["batch"]]
    assert [row["corrected"] for row in last] == [1, 1, 1]
    assert {row["shared"] for row in said["training"] if row["space"] == "z"} == {1}
    assert Image.open(picture).width > 3 * 96


def test_a_layer_of_choice_and_its_space_are_said(studio):
    words = (
        "near",
        "city",
        "seed:1",
        "--among",
        "drawn",
        "--drawn",
        "20",
        "--space",
        "activations",
    )
    assert studio(*words, "--layer", "stem", "--json").json["space"] == "activations of stem"
    wrong = studio(*words, "--layer", "rain")
    assert wrong.status == 1
    assert "no layer 'rain'" in wrong.err
    assert "no space w" in studio("near", "city", "seed:1", "--space", "w", "--among", "drawn").err


def test_near_by_paths_is_what_the_table_of_paths_says(studio):
    words = ("near", "city", "seed:3", "-k", "5", "--among", "drawn", "--drawn", "40")
    found = studio(*words, "--at-batch", "12", "--metric", "path", "--json").json
    table = studio("distances", "city", "seed:0-39", "--metric", "path", "--json").json
    row = np.array(table["matrix"])[3]
    order = [i for i in np.argsort(row, kind="stable") if i != 3][:5]
    assert found["metric"] == "path"
    assert [near["label"] for near in found["neighbours"]] == [f"seed:{i}" for i in order]
    assert np.allclose([near["distance"] for near in found["neighbours"]], row[order], rtol=1e-4)
    refused = studio("near", "city", "seed:3", "--between", "seed:4", "--metric", "path")
    assert "use euclidean or cosine" in refused.err


@pytest.fixture
def diverged(workspace):
    """The name of a run whose last checkpoint holds numbers that are not finite."""
    city = CheckpointIndex(workspace.runs)["city"]
    weights = city.weights(city.last_batch)
    run = CheckpointIndex(workspace.runs).create("sick", city.spec, storage="exact")
    run.append(1, weights)
    broken = {n: t * float("nan") if t.is_floating_point() else t for n, t in weights.items()}
    run.append(2, broken)
    run.close()
    return "sick"


@pytest.mark.parametrize(
    "words",
    [
        ("near", "seed:1", "--among", "drawn", "--drawn", "20"),
        ("near", "seed:1", "--among", "drawn", "--drawn", "20", "--space", "activations"),
        ("distances", "seed:1", "seed:2"),
        ("route", "seed:1", "seed:2", "--drawn", "20"),
        ("spaces", "--count", "20", "-k", "3"),
        ("atlas", "--batch", "2", "--count", "20"),
        ("directions", "--batch", "2"),
    ],
)
def test_a_checkpoint_that_is_not_finite_ends_in_a_sentence(words, studio, diverged):
    command, *rest = words
    ended = studio(*command.split(), diverged, *rest)
    assert (ended.status, ended.out) == (1, "")
    assert "finite" in ended.err
    assert "Traceback" not in ended.err
