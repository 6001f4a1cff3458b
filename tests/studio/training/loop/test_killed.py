import pytest

from benchmarks.killed_training import measure


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["gan", "letters", "upscale"])
def test_a_run_that_is_killed_and_resumed_ends_as_an_undisturbed_one_bit_for_bit(tmp_path, recipe):
    found = measure(tmp_path, batches=150, kills=2, seed=1, recipe=recipe)
    assert found["kills"] == 2
    assert found["checkpoints"] == found["numbers"] == 150
    assert found["missing"] == []
    assert found["differing"] == 0
    assert found["training_states_equal"]
    assert found["film_frames"] == [150]
    assert found["sessions"] >= 2
