import sys

import numpy as np
import pytest
import torch

from checkpoints_index.generators.spec import GeneratorSpec
from studio.training.monitor.histograms import measure_layers
from studio.training.monitor.tensorboard_log import (
    MissingTensorBoardError,
    TensorBoardLog,
    tag_of,
)


@pytest.fixture
def read(tmp_path):
    """Reads the event files back; the tests that need it are skipped without TensorBoard."""
    reason = "needs the extra `tensorboard`"
    accumulators = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason=reason
    )

    def load():
        accumulator = accumulators.EventAccumulator(str(tmp_path / "tensorboard"))
        accumulator.Reload()
        return accumulator

    return load


def test_numbers_are_found_under_their_groups(tmp_path, read):
    board = TensorBoardLog(tmp_path / "tensorboard")
    for batch in (1, 2):
        board.add_metrics(batch, {"d_real": batch / 2, "data_s": 0.25, "pictures_per_s": 40.0})
    board.close()
    tags = read().Tags()["scalars"]
    assert set(tags) == {"loss/d_real", "seconds/data", "speed/pictures_per_s"}
    assert [(s.step, s.value) for s in read().Scalars("loss/d_real")] == [(1, 0.5), (2, 1.0)]


def test_a_number_without_a_group_is_among_the_others():
    assert tag_of("d_null") == "others/d_null"


def test_points_after_the_batch_that_a_run_resumes_from_are_gone(tmp_path, read):
    first = TensorBoardLog(tmp_path / "tensorboard")
    for batch in range(1, 11):
        first.add_metrics(batch, {"g": 1.0})
    first.close()
    second = TensorBoardLog(tmp_path / "tensorboard", first_batch=7)
    for batch in range(7, 9):
        second.add_metrics(batch, {"g": 2.0})
    second.close()
    points = [(point.step, point.value) for point in read().Scalars("loss/g")]
    assert points == [*((batch, 1.0) for batch in range(1, 7)), (7, 2.0), (8, 2.0)]


def test_histograms_pictures_and_events_are_there(tmp_path, read):
    G = GeneratorSpec("dcgan", {"z_dim": 8, "image_size": 32, "width": 0.05}).build()
    board = TensorBoardLog(tmp_path / "tensorboard")
    board.add_histograms(3, {"G": measure_layers(G, torch.randn(4, 8))})
    board.add_frames(3, np.full((20, 40, 3), 200, np.uint8))
    board.add_event(3, "alarm", "Mode collapse: all the same")
    board.close()
    found = read()
    weights = found.Histograms("G/stem/weights")[0].histogram_value
    assert weights.num == G.stem.weight.numel()
    assert weights.sum == pytest.approx(float(G.stem.weight.detach().sum()), abs=1e-3)
    assert found.Images("fixed points")[0].width == 40
    assert found.Scalars("networks/dead_units_G")[0].step == 3
    assert "Mode collapse" in str(found.Tensors("events/text_summary")[0].tensor_proto)


def test_without_tensorboard_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingTensorBoardError, match=r"latent-city-studio\[tensorboard\]"):
        TensorBoardLog(tmp_path / "tensorboard")
    assert not (tmp_path / "tensorboard").exists()
