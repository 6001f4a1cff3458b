"""Searches from pictures of any kind and among training pictures, and the space of styles."""

import numpy as np
import pytest
import torch
from PIL import Image

from checkpoints_index import CheckpointIndex, GeneratorSpec
from checkpoints_index.storage.trusted_classes import trust_class
from latent.nearness.features import compute_features, describe_pictures
from latent.points import seeded_point
from renderers.frames.passes import unround_frames
from studio.datasets.listing import open_dataset


@pytest.fixture
def trained(workspace):
    """The pictures that the run was trained on, described: float32 [N, 768]."""
    pixels = np.asarray(open_dataset(workspace, "streets").pixels)
    return describe_pictures(unround_frames(pixels)).numpy()


def test_the_nearest_training_pictures_of_a_city_are_what_comparing_all_gives(
    studio, workspace, trained, tmp_path
):
    picture = tmp_path / "near.png"
    words = ("near", "city", "seed:3", "-k", "4", "--among", "training", "--picture", str(picture))
    found = studio(*words, "--json").json
    G = CheckpointIndex(workspace.runs)["city"].generator(12)
    city = compute_features(G, seeded_point(3, 16).z[None]).numpy()
    far = np.linalg.norm(trained.astype(float) - city, axis=1)
    order = np.argsort(far, kind="stable")[:4]
    assert [near["label"] for near in found["neighbours"]] == [f"streets:{i}" for i in order]
    assert np.allclose([near["distance"] for near in found["neighbours"]], far[order])
    with Image.open(picture) as sheet:
        assert sheet.width > 5 * 128


def test_a_picture_of_any_kind_is_searched_from_and_so_is_a_training_picture(
    studio, workspace, trained, tmp_path
):
    pixels = open_dataset(workspace, "streets").pixels
    Image.fromarray(np.asarray(pixels[7])).save(tmp_path / "photo.png")
    words = ("--among", "drawn", "--drawn", "30", "-k", "3", "--json")
    photo = studio("near", "city", str(tmp_path / "photo.png"), *words).json
    numbered = studio("near", "city", "training:7", *words).json
    assert (photo["point"], numbered["point"]) == ("photo.png", "streets:7")
    assert photo["neighbours"] == numbered["neighbours"]
    G = CheckpointIndex(workspace.runs)["city"].generator(12)
    cities = compute_features(G, torch.stack([seeded_point(n, 16).z for n in range(30)])).numpy()
    far = np.linalg.norm(cities.astype(float) - trained[7], axis=1)
    expected = [f"seed:{n}" for n in np.argsort(far, kind="stable")[:3]]
    assert [near["label"] for near in photo["neighbours"]] == expected
    among = ("near", "city", "training:7", "--also", "seed:1", "--among", "training", "--json")
    others = studio(*among).json
    assert "streets:7" not in [near["label"] for near in others["neighbours"]]
    assert [each["point"] for each in others["more"]] == ["seed:1"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("training:7", "--space", "z"), "streets:7 is a picture, which has no place in 'z'"),
        (("training:999",), "no 999"),
        (("seed:1", "--among", "training", "--space", "activations"), "have no place"),
        (("seed:1", "--among", "training", "--metric", "path"), "use euclidean"),
        (("training:7", "--metric", "path"), "a picture is none"),
        (("nowhere.png",), "is no latent point"),
    ],
)
def test_what_cannot_be_searched_from_is_refused_in_a_sentence(studio, words, sentence):
    refused = studio("near", "city", *words)
    assert refused.status == 1
    assert sentence in refused.err


# A small generator of styles: a mapping network, and layers that are modulated by what it gives
# (Karras et al. 2019, figure 1b).
STYLED = """
import torch
from torch import nn


class Modulated(nn.Module):
    def __init__(self, channels, styles):
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1)
        self.style = nn.Linear(styles, 2 * channels)
        self.activation = nn.LeakyReLU(0.2)

    def forward(self, maps, w):
        scale, shift = self.style(w)[:, :, None, None].chunk(2, 1)
        normed = nn.functional.instance_norm(self.convolution(maps))
        return self.activation(normed * (1 + scale) + shift)


class Styled(nn.Module):
    def __init__(self, z_dim=8, image_size=32, layers=2):
        super().__init__()
        self.mapping = nn.Sequential(nn.Linear(z_dim, 12), nn.LeakyReLU(0.2), nn.Linear(12, 12))
        self.constant = nn.Parameter(torch.randn(1, 6, 8, 8))
        self.blocks = nn.ModuleList([Modulated(6, 12) for _ in range(layers)])
        self.colours = nn.Conv2d(6, 3, 1)
        self.noise = nn.Parameter(torch.tensor(0.1))

    def forward(self, z):
        w = self.mapping(nn.functional.normalize(z, dim=1) * z.shape[1] ** 0.5)
        maps = self.constant.expand(len(z), -1, -1, -1)
        for block in self.blocks:
            maps = block(nn.functional.interpolate(maps, scale_factor=2), w)
            maps = maps + self.noise * torch.randn_like(maps[:, :1])
        return self.colours(maps).tanh()
"""


@pytest.fixture
def styled(workspace, tmp_path, monkeypatch):
    (tmp_path / "styled_network.py").write_text(STYLED)
    monkeypatch.syspath_prepend(str(tmp_path))
    trust_class(workspace.runs, "styled_network:Styled")
    spec = GeneratorSpec("styled_network:Styled", {"z_dim": 8, "image_size": 32, "layers": 2})
    torch.manual_seed(0)
    G = spec.build()
    with CheckpointIndex(workspace.runs).create("styled", spec, storage="exact") as run:
        run.append(1, G.state_dict())
    return CheckpointIndex(workspace.runs)["styled"].generator(1)


@pytest.mark.slow
def test_w_of_a_generator_of_styles_is_a_space_of_every_command(studio, styled):
    words = ("--space", "w", "--drawn", "40", "--json")
    told = studio("near", "styled", "seed:3", "-k", "4", "--among", "drawn", *words)
    assert told.status == 0, told.err
    near = told.json
    z = torch.stack([seeded_point(n, 8).z for n in range(40)])
    with torch.inference_mode():  # The generator normalises z before it is mapped.
        w = styled.mapping(torch.nn.functional.normalize(z, dim=1) * 8**0.5).double().numpy()
    far = np.linalg.norm(w - w[3], axis=1)
    order = np.argsort(far, kind="stable")[1:5]
    assert [each["label"] for each in near["neighbours"]] == [f"seed:{n}" for n in order]
    assert np.allclose([each["distance"] for each in near["neighbours"]], far[order])
    route = studio("route", "styled", "seed:1", "seed:2", *words).json
    assert route["length"] <= min(route["straight_length"], route["great_circle_length"])
    assert "w" in {row["space"] for row in route["lengths"]}
    agreed = studio("spaces", "styled", "--count", "60", "--json").json
    assert any("w" in pair["spaces"] for pair in agreed["agreement"])
    atlas = studio("atlas", "styled", "--space", "w", "--count", "40", "--json").json
    assert (atlas["space"], atlas["count"]) == ("w", 40)
    table = studio("distances", "styled", "seed:1", "seed:2", "--space", "w", "--json").json
    assert table["matrix"][0][1] > 0
