"""Inversion: a picture leads back to the point that drew it."""

import pytest
import torch
from torch import nn

from latent.errors import LatentError
from latent.inversion.fitting import fit_point, psnr
from latent.inversion.gallery import draw_gallery
from latent.inversion.inversion import GOOD_DB, Inverter

Z_DIM = 8


class Small(nn.Module):
    """A generator of two layers, with pictures of 16 px that bend as z moves."""

    def __init__(self, seed=0):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.Sequential(
                nn.Linear(Z_DIM, 64), nn.Tanh(), nn.Linear(64, 3 * 16 * 16), nn.Tanh()
            )
            for layer in self.layers[::2]:
                nn.init.normal_(layer.weight, std=1.2 * layer.in_features**-0.5)

    def forward(self, z):
        return self.layers(z).reshape(-1, 3, 16, 16)


def drawn(count, seed):
    return torch.randn(count, Z_DIM, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def inverter():
    G = Small().eval()
    return Inverter.learn(G, draw_gallery(G, drawn(1500, 0)))


def test_pictures_of_the_generator_lead_back_to_their_points(inverter):
    found = 0
    for z in drawn(12, 1):
        with torch.inference_mode():
            picture = inverter.G(z[None])[0]
        fit = inverter.invert(picture)
        with torch.inference_mode():
            assert fit.psnr_db == pytest.approx(psnr(inverter.G(fit.z[None])[0] - picture), abs=0.1)
        found += fit.psnr_db >= GOOD_DB and torch.allclose(fit.z, z, atol=0.1)
    assert found >= 11


def test_a_known_start_is_tried_before_all_others(inverter):
    z = drawn(1, 2)[0]
    with torch.inference_mode():
        picture = inverter.G(z[None])[0]
    fit = inverter.invert(picture, known=[z])
    assert torch.equal(fit.z, z) or fit.psnr_db > 60
    assert fit.steps <= 2


def test_a_picture_of_something_else_has_the_nearest_point_and_its_error(inverter):
    picture = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(3)) * 2 - 1
    seen = []
    fit = inverter.invert(picture, on_step=lambda step, z, db: seen.append((step, db)))
    assert fit.psnr_db < 15
    best_of_gallery = min(float((p - picture).square().mean()) for p in inverter.gallery.pictures)
    assert fit.psnr_db >= 10 * torch.log10(torch.tensor(4 / best_of_gallery)) - 1e-3
    assert [step for step, _ in seen] == sorted({step for step, _ in seen})


def test_a_fit_is_never_worse_than_its_start():
    G = Small(4).eval()
    with torch.inference_mode():
        picture = G(drawn(1, 5))[0]
        start = drawn(1, 5)[0]
    fit = fit_point(G, picture, start, steps=0)
    assert torch.equal(fit.z, start)
    assert fit.psnr_db == float("inf")


def test_the_encoder_guesses_points_it_never_saw_better_than_their_mean(inverter):
    z = drawn(200, 7)
    with torch.inference_mode():
        guessed = inverter.encoder(inverter.G(z))
    assert float((guessed - z).square().mean()) < 0.5
    assert not inverter.encoder.training


def test_a_damaged_generator_is_refused():
    G = Small().eval()
    with torch.no_grad():
        G.layers[0].weight[0, 0] = float("nan")
    with pytest.raises(LatentError, match="not finite"):
        Inverter.learn(G, draw_gallery(G, drawn(64, 0)))
