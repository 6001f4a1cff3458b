import pytest
import torch
from safetensors.torch import save_file

from checkpoints_index.errors import CheckpointError, UnusableFileError
from checkpoints_index.generators.chain import ChainGenerator
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.importing.finder import GeneratorFinder
from checkpoints_index.importing.own import shapes_of
from checkpoints_index.importing.refusals import MissingStridesError
from tests.checkpoints_index.foreign_networks import (
    DCGAN,
    MLP,
    DenseGAN,
    Residual,
    UpsamplingGAN,
    discriminator,
    trained,
)

HERE = "tests.checkpoints_index.foreign_networks"


def save(network, folder, suffix=".pt"):
    path = folder / f"G{suffix}"
    if suffix == ".safetensors":
        save_file(network.state_dict(), path)  # sorts the tensors by name
    else:
        torch.save(network.state_dict(), path)
    return path


def rebuild(found):
    G = found.spec.build()
    G.load_state_dict(found.weights)
    return G


@torch.inference_mode()
def assert_same_pictures(network, found, z_dim, z_axes=2):
    z = torch.randn(3, z_dim, generator=torch.Generator().manual_seed(1))
    expected = network(z if z_axes == 2 else z[:, :, None, None]).expand(-1, 3, -1, -1)
    assert found.spec.z_dim == z_dim
    assert found.spec.image_size == expected.shape[-1]
    torch.testing.assert_close(rebuild(found)(z), expected)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize(
    "options",
    [{}, {"size": 64, "nz": 100}, {"size": 128, "ngf": 2}, {"bias": True}, {"nc": 1}],
    ids=str,
)
def test_a_dcgan_of_the_tutorial_makes_the_same_pictures(options, suffix, tmp_path):
    network = trained(DCGAN(**options))
    found = GeneratorFinder().find(save(network, tmp_path, suffix))
    assert_same_pictures(network, found, options.get("nz", 16), z_axes=4)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize(
    "network",
    [UpsamplingGAN(), UpsamplingGAN(size=64, channels=1), DenseGAN()],
    ids=["32 px", "64 px, grey", "transposed"],
)
def test_dense_and_convolutions_make_the_same_pictures(network, suffix, tmp_path):
    found = GeneratorFinder().find(save(trained(network), tmp_path, suffix))
    assert_same_pictures(network, found, 12)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32)])
def test_a_plain_mlp_makes_the_same_pictures(channels, size, suffix, tmp_path):
    network = trained(MLP(channels=channels, size=size))
    found = GeneratorFinder().find(save(network, tmp_path, suffix))
    assert_same_pictures(network, found, 10)


def test_what_shapes_do_not_show_is_said_and_can_be_chosen(tmp_path):
    network = MLP()
    network.model[1] = network.model[4] = torch.nn.ReLU()
    network.model[6] = torch.nn.Sigmoid()
    path = save(trained(network), tmp_path)
    (remark,) = GeneratorFinder().find(path).remarks
    assert "leaky_relu" in remark
    found = GeneratorFinder(None, {"activation": "relu", "output": "sigmoid"}).find(path)
    z = torch.randn(2, 10)
    torch.testing.assert_close(rebuild(found)(z), 2 * network(z).expand(-1, 3, -1, -1) - 1)


