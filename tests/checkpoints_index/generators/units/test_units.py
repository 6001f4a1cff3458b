"""Units that go and come: networks of any shape compute what they did."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints_index import GeneratorSpec
from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.architectures import ARCHITECTURES, find_reshapable
from checkpoints_index.generators.units.liveness import measure_units
from checkpoints_index.generators.units.reshaping import (
    add_constants,
    add_kept,
    add_units,
    keep_units,
    largest_read,
)

SMALL = {"z_dim": 4, "image_size": 32}
LETTERS = {"z_dim": 1296, "image_size": 216}
SPECS = {
    "dcgan": GeneratorSpec("dcgan", {**SMALL, "width": 0.0625}),
    "transposed": GeneratorSpec("dcgan", {**SMALL, "width": 0.0625, "upsampling": "transposed"}),
    "refined": GeneratorSpec(
        "dcgan",
        {
            **{**SMALL, "width": 0.0625, "refinements": [1, 0, 2, 1]},
            **{"full_resolution_block": True, "palette": 3},
        },
    ),
    "residual": GeneratorSpec("residual", {**SMALL, "width": 0.125, "blocks": 1, "group_width": 4}),
    "skyline": GeneratorSpec("skyline", {**SMALL, "width": 0.0625, "refinements": [0, 1, 0, 0, 0]}),
    "letters": GeneratorSpec("letters", {**LETTERS, "units": [2, 3, 5, 3, 2]}),
    "deep letters": GeneratorSpec(
        "letters",
        {
            **{**LETTERS, "lowercase_units": [3, 2, 4, 2, 3], "uppercase_units": [2, 3, 5, 3, 2]},
            **{"lowercase_deeper": [1, 0, 1, 2, 1], "uppercase_deeper": [0, 1, 0, 0, 0]},
        },
    ),
    "dense letters": GeneratorSpec(
        "letters", {**LETTERS, "body": "dense", "units": [6, 8], "lowercase_deeper": [1, 0]}
    ),
    "sparse letters": GeneratorSpec(
        "letters", {**LETTERS, "body": "sparse", "units": [6, 8], "density": 0.5}
    ),
}


def build(spec, seed=0):
    """A network whose weights are all at work, those that begin as zeros as well."""
    torch.manual_seed(seed)
    network = spec.build()
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2)
            elif tensor.is_floating_point():
                tensor.add_(0.05 * torch.randn_like(tensor))
    return network


def learn(network, z):
    """Gradients of a loss; networks of letters learn from what they give, before it is drawn."""
    networks = [getattr(network, name, None) for name in ("make_lowercase", "make_uppercase")]
    given = [each(z) for each in networks] if None not in networks else [network(z)]
    sum(each.square().mean() for each in given).backward()


def layers_of(spec):
    return find_reshapable(spec.architecture).hidden_layers(spec.options)


def resized(spec, units):
    options = find_reshapable(spec.architecture).resize(spec.options, units)
    return GeneratorSpec(spec.architecture, options)


@torch.no_grad()
def draw(spec, weights, count=5):
    network = spec.build()
    network.load_state_dict(weights)
    return network(torch.randn(count, spec.z_dim, generator=torch.Generator().manual_seed(3)))


def far(one, other):
    return float((one - other).abs().max())


@pytest.mark.parametrize("name", SPECS)
@settings(max_examples=10)
@given(data=st.data())
def test_a_network_without_units_that_nobody_reads_computes_what_it_did(name, data):
    spec = SPECS[name]
    weights, layers, kept = build(spec).state_dict(), layers_of(spec), {}
    for layer in layers:
        units = st.lists(st.integers(0, layer.units - 1), min_size=1, unique=True)
        if data.draw(st.booleans(), layer.name):
            kept[layer.name] = sorted(data.draw(units))
    for layer in layers:
        gone = {*range(layer.units)} - {*kept.get(layer.name, range(layer.units))}
        for place in layer.read:
            along = weights[place.tensor].movedim(place.axis, 0)
            for unit in gone:
                along[unit * place.span : (unit + 1) * place.span] = 0
    smaller = resized(spec, {la.name: len(kept.get(la.name, range(la.units))) for la in layers})
    assert far(draw(spec, weights), draw(smaller, keep_units(weights, layers, kept))) < 1e-6


@pytest.mark.parametrize("name", SPECS)
@settings(max_examples=10)
@given(data=st.data())
def test_a_network_with_more_units_computes_what_it_did_and_learns_with_them(name, data):
    spec = SPECS[name]
    weights, layers = build(spec).state_dict(), layers_of(spec)
    more = {layer.name: layer.units + data.draw(st.integers(0, 3)) for layer in layers}
    larger = resized(spec, more)
    grown = add_units(weights, build(larger, 1).state_dict(), layers)
    assert far(draw(spec, weights), draw(larger, grown)) < 1e-6
    for layer in layers:
        for place in layer.own:
            new = grown[place.tensor].narrow(place.axis, 0, layer.units * place.span)
            assert new.shape[place.axis] == layer.units * place.span
    kept = {layer.name: range(layer.units) for layer in layers}
    back = keep_units(grown, layers_of(larger), kept)
    assert all(torch.equal(back[key], tensor) for key, tensor in weights.items())


@pytest.mark.parametrize("name", SPECS)
def test_a_further_layer_is_the_identity_bit_for_bit(name):
    spec = SPECS[name]
    weights, layers = build(spec).state_dict(), layers_of(spec)
    layer = layers[1].name
    options = find_reshapable(spec.architecture).deepen(spec.options, layer)
    deeper = GeneratorSpec(spec.architecture, options)
    torch.manual_seed(1)
    grown = add_units(weights, deeper.build().state_dict(), layers)
    assert len(grown) > len(weights)
    assert torch.equal(draw(spec, weights), draw(deeper, grown))
    network = deeper.build().train()
    network.load_state_dict(grown)
    learn(network, torch.randn(4, spec.z_dim))
    new = [p for key, p in network.named_parameters() if key not in weights]
    assert any(p.grad.abs().max() > 0 for p in new), "it can learn"


def test_a_unit_that_gives_nothing_and_one_that_nobody_reads_are_found():
    spec = SPECS["dcgan"]
    network = build(spec)
    with torch.no_grad():
        network.stem_norm.weight[3] = 0
        network.stem_norm.bias[3] = -1  # The ReLU lets nothing of it through.
        network.blocks[1][0].weight[2] = 0
    stem, block = layers_of(spec)[:2]
    outputs = measure_units(network, [stem, block], [torch.randn(8, 4) for _ in range(3)])
    assert (outputs["stem"].largest == 0).nonzero().flatten().tolist() == [3]
    assert (largest_read(network.state_dict(), block) == 0).nonzero().flatten().tolist() == [2]


def test_what_a_constant_unit_gives_goes_into_a_bias_where_no_border_is_padded():
    spec = SPECS["skyline"]
    network = build(spec)
    with torch.no_grad():
        network.smooth.weight[:, 1] = 0  # It gives the leaky ReLU of its bias, at every place.
        network.smooth.bias[1] = 0.7
    weights, layers = network.state_dict(), layers_of(spec)
    last = layers[-1]
    measured = measure_units(network, [last], [torch.randn(6, 4)])[last.name]
    assert float(measured.change[1]) == 0
    kept = {last.name: [unit for unit in range(last.units) if unit != 1]}
    summed = add_constants(weights, layers, {last.name: {1: measured.most[1]}})
    smaller = resized(spec, {la.name: len(kept.get(la.name, range(la.units))) for la in layers})
    assert far(draw(spec, weights), draw(smaller, keep_units(summed, layers, kept))) < 1e-6
    assert far(draw(spec, weights), draw(smaller, keep_units(weights, layers, kept))) > 1e-3
    assert all(layer.constant is None for layer in layers[:-1]), "their readers pad borders"


def test_what_an_optimiser_keeps_grows_with_zeros_or_with_the_mean_of_the_others():
    before = {"a": torch.ones(2, 3), "step": torch.tensor(7.0)}
    squares = add_kept({"a": torch.tensor([[1.0, 3.0]])}, {"a": (2, 2)}, means=True)
    assert squares["a"].tolist() == [[1, 3], [2, 2]]
    after = add_kept(before, {"a": (3, 4), "step": ()})
    assert after["a"].tolist() == [[1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]
    assert after["step"] == 7


@pytest.mark.parametrize("name", SPECS)
def test_each_place_of_a_layer_is_there_and_as_long_as_it_says(name):
    spec = SPECS[name]
    network = build(spec)
    weights, modules = network.state_dict(), dict(network.named_modules())
    for layer in layers_of(spec):
        for place in (*layer.own, *layer.read):
            assert weights[place.tensor].shape[place.axis] == layer.units * place.span
        assert {*layer.readers} <= {*modules}


def test_widths_that_are_named_are_those_that_a_width_gives():
    for name, spec in SPECS.items():
        units = {layer.name: layer.units for layer in layers_of(spec)}
        weights = spec.build().state_dict()
        same = resized(spec, units).build().state_dict()
        assert {k: t.shape for k, t in same.items()} == {k: t.shape for k, t in weights.items()}, (
            name
        )


@pytest.mark.parametrize(
    ("architecture", "options", "said"),
    [
        ("dcgan", {"channels": [4, 4]}, "channels as a list of 3 whole numbers"),
        ("dcgan", {"channels": [4, 0, 4]}, "from 1 to 65,536"),
        ("dcgan", {"channels": 4}, "takes channels such as"),
        ("dcgan", {"refinements": [0, True, 0]}, "refinements as a list of 3"),
        ("skyline", {"channels": [1] * 6}, "channels as a list of 7"),
        ("residual", {"inner": [[16]]}, "inner as 4 lists of multiples of 16"),
        ("residual", {"inner": [[16], [16], [16], [8]]}, "multiples of 16"),
        ("residual", {"inner": [[16], [16], [16], []]}, "multiples of 16"),
        ("residual", {"inner": [[16], 7, [16], [16]]}, "multiples of 16"),
    ],
)
def test_counts_that_cannot_be_are_refused_in_a_sentence(architecture, options, said):
    with pytest.raises(CheckpointError, match=said):
        GeneratorSpec(architecture, {**SMALL, "width": 0.125, **options}).build()


@pytest.mark.parametrize("architecture", ["keras", "module:Class", "nothing"])
def test_a_network_that_does_not_say_where_its_units_are_is_refused(architecture):
    with pytest.raises(CheckpointError):
        find_reshapable(architecture)


def test_blocks_without_groups_are_refused():
    with pytest.raises(CheckpointError, match="mix all of their channels"):
        find_reshapable("residual").hidden_layers({**SMALL, "group_width": 0})
    assert {"dcgan", "residual", "skyline"} <= {*ARCHITECTURES}
