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


def linear(name, before, after):
    return {"layer": "Linear", "name": name, "in_features": before, "out_features": after}


def convolution(name, before, after, kind="Conv2d", **options):
    channels = {"in_channels": before, "out_channels": after}
    return {"layer": kind, "name": name, **channels, **options}


def norm(name, count, kind="BatchNorm2d", **options):
    return {"layer": kind, "name": name, "num_features": count, **options}


def unflatten(*sizes):
    return {"layer": "Unflatten", "dim": 1, "unflattened_size": [*sizes]}


DOUBLING = {"kernel_size": 4, "stride": 2, "padding": 1}
LEAKY, TANH = {"layer": "LeakyReLU", "negative_slope": 0.2}, {"layer": "Tanh"}
# As programs of others have them: transposed convolutions, dense layers, dense to a grid.
TUTORIAL = [
    unflatten(4, 1, 1),
    convolution("main.0", 4, 6, "ConvTranspose2d", kernel_size=8, bias=False),
    norm("main.1", 6),
    {"layer": "ReLU"},
    convolution("main.3", 6, 5, "ConvTranspose2d", **DOUBLING, bias=False),
    norm("main.4", 5, "InstanceNorm2d"),
    {"layer": "GELU"},
    convolution("main.6", 5, 3, "ConvTranspose2d", **DOUBLING),
    TANH,
]
DENSE = [
    linear("model.0", 4, 6),
    {"layer": "Sigmoid"},
    linear("model.2", 6, 7),
    norm("model.3", 7, "BatchNorm1d", eps=0.8),
    LEAKY,
    linear("model.5", 7, 32 * 32),
    unflatten(1, 32, 32),
    {"layer": "Sigmoid"},
]
GROWN = [
    linear("l1.0", 4, 5 * 8 * 8),
    norm("l1.1", 5 * 8 * 8, "BatchNorm1d"),
    unflatten(5, 8, 8),
    norm("blocks.0", 5),
    {"layer": "SELU"},
    {"layer": "Upsample", "scale_factor": 2},
    convolution("blocks.2", 5, 4, kernel_size=3, padding=1),
    norm("blocks.3", 4, affine=False),
    LEAKY,
    {"layer": "Upsample", "scale_factor": 2},
    {"layer": "ZeroPad2d", "padding": 1},
    {"layer": "Conv2d", "in_channels": 4, "out_channels": 6, "kernel_size": 3},
    {"layer": "ELU"},
    convolution("rgb", 6, 3, kernel_size=1),
    TANH,
]


def chain(layers):
    return GeneratorSpec("chain", {**SMALL, "layers": layers})


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
    "tutorial": chain(TUTORIAL),
    "dense": chain(DENSE),
    "grown": chain(GROWN),
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


def test_a_chain_names_its_layers_as_its_state_dict_does():
    assert [la.name for la in layers_of(SPECS["dense"])] == ["model.0", "model.2"]
    assert [la.name for la in layers_of(SPECS["grown"])] == ["l1.0", "blocks.2", "_nameless.6"]
    assert [la.units for la in layers_of(SPECS["grown"])] == [5, 4, 6]


def test_a_chain_is_deepened_behind_its_norm_and_before_its_enlargement():
    spec = SPECS["grown"]
    for layer in ("l1.0", "l1.0", "blocks.2"):
        options = find_reshapable("chain").deepen(spec.options, layer)
        spec = GeneratorSpec("chain", options)
    layers = spec.options["layers"]
    kinds = [layer["layer"] for layer in layers]
    added = [layer["name"] for layer in layers if layer["layer"] == "LeakyRefinement"]
    assert added == ["l1.0_refinement_1", "l1.0_refinement_2", "blocks.2_refinement_1"]
    assert kinds[4:8] == ["SELU", "LeakyRefinement", "LeakyRefinement", "Upsample"]
    dense = find_reshapable("chain").deepen(SPECS["dense"].options, "model.0")["layers"]
    assert dense[2] == {"layer": "DenseRefinement", "name": "model.0_refinement_1", "channels": 6}
    with pytest.raises(CheckpointError, match=r"behind l1\.0, blocks\.2, _nameless\.6, not behind"):
        find_reshapable("chain").deepen(spec.options, "rgb")


@pytest.mark.parametrize("name", ["dense", "grown"])
def test_a_constant_unit_of_a_chain_goes_into_a_bias_where_no_border_is_padded(name):
    spec = SPECS[name]
    network, layers = build(spec), layers_of(spec)
    able = [layer for layer in layers if layer.constant is not None]
    assert [la.name for la in able] == {"dense": ["model.0", "model.2"], "grown": ["_nameless.6"]}[
        name
    ]
    last = able[-1]
    with torch.no_grad():
        network.state_dict()[last.own[0].tensor][2] = 0
    measured = measure_units(network, [last], [torch.randn(6, 4)])[last.name]
    assert float(measured.change[2]) < 1e-6 < float(measured.largest[2])
    weights = network.state_dict()
    kept = {last.name: [unit for unit in range(last.units) if unit != 2]}
    summed = add_constants(weights, layers, {last.name: {2: measured.most[2]}})
    smaller = resized(spec, {la.name: len(kept.get(la.name, range(la.units))) for la in layers})
    assert far(draw(spec, weights), draw(smaller, keep_units(summed, layers, kept))) < 1e-6


def test_a_layer_whose_channels_mix_stays_as_it_is_and_others_can_change():
    mixed = [*TUTORIAL[:3], {"layer": "PixelNorm"}, *TUTORIAL[3:]]
    assert [layer.name for layer in layers_of(chain(mixed))] == ["main.3"]
    spec = resized(chain(mixed), {"main.3": 9})
    assert spec.build().state_dict()["main.3.weight"].shape == (6, 9, 4, 4)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([linear("a", 4, 3072), unflatten(3, 32, 32)], "it has no hidden layer"),
        ([*TUTORIAL[:3], {"layer": "PixelNorm"}, *TUTORIAL[6:]], "PixelNorm behind 'main.0' mixes"),
        (
            [
                *(linear("a", 4, 4096), unflatten(4, 32, 32)),
                convolution("b", 4, 4, kernel_size=1, groups=2),
            ],
            "'b' convolves in groups of channels",
        ),
        (
            [linear("a", 4, 3072), unflatten(3, 32, 32), linear("b", 32, 32)],
            "'b' is dense along the width of a grid",
        ),
        (
            [linear("a", 4, 3072), unflatten(3, 1024), linear("b", 1024, 1024)],
            "behind 'a' units lie in several axes",
        ),
    ],
)
def test_a_chain_none_of_whose_layers_can_change_says_why(layers, said):
    with pytest.raises(CheckpointError, match=said):
        layers_of(chain(layers))
