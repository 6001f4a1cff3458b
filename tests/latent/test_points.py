import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

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


@given(batch=st.integers(0, 10**15 - 1), index=st.integers(0, 10**9 - 1))
def test_every_label_is_read_back(batch, index):
    assert parse_label(f"{batch}.{index}") == (batch, index)


@given(st.integers(0, 2**63 - 1))
def test_every_seed_is_read_back_and_draws_its_point_again(seed):
    point = seeded_point(seed, 4)
    assert parse_seed(point.label) == seed
    assert torch.equal(point.z, seeded_point(seed, 4).z)


@given(st.text() | st.from_regex(r"(seed:)?\d*\.?\d*", fullmatch=True))
def test_any_other_text_is_no_label_and_no_seed(text):
    label = parse_label(text)
    assert label is None or [int(number) for number in text.split(".")] == [*label]
    assert label is None or text.isascii()
    try:
        seed = parse_seed(text)
    except LatentError:
        assert int(text.removeprefix("seed:")) >= 2**63
    else:
        assert seed is None or int(text.removeprefix("seed:")) == seed


@given(
    batch=st.integers(0, 10**6),
    seed=st.integers(0, 2**62),
    first=st.integers(0, 50),
    count=st.integers(1, 5),
)
def test_points_are_the_same_whichever_are_drawn_with_them(batch, seed, first, count):
    alone = sample_points(batch, range(first, first + 1), 3, seed)[0]
    among = sample_points(batch, range(first, first + count), 3, seed)[0]
    assert alone.label == among.label == f"{batch}.{first}"
    assert torch.equal(alone.z, among.z)