def test_where_nothing_shows_the_enlargements_they_are_asked_for(tmp_path):
    class Named(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = torch.nn.Linear(6, 8 * 4 * 4)
            self.conv1 = torch.nn.Conv2d(8, 4, 3, padding=1)
            self.conv2 = torch.nn.Conv2d(4, 4, 3, padding=1)
            self.conv3 = torch.nn.Conv2d(4, 3, 3, padding=1)

        def forward(self, z):
            x = torch.nn.functional.leaky_relu(self.fc(z), 0.2).view(-1, 8, 4, 4)
            for layer in (self.conv1, self.conv2):
                x = torch.nn.functional.interpolate(x, scale_factor=2)
                x = torch.nn.functional.leaky_relu(layer(x), 0.2)
            return torch.tanh(self.conv3(x))

    network = trained(Named())
    path = save(network, tmp_path)
    with pytest.raises(MissingStridesError, match="conv1, conv2, conv3") as missing:
        GeneratorFinder().find(path)
    assert missing.value.examples == {16: [2, 2, 1], 32: [2, 2, 2]}
    for size, strides in missing.value.examples.items():  # What is advised was tried.
        assert GeneratorFinder(None, {"strides": strides}).find(path).spec.image_size == size
    found = GeneratorFinder(None, {"strides": [2, 2, 1]}).find(path)
    assert_same_pictures(network, found, 6)
    with pytest.raises(CheckpointError, match="conv1, conv2, conv3"):
        GeneratorFinder(None, {"strides": [2, 2]}).find(path)


@pytest.mark.parametrize(
    "option", [{"strydes": [2]}, {"activation": "gelo"}, {"strides": "22"}, {"strides": [[2]]}]
)
def test_unknown_hints_are_refused(option):
    with pytest.raises(CheckpointError, match=r"strides|gelo"):
        GeneratorFinder(None, option)


@pytest.mark.parametrize(
    "spec",
    [
        GeneratorSpec("dcgan", {"z_dim": 9, "image_size": 32, "width": 0.03}),
        GeneratorSpec("dcgan", {"image_size": 256, "width": 0.125, "max_channels": 256}),
        GeneratorSpec("dcgan", {"width": 0.3, "upsampling": "transposed"}),
        GeneratorSpec("dcgan", {"width": 0.125, "full_resolution_block": True}),
        GeneratorSpec("dcgan", {"width": 0.125, "palette": 7}),
        GeneratorSpec("skyline", {"z_dim": 9, "image_size": 64, "width": 0.03}),
    ],
    ids=lambda spec: f"{spec.architecture} {spec.options}",
)
def test_our_own_generators_are_known_with_their_options(spec, tmp_path):
    path = save(spec.build(), tmp_path)
    found = GeneratorFinder().find(path)
    assert found.spec.architecture == spec.architecture
    assert (found.spec.z_dim, found.spec.image_size) == (spec.z_dim, spec.image_size)
    assert shapes_of(found.spec) == shapes_of(spec)
    for name in ("upsampling", "full_resolution_block", "palette"):
        assert found.spec.options.get(name) == spec.options.get(name, found.spec.options.get(name))
    assert GeneratorFinder(spec.architecture).find(path).spec == found.spec


def test_a_named_architecture_is_the_only_one_that_is_taken(tmp_path):
    with pytest.raises(UnusableFileError, match="skyline"):
        GeneratorFinder("skyline").find(save(DCGAN(), tmp_path))
    with pytest.raises(CheckpointError, match=r"dcgam.*Known"):
        GeneratorFinder("dcgam")


def encoder():
    return torch.nn.Sequential(
        *(torch.nn.Conv2d(3, 8, 4, 2, 1), torch.nn.ReLU(), torch.nn.Conv2d(8, 100, 4))
    )


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (discriminator(), "discriminator"),
        (encoder(), "no latent point"),
        (torch.nn.Sequential(torch.nn.Linear(784, 32), torch.nn.Linear(32, 1)), "one number"),
        (torch.nn.Sequential(torch.nn.Linear(784, 9), torch.nn.Linear(9, 784)), "image-to-image"),
        (
            torch.nn.Sequential(torch.nn.Conv2d(3, 9, 7), torch.nn.Conv2d(9, 3, 7)),
            "image-to-image",
        ),
        (Residual(), "'gain'|no layer of a plain generator"),
    ],
    ids=["discriminator", "encoder", "dense discriminator", "autoencoder", "filter", "sum"],
)
def test_networks_that_are_no_plain_generator_are_refused_with_the_reason(
    network, reason, suffix, tmp_path
):
    with pytest.raises(UnusableFileError, match=reason):
        GeneratorFinder().find(save(network, tmp_path, suffix))


@pytest.mark.parametrize(
    ("name", "options", "network", "z_axes"),
    [
        ("Residual", {"nz": 8}, Residual(), 4),
        ("DCGAN", {"nz": 20, "size": 64}, DCGAN(20, size=64), 4),
        ("MLP", {"latent_dim": 7, "size": 16}, MLP(7, size=16), 2),
    ],
    ids=["sum", "z with axes", "grey"],
)
def test_a_class_of_somebody_elses_takes_latent_points_and_gives_pictures(
    name, options, network, z_axes, tmp_path
):
    path = save(trained(network), tmp_path)
    found = GeneratorFinder(f"{HERE}:{name}", options).find(path)
    assert list(rebuild(found).state_dict()) == list(network.state_dict())
    assert_same_pictures(network, found, next(iter(options.values())), z_axes)


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        (f"{HERE}:Residuel", {}, "It has: .*Residual"),
        (f"{HERE}:trained", {}, "no nn.Module"),
        ("no_such_module:G", {}, "no_such_module.*cannot be imported"),
        (f"{HERE}:Residual", {"width": 3}, "It takes: nz, base"),
        (f"{HERE}:Residual", {"nz": {1}}, "cannot be kept"),
        (f"{HERE}:Residual", {"z_dim": 5}, "takes z neither"),
        ("torch.nn:Identity", {"z_dim": 5}, "rather than pictures"),
        (":G", {}, "package.module:Class"),
    ],
)
def test_a_class_that_is_no_generator_is_refused_with_the_reason(name, options, reason):
    with pytest.raises(CheckpointError, match=reason):
        GeneratorFinder(name, options)


def test_weights_of_another_class_are_named(tmp_path):
    with pytest.raises(UnusableFileError, match=r"'gain' is missing in it"):
        GeneratorFinder(f"{HERE}:Residual").find(save(DCGAN(), tmp_path))


def test_a_class_is_found_in_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "my_networks_here.py").write_text(
        f"from {HERE} import MLP as Base\nclass G(Base): pass\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    assert GeneratorFinder("my_networks_here:G").find(save(MLP(), tmp_path)).spec.z_dim == 10


@pytest.mark.parametrize("layer", [{"layer": "Dropout"}, {"layer": "Linear", "in": 3}])
def test_a_chain_of_unknown_layers_is_refused(layer):
    with pytest.raises(CheckpointError, match=r"Dropout|'in': 3"):
        ChainGenerator([layer])
