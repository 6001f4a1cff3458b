from dataclasses import replace

import torch

from studio.training.presets import DEMO
from studio.training.recipes import build_recipe


def test_the_demo_can_be_trained_and_leaves_a_film_of_500_batches_or_more():
    recipe = build_recipe(replace(DEMO, batch_size=2), torch.device("cpu"))
    size = DEMO.image_size
    metrics = recipe.step(torch.zeros(2, 3, size, size))
    assert all(metric.isfinite() for metric in metrics.values())
    assert recipe.rendered(torch.randn(1, DEMO.z_dim)).shape == (1, 3, size, size)
    assert DEMO.batches >= 500
