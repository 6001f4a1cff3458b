"""Folders of TensorFlow's SavedModel, as skylines left them, read without TensorFlow."""

import json
import struct

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from checkpoints_index import CheckpointIndex
from checkpoints_index.errors import UnusableFileError
from checkpoints_index.importing.finder import GeneratorFinder
from checkpoints_index.importing.formats.crc32c import crc32c, masked_crc32c
from checkpoints_index.importing.plan import plan_import
from checkpoints_index.importing.transfer import import_files, open_import

Z_DIM = 6
RANDOM = np.random.default_rng(3)


def varint(number):
    out = b""
    while number >= 0x80:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(rows):
    """A block of a LevelDB table, with names that share their beginnings."""
    out, last = b"", b""
    for name, value in rows:
        pairs = enumerate(zip(last, name, strict=False))
        shared = next((i for i, (a, b) in pairs if a != b), len(last))
        rest = name[shared:]
        out += varint(shared) + varint(len(rest)) + varint(len(value)) + rest + value
        last = name
    out += struct.pack("<II", 0, 1) + b"\0"
    return out + struct.pack("<I", masked_crc32c(out))


def write_bundle(folder, tensors):
    folder.mkdir(parents=True)
    data, rows = b"", [(b"", field(1, 1) + field(3, field(1, 1)))]
    for name, array in sorted(tensors.items()):
        content = array.astype("<f4").tobytes()
        shape = b"".join(field(2, field(1, axis)) for axis in array.shape)
        entry = field(1, 1) + field(2, shape) + field(4, len(data)) + field(5, len(content))
        entry += varint(6 << 3 | 5) + struct.pack("<I", masked_crc32c(content))
        rows.append((f"{name}/.ATTRIBUTES/VARIABLE_VALUE".encode(), entry))
        data += content
    table, handles = b"", []
    for part in (rows[:3], rows[3:]):
        handles.append((part[-1][0], varint(len(table)) + varint(len(block(part)) - 5)))
        table += block(part)
    footer = b""
    for written in (block([]), block(handles)):
        footer += varint(len(table)) + varint(len(written) - 5)
        table += written
    table += footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    (folder / "variables.index").write_bytes(table)
    (folder / "variables.data-00000-of-00001").write_bytes(data)


def random(*shape):
    return (RANDOM.standard_normal(shape) * 0.4).astype(np.float32)


def skyline_layers(kernel=4, last=6):
    """The layers of skylines in small, with a norm; (class, config, variables by name)."""
    same = {"padding": "same", "use_bias": True}
    two = {"class_name": "__tuple__", "items": [2, 2]}
    shape = {"class_name": "__tuple__", "items": [3, 3, 5]}
    return [
        ("InputLayer", {}, {}),
        ("Dense", {"units": 45}, {"kernel": random(Z_DIM, 45), "bias": random(45)}),
        ("LeakyReLU", {"alpha": 0.2}, {}),
        (
            "BatchNormalization",
            {},
            {
                **{"gamma": random(45), "beta": random(45), "moving_mean": random(45)},
                "moving_variance": np.abs(random(45)),
            },
        ),
        ("Reshape", {"target_shape": shape}, {}),
        (
            "Conv2DTranspose",
            {**same, "strides": two},
            {
                "kernel": random(kernel, kernel, 4, 5),
                "bias": random(4),
            },
        ),
        ("LeakyReLU", {}, {}),
        ("Dropout", {"rate": 0.4}, {}),
        (
            "Conv2DTranspose",
            {**same, "strides": [1, 1]},
            {
                "kernel": random(last, last, 2, 4),
                "bias": random(2),
            },
        ),
        (
            "Conv2D",
            {**same, "strides": [1, 1], "activation": "tanh"},
            {
                "kernel": random(3, 3, 2, 3),
                "bias": random(3),
            },
        ),
    ]


def describe(layers, kind="Sequential"):
    described = [{"class_name": name, "config": config} for name, config, _ in layers]
    return json.dumps({"class_name": kind, "config": {"layers": described}}).encode()


def save(folder, layers, kind="Sequential"):
    weighted = [variables for _, _, variables in layers if variables]
    write_bundle(
        folder / "variables",
        {
            f"layer_with_weights-{i}/{name}": array
            for i, variables in enumerate(weighted)
            for name, array in variables.items()
        }
        | {"optimizer/iter": np.zeros(1)},
    )
    root = describe(layers, kind)
    node = field(2, 0) + field(3, b"root") + field(4, b"_tf_keras_sequential") + field(5, root)
    (folder / "keras_metadata.pb").write_bytes(field(1, node))
    return folder


def save_as_before_2_5(folder, layers, metadata=None):
    """The same as TensorFlow 2.0 to 2.4 laid it out: the description lies in the graph's file."""
    save(folder, layers)
    (folder / "keras_metadata.pb").unlink()
    root = field(1, b"_tf_keras_sequential") + field(3, metadata or describe(layers))
    child = field(4, field(1, b"_tf_keras_layer") + field(3, b"{}"))
    objects = field(1, field(4, root)) + field(1, child)
    graph = field(2, field(1, b"a node")) + field(7, objects)
    (folder / "saved_model.pb").write_bytes(field(1, 1) + field(2, graph))
    return folder


def transpose_same(x, kernel, bias, stride):
    """Conv2DTranspose of Keras: all of it, cut to stride times the size, more at the end."""
    weight = torch.from_numpy(kernel).permute(3, 2, 0, 1)
    whole = F.conv_transpose2d(x, weight, torch.from_numpy(bias), stride=stride)
    before, size = (kernel.shape[0] - stride) // 2, x.shape[-1] * stride
    return whole[:, :, before : before + size, before : before + size]


