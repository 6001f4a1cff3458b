from dataclasses import replace

import pytest
import torch

from studio.training.data.batches import Batches
from studio.training.loop.state import (
    DamagedStateError,
    find_state,
    keep_state,
    list_states,
    load_state,
    read_state,
    save_state,
    tensors_of,
)
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.recipes import build_recipe
from studio.workspace.errors import EXPECTED_ERRORS

CPU = torch.device("cpu")


@pytest.fixture
def begin(pixels):
    """Builds a recipe and its data, and takes some steps."""

    def build(config, steps=0):
        recipe = build_recipe(config, Processes.single(CPU))
        batches = Batches(pixels, config.image_size, config.batch_size, config.seed, True, CPU)
        for _ in range(steps):
            recipe.step(batches, Stopwatch())
        return recipe, batches

    return build


def test_a_loaded_state_holds_every_tensor_and_number_that_was_saved(config, begin, tmp_path):
    recipe, batches = begin(config, steps=2)
    recipe.optimizers["optimizer_d"].param_groups[0]["lr"] = 0.5
    recipe.numbers["augment_p"] = 0.25
    path = save_state(tmp_path, recipe, batches)
    other, others_batches = begin(replace(config, seed=1))
    settings = load_state(path, other, others_batches)
    assert settings["batch_size"] == config.batch_size

    expected, found = dict(tensors_of(recipe)), dict(tensors_of(other))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert other.batch == 2
    assert other.optimizers["optimizer_d"].param_groups[0]["lr"] == 0.5
    assert other.numbers == {"augment_p": 0.25}
    assert others_batches.state == batches.state


def test_the_newest_two_states_are_kept(config, begin, tmp_path):
    recipe, batches = begin(config)
    for batch in (9, 10, 11):
        recipe.batch = batch
        save_state(tmp_path, recipe, batches)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "10.safetensors",
        "11.safetensors",
    ]


def test_what_a_killed_writer_left_beside_is_not_taken_for_a_state(config, begin, tmp_path):
    recipe, batches = begin(config)
    path = save_state(tmp_path, recipe, batches)
    (tmp_path / "5.part").write_bytes(b"half")
    assert list_states(tmp_path) == [path]


def test_a_damaged_state_is_named_with_what_to_do(config, begin, tmp_path):
    recipe, batches = begin(config)
    path = save_state(tmp_path, recipe, batches)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(EXPECTED_ERRORS, match=r"0\.safetensors .*damaged.*Delete it"):
        load_state(path, recipe, batches)


def test_every_flipped_byte_of_a_state_is_noticed(config, begin, tmp_path):
    recipe, batches = begin(config)
    path = save_state(tmp_path, recipe, batches)
    content = path.read_bytes()
    tensors_begin = 8 + int.from_bytes(content[:8], "little")
    for place in range(tensors_begin, len(content), len(content) // 20):
        damaged = bytearray(content)
        damaged[place] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(DamagedStateError):
            load_state(path, recipe, batches)


def test_every_flipped_bit_of_the_facts_of_a_state_is_noticed_or_harmless(config, begin, tmp_path):
    recipe, batches = begin(config, steps=1)
    recipe.batch = 40
    path = save_state(tmp_path, recipe, batches)
    content, known = path.read_bytes(), read_state(path)[0]
    facts_end = 8 + int.from_bytes(content[:8], "little")
    for place in range(0, facts_end, 17):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            assert read_state(path)[0] == known
        except DamagedStateError:
            continue


def test_another_batch_in_a_state_is_refused_with_a_sentence(config, begin, tmp_path):
    recipe, batches = begin(config)
    recipe.batch = 40
    path = save_state(tmp_path, recipe, batches)
    path.write_bytes(path.read_bytes().replace(b'\\"batch\\": 40', b'\\"batch\\": 48'))
    with pytest.raises(DamagedStateError, match="its checksum differs"):
        load_state(path, recipe, batches)


def test_a_state_that_is_kept_for_good_outlives_the_newest_two(config, begin, tmp_path):
    recipe, batches = begin(config)
    kept = keep_state(save_state(tmp_path, recipe, batches))
    for batch in (9, 10):
        recipe.batch = batch
        save_state(tmp_path, recipe, batches)
    assert [path.stem for path in list_states(tmp_path)] == ["9", "10"]
    assert find_state(tmp_path, 0) == kept
    assert find_state(tmp_path, 9) == tmp_path / "9.safetensors"
    assert find_state(tmp_path, 5) is None


def test_a_state_of_other_networks_is_refused(config, begin, tmp_path):
    path = save_state(tmp_path, *begin(config))
    with pytest.raises(EXPECTED_ERRORS, match=r"discriminator_width: 0\.03 -> 0\.1"):
        load_state(path, *begin(replace(config, discriminator_width=0.1)))


def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(config, begin, tmp_path):
    (tmp_path / "taken").write_text("a file where the folder should be")
    with pytest.raises(EXPECTED_ERRORS, match=r"batch 0 .*was not saved"):
        save_state(tmp_path / "taken", *begin(config))
