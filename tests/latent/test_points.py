import pytest
import torch

from latent.errors import LatentError
from latent.points import parse_label, parse_seed, sample_points, seeded_point


def test_a_seed_is_torch_randn_from_a_cpu_generator():
    expected = torch.randn(100, generator=torch.Generator().manual_seed(123))
    point = seeded_point(123, 100)
    assert point.label == "seed:123"
    assert torch.equal(point.z, expected)


def test_a_point_does_not_depend_on_how_many_are_drawn():
    many = sample_points(16500, range(64), 100)
    assert many[28].label == "16500.28"
    assert torch.equal(many[28].z, sample_points(16500, range(28, 29), 100)[0].z)


def test_points_of_other_batches_and_seeds_differ():
    drawn = [sample_points(b, range(3), 8, seed) for b, seed in [(1, 0), (2, 0), (1, 1)]]
    values = {tuple(point.z.tolist()) for points in drawn for point in points}
    assert len(values) == 9


def test_drawn_points_are_standard_normal():
    z = torch.stack([point.z for point in sample_points(5, range(2000), 50)])
    assert abs(float(z.mean())) < 0.02
    assert abs(float(z.std()) - 1) < 0.02


@pytest.mark.parametrize(
    ("text", "label"),
    [("16500.28", (16500, 28)), ("0.0", (0, 0)), ("16500", None), ("a.b", None), ("-1.2", None)],
)
def test_labels_are_batch_and_index(text, label):
    assert parse_label(text) == label


def test_a_seed_that_no_generator_takes_is_refused():
    assert parse_seed("seed:7") == 7
    assert parse_seed("16500.28") is None
    with pytest.raises(LatentError, match="too large"):
        parse_seed("seed:9999999999999999999")
