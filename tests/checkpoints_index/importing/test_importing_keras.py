import json
import os
import zipfile

import numpy as np
import pytest
import torch

os.environ["KERAS_BACKEND"] = "torch"
keras = pytest.importorskip("keras")
h5py = pytest.importorskip("h5py")

from checkpoints_index import CheckpointIndex  # noqa: E402
from checkpoints_index.errors import UnusableFileError  # noqa: E402
from checkpoints_index.generators.spec import GeneratorSpec  # noqa: E402
from checkpoints_index.importing.finder import GeneratorFinder  # noqa: E402
from checkpoints_index.importing.plan import plan_import  # noqa: E402
from checkpoints_index.importing.transfer import import_files, open_import  # noqa: E402

layers = keras.layers


def generator(channels=3, output="tanh"):
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(4 * 4 * 8),
            layers.BatchNormalization(),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Reshape((4, 4, 8)),
            layers.Conv2DTranspose(8, 4, strides=2, padding="same"),
            layers.Dropout(0.3),
            layers.Conv2DTranspose(channels, 4, strides=2, padding="same", activation=output),
        ]
    )
    model.set_weights([w + np.random.default_rng(0).random(w.shape) for w in model.get_weights()])
    return model


def save(model, path):
    model.save(path)
    return path


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize(("channels", "output"), [(3, "tanh"), (1, "tanh"), (3, "sigmoid")])
def test_a_keras_generator_makes_the_same_pictures(suffix, channels, output, tmp_path):
    model = generator(channels, output)
    found = GeneratorFinder().find(save(model, tmp_path / f"G.{suffix}"))
    assert (found.spec.z_dim, found.spec.image_size) == (6, 16)
    G = found.spec.build()
    G.load_state_dict(found.weights)
    z = torch.randn(3, 6)
    with torch.inference_mode():
        pictures = G(z)
        expected = model(z, training=False).permute(0, 3, 1, 2).expand(-1, 3, -1, -1)
    assert pictures.shape == (3, 3, 16, 16)
    torch.testing.assert_close(pictures, 2 * expected - 1 if output == "sigmoid" else expected)


@pytest.mark.parametrize(("groups", "told"), [(1, ""), (2, "of several groups")])
def test_a_file_of_keras_2_says_how_many_groups_its_layers_have(groups, told, tmp_path):
    model = generator()
    path = save(model, tmp_path / "G.h5")
    with h5py.File(path, "r+") as file:
        described = json.loads(file.attrs["model_config"])
        for layer in described["config"]["layers"]:
            if layer["class_name"] == "Conv2DTranspose":
                layer["config"]["groups"] = groups
        file.attrs["model_config"] = json.dumps(described)
    if told:
        with pytest.raises(UnusableFileError, match=told):
            GeneratorFinder().find(path)
        return
    found = GeneratorFinder().find(path)
    G = found.spec.build()
    G.load_state_dict(found.weights)
    z = torch.randn(2, 6)
    with torch.inference_mode():
        torch.testing.assert_close(G(z), model(z, training=False).permute(0, 3, 1, 2))


def test_keras_files_become_a_run(tmp_path):
    (tmp_path / "files").mkdir()
    for batch in (5, 10, 100):
        keras.utils.set_random_seed(batch)
        save(generator(), tmp_path / "files" / f"G_{batch}.keras")
    finder = GeneratorFinder()
    plan = plan_import(tmp_path / "files", finder)
    index = CheckpointIndex(tmp_path / "runs")
    assert import_files(open_import(index, "city", plan, "exact"), plan, finder) == (3, [])
    run = index["city"]
    assert run.batches == [5, 10, 100]
    expected = finder.find(plan.files[1].path).weights
    for name, tensor in run.weights(10).items():
        torch.testing.assert_close(tensor, expected[name], rtol=0, atol=0)
    assert run.generator(100)(torch.randn(2, 6)).shape == (2, 3, 16, 16)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_lambda_layer_is_refused(suffix, tmp_path):
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(48), layers.Lambda(lambda x: x), layers.Reshape((4, 4, 3))]
    )
    with pytest.raises(UnusableFileError, match="Lambda"):
        GeneratorFinder().find(save(model, tmp_path / f"G.{suffix}"))


class Doubling(layers.Layer):
    def call(self, x):
        return 2 * x


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_layer_of_somebody_elses_is_refused_by_its_class(suffix, tmp_path):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(48), Doubling()])
    with pytest.raises(UnusableFileError, match="Doubling"):
        GeneratorFinder().find(save(model, tmp_path / f"G.{suffix}"))


def test_a_model_that_cannot_draw_is_refused(tmp_path):
    whole, path = save(generator(), tmp_path / "G_1.keras"), tmp_path / "G_2.keras"
    with zipfile.ZipFile(whole) as read, zipfile.ZipFile(path, "w") as written:
        for name in read.namelist():
            content = read.read(name)
            if name == "config.json":
                config = json.loads(content)
                layer = next(
                    each
                    for each in config["config"]["layers"]
                    if each["class_name"] == "Conv2DTranspose"
                )
                layer["config"]["dilation_rate"] = True
                content = json.dumps(config)
            written.writestr(name, content)
    with pytest.raises(UnusableFileError, match="cannot draw a picture"):
        GeneratorFinder().find(path)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_keras_discriminator_is_refused(suffix, tmp_path):
    model = keras.Sequential(
        [keras.Input((16, 16, 3)), layers.Conv2D(4, 4), layers.Flatten(), layers.Dense(1)]
    )
    with pytest.raises(UnusableFileError, match=r"\[N, 16, 16, 3\] into \[N, 1\]"):
        GeneratorFinder().find(save(model, tmp_path / f"G.{suffix}"))


def test_weights_without_their_model_are_refused_with_what_to_do(tmp_path):
    path = tmp_path / "G.weights.h5"
    generator().save_weights(path)
    with pytest.raises(UnusableFileError, match=r"model\.save"):
        GeneratorFinder().find(path)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_damaged_keras_file_is_refused(suffix, tmp_path):
    path = save(generator(), tmp_path / f"G.{suffix}")
    whole = path.read_bytes()
    for broken in (b"", b"nothing", whole[: len(whole) // 2], whole[:-9]):
        path.write_bytes(broken)
        with pytest.raises(UnusableFileError):
            GeneratorFinder().find(path)


def test_the_spec_of_a_keras_generator_is_rebuilt_with_stable_names():
    from checkpoints_index.generators.keras_model import describe_keras_model

    options = {"z_dim": 6, "image_size": 16, "model": describe_keras_model(generator())}
    first, second = (GeneratorSpec("keras", options).build() for _ in range(2))
    assert list(first.state_dict()) == list(second.state_dict())
    assert list(first.state_dict())[:3] == ["000_kernel", "001_bias", "002_gamma"]
