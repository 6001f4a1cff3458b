"""Copies of training pictures are caught, and pictures from a map find their place."""

import numpy as np
import pytest
import torch
from PIL import Image

from checkpoints_index import CheckpointIndex, GeneratorSpec
from checkpoints_index.storage.trusted_classes import trust_class
from studio.datasets.held_out import split_dataset
from studio.datasets.maps.city import cut_window, prepare_city
from studio.datasets.maps.city_map import draw_city_map
from studio.datasets.maps.map_places import PLACES, Window, read_places
from studio.datasets.prepared import PreparedDataset
from studio.nearness.map_search import find_on_map
from studio.workspace.errors import StudioError

# Shows the one of ten pictures whose anchor is nearest to z in direction, with a little noise.
MEMORISER = """
import torch
from torch import nn

class Memoriser(nn.Module):
    def __init__(self):
        super().__init__()
        self.pictures = nn.Parameter(torch.zeros(10, 3, 32, 32))
        self.anchors = nn.Parameter(torch.zeros(10, 16))

    def forward(self, z):
        shown = self.pictures[(z @ self.anchors.T).argmax(1)]
        return (shown + 0.02 * torch.sin(50 * z.sum(1))[:, None, None, None]).clamp(-1, 1)
"""


@pytest.fixture
def memoriser(workspace, tmp_path, monkeypatch):
    """A run whose generator has memorised ten pictures of the dataset `streets`."""
    (tmp_path / "memoriser_network.py").write_text(MEMORISER)
    monkeypatch.syspath_prepend(str(tmp_path))
    name = "memoriser_network:Memoriser"
    trust_class(workspace.runs, name)
    run = CheckpointIndex(workspace.runs).create(
        "parrot", GeneratorSpec(name, {"z_dim": 16, "image_size": 32}), storage="exact"
    )
    pixels = PreparedDataset.open(workspace.dataset("streets")).pixels[:10]
    pictures = torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1
    anchors = torch.randn(10, 16, generator=torch.Generator().manual_seed(0))
    run.append(1, {"pictures": pictures, "anchors": anchors})
    run.close()
    return "parrot"


def test_a_generator_that_memorised_ten_pictures_is_caught(studio, memoriser, tmp_path):
    picture = tmp_path / "copies.png"
    words = ("memorised", memoriser, "--dataset", "streets", "--count", "40")
    said = studio(*words, "--picture", str(picture), "--json").json
    assert (said["copied"], said["count"]) == (40, 40)
    assert 2 <= said["pictures"] <= 10
    assert {row["picture"] for row in said["nearest"]} <= {f"streets:{i}" for i in range(10)}
    assert Image.open(picture).height > 10 * 96


def test_a_memoriser_is_nearer_to_what_it_saw_than_to_what_was_held_out(
    studio, workspace, tmp_path, monkeypatch
):
    split = split_dataset(PreparedDataset.open(workspace.dataset("streets")), 8)
    assert (len(split.training), len(split.held_out)) == (16, 8)
    picture = tmp_path / "copies.png"
    seen, unseen = tmp_path / "seen.png", tmp_path / "unseen.png"
    noise = np.random.default_rng(0).normal(0, 2, (32, 32, 3))
    for path, number in ((seen, split.training[3]), (unseen, split.held_out[2])):
        Image.fromarray((split.pixels[number] + noise).clip(0, 255).astype(np.uint8)).save(path)
    words = ("memorised", "city", str(seen), str(unseen), "--held-out", "8")
    outcome = studio(*words, "--picture", str(picture))
    assert "1 of 2 are nearer to one of the 16 training pictures" in outcome.out
    said = studio(*words, "--json").json
    assert (said["nearer_to_training"], said["copied"]) == (1, 1)
    assert said["nearer_by_chance"] == pytest.approx(2 * 16 / 24, abs=0.01)
    rows = {row["point"]: row for row in said["nearest"]}
    assert rows["seen.png"]["picture"] == f"streets:{split.training[3]}"
    assert rows["unseen.png"]["held_out"] == f"streets:{split.held_out[2]}"
    assert rows["unseen.png"]["held_out_distance"] < rows["unseen.png"]["distance"]
    assert Image.open(picture).height > 3 * 96


def test_all_that_a_memoriser_draws_is_nearer_to_what_it_saw(studio, workspace, memoriser):
    words = ("memorised", memoriser, "--dataset", "streets", "--count", "40")
    pixels = PreparedDataset.open(workspace.dataset("streets"))
    split = split_dataset(pixels, 8)
    learned = sum(number < 10 for number in split.training)
    said = studio(*words, "--held-out", "8", "--json").json
    seen = {f"streets:{number}" for number in split.training}
    assert {row["picture"] for row in said["nearest"]} <= seen
    assert 0 < learned < 10, "the memoriser knows pictures of both sides"
    nearest = {row["picture"] for row in said["nearest"] if row["copied"]}
    assert nearest <= {f"streets:{number}" for number in range(10)}
    assert said["nearer_to_training"] == said["copied"] > 0


