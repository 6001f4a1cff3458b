import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from checkpoints_index.generators.spec import GeneratorSpec
from studio.runs.metrics import read_metrics
from studio.training.discriminators import DCGANDiscriminator
from studio.training.monitor.histograms import append_histograms, histogram_of, measure_layers


@pytest.fixture
def G():
    options = {"z_dim": 8, "image_size": 32, "width": 0.05}
    return GeneratorSpec("dcgan", options).build().train()


def test_every_layer_of_a_generator_is_measured_in_its_order(G):
    layers = {layer.layer: layer for layer in measure_layers(G, torch.randn(16, 8))}
    assert list(layers)[:5] == ["stem", "stem_norm", "relu", "blocks.0.0", "blocks.0.1"]
    assert sum(layers["stem"].weights.counts) == G.stem.weight.numel()
    assert layers["stem"].biases is None
    assert layers["stem_norm"].biases is not None
    assert layers["relu"].activations.low == 0
    assert sum(layers["to_rgb"].activations.counts) == 16 * 3 * 32 * 32


def test_a_measured_network_is_as_it_was(G):
    D = DCGANDiscriminator(32, 0.05, norm="spectral").train()
    D.layers[0].eval()
    for network, inputs in ((G, torch.randn(4, 8)), (D, torch.randn(4, 3, 32, 32))):
        before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        modes = [module.training for module in network.modules()]
        measure_layers(network, inputs)
        assert [module.training for module in network.modules()] == modes
        after = network.state_dict()
        assert all(torch.equal(before[name], after[name]) for name in before)
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


class Rectified(nn.Module):
    """Two units of four never get above zero, in a module and in two calls of a function."""

    def __init__(self):
        super().__init__()
        self.linear, self.relu = nn.Linear(2, 4), nn.LeakyReLU(0.2)
        nn.init.zeros_(self.linear.weight)
        self.linear.bias.data = torch.tensor([1.0, -1.0, 2.0, -2.0])

    def forward(self, x):
        return F.relu(F.leaky_relu(self.relu(self.linear(x)), 0.2)) + torch.relu(self.linear(x))


def test_dead_units_are_counted_in_modules_and_functions():
    layers = measure_layers(Rectified(), torch.randn(16, 2))
    found = [(layer.layer, layer.units, layer.dead_units) for layer in layers if layer.units]
    assert found == [("relu", 4, 2), ("leaky_relu", 4, 2), ("relu#2", 4, 2), ("relu#3", 4, 2)]


def test_values_that_are_not_finite_are_left_out():
    histogram = histogram_of(torch.tensor([1.0, float("nan"), 3.0, float("inf")]))
    assert (histogram.low, histogram.high, sum(histogram.counts)) == (1, 3, 2)
    assert histogram_of(torch.tensor([float("nan")])).counts == ()


def test_lines_are_whole_and_the_later_word_on_a_batch_counts(G, tmp_path):
    path = tmp_path / "histograms.jsonl"
    layers = measure_layers(G, torch.randn(4, 8))
    append_histograms(path, 500, {"G": layers})
    path.write_text(path.read_text() + '{"batch": 1000, "netw')
    append_histograms(path, 500, {"G": layers[:1], "D": []})
    (line,) = read_metrics(path)
    assert line["batch"] == 500
    assert [layer["layer"] for layer in line["networks"]["G"]] == ["stem"]
    assert line["networks"]["D"] == []
    assert json.loads(path.read_text().splitlines()[0])["networks"]["G"][2]["dead_units"] >= 0