def compute(layers, z):
    """What the layers make, computed as Keras does; grids are made from [N, H, W, C]."""
    weights = [{k: torch.from_numpy(v) for k, v in v.items()} for _, _, v in layers if v]
    dense, norm, first, second, colours = weights
    x = F.leaky_relu(z @ dense["kernel"] + dense["bias"], 0.2)
    x = (x - norm["moving_mean"]) / (norm["moving_variance"] + 1e-3).sqrt()
    x = (x * norm["gamma"] + norm["beta"]).reshape(-1, 3, 3, 5).permute(0, 3, 1, 2)
    x = F.leaky_relu(transpose_same(x, first["kernel"].numpy(), first["bias"].numpy(), 2), 0.3)
    x = transpose_same(x, second["kernel"].numpy(), second["bias"].numpy(), 1)
    return torch.tanh(
        F.conv2d(x, colours["kernel"].permute(3, 2, 0, 1), colours["bias"], padding=1)
    )


@pytest.mark.parametrize("size", [0, 3, 4, 9, 511, 512, 1023, 5000])
def test_the_checksum_is_that_of_castagnoli(size):
    content = RANDOM.integers(0, 256, size, np.uint8).tobytes()
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    assert crc32c(content) == crc ^ 0xFFFFFFFF
    assert crc32c(b"123456789") == 0xE3069283


@pytest.mark.parametrize(("kernel", "last"), [(4, 6), (5, 5), (3, 4), (2, 1)])
def test_a_saved_model_makes_the_same_pictures(tmp_path, kernel, last):
    layers = skyline_layers(kernel, last)
    found = GeneratorFinder().find(save(tmp_path / "generator_model_f0000123", layers), check=True)
    assert (found.spec.z_dim, found.spec.image_size) == (Z_DIM, 6)
    G = found.spec.build().eval()
    G.load_state_dict(found.weights)
    z = torch.randn(4, Z_DIM)
    with torch.inference_mode():
        difference = (G(z) - compute(layers, z)).abs().max() * 127.5
    assert difference < 0.01  # Levels of 255.


def test_a_saved_model_of_before_2_5_is_read_from_its_graph(tmp_path):
    layers = skyline_layers()
    newer = GeneratorFinder().find(save(tmp_path / "newer_1", layers))
    older = GeneratorFinder().find(save_as_before_2_5(tmp_path / "older_1", layers), check=True)
    assert older.spec == newer.spec
    assert all(torch.equal(older.weights[name], t) for name, t in newer.weights.items())
    for i, metadata in enumerate((b"[]", b"{", b'{"class_name": "Sequential", "config": 3}')):
        folder = save_as_before_2_5(tmp_path / f"damaged_{i}", layers, metadata)
        with pytest.raises(UnusableFileError, match=r"its saved_model\.pb describes no model"):
            GeneratorFinder().find(folder)
    (folder / "saved_model.pb").write_bytes(field(1, 1) + field(2, field(2, b"")))
    with pytest.raises(UnusableFileError, match="save the model again"):
        GeneratorFinder().find(folder)


def test_the_folders_of_skylines_become_a_run_by_the_numbers_in_their_names(tmp_path):
    source = tmp_path / "saved"
    for batch in (100, 7, 12000):
        save(source / f"generator_model_f{batch:07}", skyline_layers())
        critic = [
            ("Conv2D", {"strides": [2, 2]}, {"kernel": random(3, 3, 3, 2), "bias": random(2)})
        ]
        save(source / f"discriminator_model_f{batch:07}", critic)
    finder = GeneratorFinder()
    plan = plan_import(source, finder)
    index = CheckpointIndex(tmp_path / "runs")
    assert import_files(open_import(index, "city", plan, "exact"), plan, finder) == (3, [])
    assert index["city"].batches == [7, 100, 12000]
    assert len(plan.skipped) == 3
    alone = plan_import(source / "generator_model_f0000100", finder)
    assert [file.batch for file in alone.files] == [100]


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["variables.index", "variables.data-00000-of-00001"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_a_flipped_bit_is_found(tmp_path, name, share):
    folder = save(tmp_path / "generator_1", skyline_layers())
    path = folder / "variables" / name
    flip(path, int(share * path.stat().st_size))
    with pytest.raises(UnusableFileError, match="damaged"):
        GeneratorFinder().find(folder, check=True)


def test_what_cannot_be_read_says_why(tmp_path):
    layers = skyline_layers()
    with pytest.raises(UnusableFileError, match="only a Sequential shows the order"):
        GeneratorFinder().find(save(tmp_path / "a_1", layers, "Functional"))
    folder = save(tmp_path / "b_1", [*layers, ("Lambda", {}, {})])
    with pytest.raises(UnusableFileError, match="a layer 'Lambda', which no chain has"):
        GeneratorFinder().find(folder)
    (folder / "keras_metadata.pb").unlink()
    with pytest.raises(UnusableFileError, match=r"no keras_metadata\.pb"):
        GeneratorFinder().find(folder)
    short = save(tmp_path / "c_1", layers) / "variables" / "variables.data-00000-of-00001"
    short.write_bytes(short.read_bytes()[:-40])
    with pytest.raises(UnusableFileError, match="claims more than there is"):
        GeneratorFinder().find(tmp_path / "c_1")