def test_a_generator_that_has_learned_little_has_no_copies(studio):
    said = studio("memorised", "city", "--count", "20", "--json").json
    assert (said["dataset"], said["copied"]) == ("streets", 0)
    assert [row["latitude"] for row in said["nearest"]] == [None] * 20


def test_where_the_training_pictures_are_not_known_a_dataset_has_to_be_named(studio, memoriser):
    refused = studio("memorised", memoriser)
    assert refused.status == 1
    assert "--dataset NAME" in refused.err
    assert "no place in 'z'" in studio("memorised", "city", "--space", "z").err


@pytest.fixture(scope="module")
def helsinki(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps") / "helsinki"
    return prepare_city("helsinki", folder, 32, metres_per_pixel=4.0, count=60)


def test_every_picture_of_a_map_knows_its_window(helsinki):
    city_map = np.asarray(draw_city_map("helsinki", 4.0))
    places = read_places(helsinki.folder)
    assert len(places.windows) == 60
    for picture, window in zip(helsinki.pixels, places.windows, strict=True):
        assert np.array_equal(cut_window(city_map, 32, window), picture)


def test_the_centre_of_a_window_is_in_degrees(helsinki):
    places = read_places(helsinki.folder)
    latitude, longitude = places.locate(0, 0)
    assert 60.1 < latitude < 60.2
    assert 24.9 < longitude < 25.0
    further = places.locate(100, 100)
    metres = 100 * 4.0
    assert (latitude - further[0]) * 111_195 == pytest.approx(metres)
    assert (further[1] - longitude) * 111_195 * np.cos(np.radians(latitude)) == pytest.approx(
        metres, rel=1e-3
    )


def test_a_crop_of_the_map_finds_itself_and_its_place_within_a_pixel(
    studio, workspace, helsinki, tmp_path
):
    """One that was trained on; and one that was not, turned, mirrored and a little noisy."""
    prepare_city("helsinki", workspace.dataset("maps"), 32, metres_per_pixel=4.0, count=60)
    city_map = np.asarray(draw_city_map("helsinki", 4.0))
    noise = np.random.default_rng(0).normal(0, 6, (32, 32, 3))
    foreign = cut_window(city_map, 32, Window(101, 77, 3, 1))
    known, unknown, drawn = (tmp_path / name for name in ("known.png", "unknown.png", "map.png"))
    Image.fromarray(helsinki.pixels[17]).save(known)
    Image.fromarray((foreign + noise).clip(0, 255).astype(np.uint8)).save(unknown)
    words = ("memorised", "city", str(known), str(unknown), "--dataset", "maps", "--on-map")
    said = studio(*words, "--map", str(drawn), "--json").json
    places = read_places(helsinki.folder)
    rows = {row["point"]: row for row in said["nearest"]}
    window = places.windows[17]
    assert (rows["known.png"]["picture"], rows["known.png"]["copied"]) == ("maps:17", True)
    assert rows["known.png"]["distance"] == pytest.approx(0, abs=1e-6)
    for name, (top, left) in {"known.png": window[:2], "unknown.png": (101, 77)}.items():
        expected = places.locate(top, left)
        found = rows[name]["latitude"], rows[name]["longitude"]
        assert abs(found[0] - expected[0]) <= places.latitude_per_pixel
        assert abs(found[1] - expected[1]) <= places.longitude_per_pixel
    assert rows["known.png"]["map_error"] < 0.01 < 3 < rows["unknown.png"]["map_error"] < 9
    marked, plain = np.asarray(Image.open(drawn)), city_map
    assert marked.shape[0] > plain.shape[0]
    assert marked.shape[1] > plain.shape[1]


def test_every_turn_and_mirror_is_found(helsinki):
    city_map = np.asarray(draw_city_map("helsinki", 4.0))
    for turns in range(4):
        for mirrored in (0, 1):
            window = Window(60, 40, turns, mirrored)
            assert find_on_map(city_map, cut_window(city_map, 32, window)).window == window


def test_damaged_places_are_told(helsinki, tmp_path):
    content = (helsinki.folder / PLACES).read_bytes().replace(b"60.", b"61.", 1)
    (tmp_path / PLACES).write_bytes(content)
    with pytest.raises(StudioError, match="damaged"):
        read_places(tmp_path)
    assert read_places(tmp_path / "none") is None
