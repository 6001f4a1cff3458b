"""Routes: never longer than the direct ways, told and filmed."""

import pytest
import torch
from PIL import Image

from checkpoints_index import CheckpointIndex, GeneratorSpec
from checkpoints_index.storage.trusted_classes import trust_class
from latent.points import LatentPoint
from renderers.video.video_reader import count_frames
from studio.specimens.points import keep_points, resolve_points


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("space", ["pictures", "activations", "z"])
def test_a_route_is_no_longer_than_the_straight_line_and_the_great_circle(studio, space, metric):
    words = ("route", "city", "seed:1", "seed:2", "--space", space, "--metric", metric)
    route = studio(*words, "--drawn", "40", "--neighbours", "6", "--json").json
    assert route["length"] <= min(route["straight_length"], route["great_circle_length"])
    assert (route["stops"][0], route["stops"][-1]) == ("seed:1", "seed:2")
    assert route["detour"] == (len(route["stops"]) > 2)
    assert {(row["space"], row["metric"]) for row in route["lengths"]} == {
        (name, kind)
        for name in ("z", "activations", "pictures")
        for kind in ("euclidean", "cosine")
    }


def test_in_z_the_straight_line_is_the_shortest_and_the_great_circle_turns_least(studio):
    words = ("route", "city", "seed:1", "seed:2", "--space", "z", "--drawn", "40")
    assert studio(*words, "--json").json["kind"] == "straight line"
    said = studio(*words, "--metric", "cosine", "--json").json
    assert said["stops"] == ["seed:1", "seed:2"]
    assert said["unit"] == "radians"


def test_a_route_is_filmed_in_one_step_and_its_stops_are_drawn(studio, tmp_path):
    film, picture = tmp_path / "way.mp4", tmp_path / "way.png"
    words = ("route", "city", "seed:1", "seed:2", "--drawn", "40", "--seconds", "1")
    route = studio(*words, "--out", str(film), "--picture", str(picture), "--json").json
    (video,) = route["videos"]
    assert video["path"] == str(film)
    assert video["frames"] == count_frames(film)
    assert Image.open(picture).width >= len(route["stops"]) * 128


@pytest.mark.parametrize("space", ["pictures", "activations", "z"])
@pytest.mark.parametrize("shaped", ["uniform", "sphere"], indirect=True)
def test_routes_of_other_distributions_are_no_longer_than_the_direct_ways(studio, shaped, space):
    words = ("route", "shaped", "seed:1", "seed:2", "--space", space, "--drawn", "30", "--json")
    route = studio(*words).json
    lengths = {row["way"]: row["length"] for row in route["lengths"] if row["space"] == space}
    own = [row for row in route["lengths"] if (row["space"], row["metric"]) == (space, "euclidean")]
    assert route["length"] == min(row["length"] for row in own)
    assert set(lengths) == {"graph", "great circle", "straight line"}


def test_what_a_detour_costs_or_saves_is_said_and_any_of_the_ways_is_filmed(studio, tmp_path):
    words = ("route", "city", "seed:1", "seed:2", "--space", "z", "--drawn", "40")
    route = studio(*words, "--json").json
    assert route["over"]
    assert route["graph_length"] > route["straight_length"]
    share = route["graph_length"] / route["straight_length"] - 1
    assert f"is {share:.1%} longer than the straight line" in studio(*words).out
    for number, along in enumerate(("graph", "circle", "line")):
        film = tmp_path / f"{number}.mp4"
        said = studio(*words, "--along", along, "--seconds", "1", "--out", str(film), "--json").json
        assert said["drawn_way"] == ("graph", "great circle", "straight line")[number]
        assert count_frames(film) == said["videos"][0]["frames"]


def test_where_the_graph_has_a_gap_its_way_is_refused_in_a_sentence(studio, workspace):
    # Each of two pairs is nearest to the other of it, and no other point joins both.
    places = (50.0, 50.1, -50.0, -50.1)
    pairs = [LatentPoint(f"1.{n}", torch.full((16,), place)) for n, place in enumerate(places)]
    keep_points(workspace, "city", pairs, "imported")
    words = ("route", "city", "1.0", "1.2", "--space", "z", "--drawn", "0", "--neighbours", "1")
    told = studio(*words)
    assert told.status == 0
    assert "has gaps" in told.out
    assert studio(*words, "--json").json["graph_length"] is None
    assert "--neighbours 2" in studio(*words, "--along", "graph").err


def test_a_route_to_the_same_place_is_refused(studio):
    refused = studio("route", "city", "seed:1", "seed:1")
    assert refused.status == 1
    assert "name two that differ" in refused.err


# Two numbers become red and green; where the first is near 0, blue stands up like a wall that ends
# a little above and below.
WALLED = """
import torch
from torch import nn

class Walled(nn.Module):
    def __init__(self):
        super().__init__()
        self.colour = nn.Parameter(torch.tensor(0.2))

    def forward(self, z):
        x, y = z[:, 0], z[:, 1]
        wall = 0.9 * torch.exp(-(x**2) / 0.02) * torch.sigmoid(20 * (0.8 - y.abs()))
        seen = torch.stack([self.colour * x, self.colour * y, wall], 1)
        return seen[:, :, None, None].expand(-1, -1, 32, 32)
"""


def test_a_detour_is_taken_where_the_graph_finds_one(studio, workspace, tmp_path, monkeypatch):
    (tmp_path / "walled_network.py").write_text(WALLED)
    monkeypatch.syspath_prepend(str(tmp_path))
    trust_class(workspace.runs, "walled_network:Walled")
    spec = GeneratorSpec("walled_network:Walled", {"z_dim": 2, "image_size": 32})
    run = CheckpointIndex(workspace.runs).create("walled", spec, storage="exact")
    run.append(1, {"colour": torch.tensor(0.2)})
    run.close()
    ends = [LatentPoint(f"1.{i}", torch.tensor([x, 0.1])) for i, x in enumerate((-0.9, 0.9))]
    keep_points(workspace, "walled", ends, "imported")
    route = studio("route", "walled", "1.0", "1.1", "--drawn", "400", "--json").json
    assert route["detour"]
    assert route["length"] < 0.95 * min(route["straight_length"], route["great_circle_length"])
    found = resolve_points(workspace, "walled", route["stops"])
    told = studio("route", "walled", "1.0", "1.1", "--drawn", "400").out
    assert "shorter than the straight line" in told
    crossing = [p.z for p in found if abs(p.z[0]) < 0.3]
    assert all(abs(z[1]) > 0.6 for z in crossing)
