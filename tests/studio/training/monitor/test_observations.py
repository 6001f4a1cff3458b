import numpy as np
import pytest

from studio.training.monitor.observations import Observer, shrink


def test_change_and_diversity_are_rms_of_255():
    frames = np.zeros((2, 64, 64, 3), np.uint8)
    frames[1] = 30
    observer = Observer()
    first = observer.observe(frames)
    assert first.change is None
    assert first.diversity == pytest.approx(30)
    assert observer.observe(frames + 8).change == pytest.approx(8)


def test_pictures_of_any_size_are_seen_at_the_same_few_pixels():
    rng = np.random.default_rng(0)
    for size in (32, 64, 100, 1024):
        frames = rng.integers(0, 256, (2, size, size, 3), dtype=np.uint8)
        assert Observer().observe(frames).small.shape == (2, 16, 16, 3)


def test_no_more_than_sixteen_points_are_looked_at():
    frames = np.zeros((100, 32, 32, 3), np.uint8)
    assert len(Observer().observe(frames).small) <= 16


def test_other_fixed_points_have_no_change_to_the_ones_before():
    observer = Observer()
    observer.observe(np.zeros((4, 32, 32, 3), np.uint8))
    assert observer.observe(np.zeros((5, 32, 32, 3), np.uint8)).change is None


def test_one_point_has_no_diversity():
    assert Observer().observe(np.zeros((1, 32, 32, 3), np.uint8)).diversity is None


def test_shrinking_averages_blocks():
    pictures = np.arange(2 * 4 * 4 * 3, dtype=np.float32).reshape(2, 4, 4, 3)
    expected = pictures.reshape(2, 2, 2, 2, 2, 3).mean(axis=(2, 4))
    assert np.array_equal(shrink(pictures, 2), expected)
