from contextlib import suppress

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latent.easing import EASINGS
from latent.errors import LatentError
from latent.key_frames import follow_key_frames, parse_key_frames
from latent.routes import route


@pytest.mark.parametrize(
    "text",
    [
        "12000@16500.28 -> 19000@seed:7 -> 500@out/my city, 2.jpg",
        "12000@16500.28->19000@seed:7->500@out/my city, 2.jpg",
        " 12000 @ 16500.28 → 19000 @ seed:7 , 500 @ out/my city, 2.jpg ",
        "12000@16500.28,19000@seed:7,500@out/my city, 2.jpg",
    ],
)
def test_keys_are_read_with_arrows_or_commas_and_with_or_without_spaces(text):
    expected = [(12000, "16500.28"), (19000, "seed:7"), (500, "out/my city, 2.jpg")]
    assert parse_key_frames(text) == expected


def test_a_path_to_a_picture_may_hold_an_at_sign():
    assert parse_key_frames("1@a@b.jpg -> 2@seed:1")[0] == (1, "a@b.jpg")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "'' has an empty place"),
        ("12000@16500.28", "'12000@16500.28' is one key; a path needs two or more"),
        ("12000@16500.28 ->", "has an empty place where a key was expected"),
        ("1@seed:1 -> -> 2@seed:2", "has an empty place where a key was expected"),
        ("1@seed:1 -> seed:2", "'seed:2' is no key of a path: write BATCH@POINT"),
        ("1@seed:1 -> 2@", "'2@' is no key of a path"),
        ("@seed:1 -> 2@seed:2", "'@seed:1' is no key of a path"),
        ("-1@seed:1 -> 2@seed:2", "'-1@seed:1' is no key of a path"),
        ("1@seed:1, -2@seed:2", "'-2@seed:2' is no key of a path"),
        ("1.5@seed:1 -> 2@seed:2", r"'1\.5@seed:1' is no key of a path"),
        ("12,000@seed:1 -> 19,000@seed:2", "'12' is no key of a path"),
    ],
)
def test_what_is_no_path_is_told_with_the_place(text, sentence):
    with pytest.raises(LatentError, match=sentence):
        parse_key_frames(text)


def test_batch_and_point_move_together_and_evenly_from_key_to_key():
    points = list(torch.randn(3, 16, generator=torch.Generator().manual_seed(1)))
    batches, z = follow_key_frames([100, 200, 150], points, 21)
    assert batches.dtype == torch.float64
    assert batches.tolist() == [*range(100, 200, 10), *range(200, 149, -5)]
    assert torch.equal(z, route(points, 21))


def test_a_key_that_repeats_holds_its_batch_or_its_point():
    a, b = torch.randn(2, 16, generator=torch.Generator().manual_seed(1))
    batches, z = follow_key_frames([7, 7, 9], [a, b, b], 9)
    assert batches[:5].tolist() == [7] * 5
    assert torch.allclose(z[4:], b.expand(5, 16), atol=1e-5)


def test_easing_is_of_the_batch_as_well():
    a, b = torch.randn(2, 16, generator=torch.Generator().manual_seed(1))
    batches, _ = follow_key_frames([0, 1000], [a, b], 101, easing="smooth")
    steps = batches.diff()
    assert batches[[0, 50, 100]].tolist() == [0, 500, 1000]
    assert steps[0] < 1 > steps[-1]
    assert steps[50] > 10


def test_paths_that_cannot_be_are_told():
    a, b = torch.randn(2, 16, generator=torch.Generator().manual_seed(1))
    with pytest.raises(LatentError, match="at least two latent points, not 1"):
        follow_key_frames([1], [a], 10)
    with pytest.raises(LatentError, match="no route 'straight'"):
        follow_key_frames([1, 2], [a, b], 10, "straight")


KEYS = st.lists(
    st.tuples(
        st.integers(0, 10**15 - 1),
        st.from_regex(r"(seed:\d{1,9}|\d{1,9}\.\d{1,4}|out/[a-z ,@]{0,9}z\.jpg)", fullmatch=True),
    ),
    min_size=2,
    max_size=6,
)


@given(keys=KEYS, arrow=st.sampled_from([" -> ", "->", " → ", "→", ", ", ","]))
def test_every_path_that_is_written_is_read_back(keys, arrow):
    text = arrow.join(f"{batch}@{point}" for batch, point in keys)
    assert parse_key_frames(text) == keys


@given(st.text() | st.from_regex(r"[\d@>,.\- ]{0,20}", fullmatch=True))
def test_any_other_text_is_a_path_of_two_keys_or_is_refused(text):
    with suppress(LatentError):
        keys = parse_key_frames(text)
        assert len(keys) >= 2
        assert all(key.batch >= 0 and key.point.strip() for key in keys)


@given(
    batches=st.lists(st.integers(0, 10**6), min_size=2, max_size=6),
    spare=st.integers(0, 30),
    easing=st.sampled_from(EASINGS),
)
def test_the_batch_goes_from_the_first_key_to_the_last_and_stays_between_them(
    batches, spare, easing
):
    points = list(torch.randn(len(batches), 4, generator=torch.Generator().manual_seed(1)))
    path, z = follow_key_frames(batches, points, len(batches) + spare, easing=easing)
    assert len(path) == len(z) == len(batches) + spare
    assert path[0] == batches[0]
    assert path[-1] == pytest.approx(batches[-1])
    assert min(batches) - 1e-6 <= path.min()
    assert path.max() <= max(batches) + 1e-6
