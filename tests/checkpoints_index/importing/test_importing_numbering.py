import re
from pathlib import PurePath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints_index.errors import CheckpointError
from checkpoints_index.importing.numbering import choose_batches, compile_pattern
from checkpoints_index.importing.refusals import AmbiguousFilesError


def batches(*names, pattern=None):
    numbered, _ = choose_batches([PurePath(name) for name in names], pattern)
    return {str(path): batch for batch, path in numbered}


def order(*names, pattern=None):
    return list(batches(*names, pattern=pattern).values())


def test_numbers_are_ordered_as_numbers():
    found = batches("G_10.pt", "G_2.pt", "G_1.pt")
    assert list(found) == ["G_1.pt", "G_2.pt", "G_10.pt"]
    assert list(found.values()) == [1, 2, 10]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["netG_epoch_099.pth", "netG_epoch_100.pth"], [99, 100]),
        (["G--1.pt", "G--300.pt"], [1, 300]),
        (["run3/netG_epoch_007.pth", "run3/netG_epoch_012.pth"], [7, 12]),
        (["dcgan64_000120.pt", "dcgan64_000240.pt"], [120, 240]),
        (["G.0.h5", "G.100.h5"], [0, 100]),
        (["epoch_5/G_5.pt", "epoch_9/G_9.pt"], [5, 9]),
        (["epoch_1_step_200.ckpt", "epoch_1_step_400.ckpt"], [200, 400]),
    ],
)
def test_the_one_number_that_differs_is_the_batch(names, expected):
    assert order(*names) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("G.pt", 0), ("run3/G_12.pt", 12), ("dcgan64_000120.pt", 120), ("run3/G.pt", 0)],
)
def test_a_file_alone_has_its_only_number_or_none(name, expected):
    assert order(name) == [expected]


@pytest.mark.parametrize(
    "names",
    [
        ["epoch_5_step_200.pt", "epoch_6_step_400.pt"],
        ["epoch_5.pt", "step_200.pt"],
        ["a/G_1.pt", "b/G_2.pt"],
    ],
)
def test_a_doubt_names_two_files_and_a_pattern(names):
    with pytest.raises(AmbiguousFilesError) as refusal:
        order(*names)
    assert all(name in str(refusal.value) for name in names)
    assert re.fullmatch(r"\w+\(\\d\+\)", refusal.value.pattern)


def test_several_numbers_of_a_file_alone_are_a_doubt():
    with pytest.raises(AmbiguousFilesError, match=r"epoch_5_step_200") as refusal:
        order("epoch_5_step_200.pt")
    assert refusal.value.pattern == r"step_(\d+)"


def test_the_suggested_pattern_settles_the_doubt():
    names = ["a/epoch=5-it.er.200.ckpt", "a/epoch=6-it.er.400.ckpt"]
    with pytest.raises(AmbiguousFilesError) as doubt:
        order(*names)
    assert order(*names, pattern=doubt.value.pattern) == [200, 400]


@pytest.mark.parametrize("pattern", [r"step_(\d+)", r"epoch_(\d+_)?step_(?P<batch>\d+)"])
def test_a_pattern_chooses_the_number(pattern):
    names = ["epoch_6_step_400.pt", "epoch_5_step_200.pt"]
    assert order(*names, pattern=pattern) == [200, 400]


@pytest.mark.parametrize("pattern", [r"step_\d+", r"(a)(b)", "("])
def test_a_pattern_without_one_group_is_refused(pattern):
    with pytest.raises(CheckpointError, match="The pattern"):
        compile_pattern(pattern)


def test_a_pattern_that_finds_no_number_is_refused():
    with pytest.raises(CheckpointError, match="'best'"):
        order("G_best.pt", pattern="G_(best)")


@pytest.mark.parametrize("names", [["G_1.pt", "G_01.pt"], ["G_1.pt", "G_1.pth"]])
def test_two_files_of_one_batch_are_refused_by_name(names):
    with pytest.raises(CheckpointError, match="Both") as refusal:
        order(*names, "G_2.pt")
    assert all(name in str(refusal.value) for name in names)


def test_a_file_without_a_number_is_told_from_the_others():
    paths = [PurePath(name) for name in ("G_1.pt", "G_final.pt", "G_2.pt")]
    numbered, unnumbered = choose_batches(paths)
    assert [batch for batch, _ in numbered] == [1, 2]
    assert unnumbered == [PurePath("G_final.pt")]


def test_a_number_that_no_store_could_hold_is_refused():
    with pytest.raises(CheckpointError, match="too large"):
        order("G_1.pt", f"G_{10**30}.pt")


SOME = settings(max_examples=80, deadline=None)
WORDS = st.text("abcxyzG", min_size=1, max_size=6)


@SOME
@given(WORDS, st.sets(st.integers(0, 10**9), min_size=1, max_size=8), st.sampled_from("_-. "))
def test_any_numbers_behind_one_word_are_the_batches(word, batches, separator):
    names = [f"{word}{separator}{batch}.pt" for batch in batches]
    assert order(*names) == sorted(batches)


@SOME
@given(WORDS, WORDS, st.lists(st.integers(0, 999), min_size=2, max_size=5, unique=True))
def test_a_suggested_pattern_always_settles_the_doubt(word, other, numbers):
    names = [f"{word}_{n}-{other}_{2 * n + 1}.pt" for n in numbers]
    try:
        found = order(*names)
    except AmbiguousFilesError as doubt:
        found = order(*names, pattern=doubt.pattern)
    # Where both words are the same, the pattern finds the first of the two numbers.
    assert found in (sorted(2 * n + 1 for n in numbers), sorted(numbers))


@SOME
@given(st.text(max_size=12))
def test_any_text_is_a_pattern_or_refused_in_a_sentence(text):
    compiled, said = None, ""
    try:
        compiled = compile_pattern(text)
    except CheckpointError as refusal:
        said = str(refusal)
    assert (text in said) if compiled is None else compiled.groups or compiled.groupindex


def test_a_number_of_thousands_is_spelled_out():
    assert order("G_1e3.pt", "G_5e2.pt", "G_2.5e4.pt") == [500, 1000, 25000]
    assert order("G_1e3.pt") == [1000]


def test_numbers_that_are_not_whole_are_a_doubt():
    with pytest.raises(AmbiguousFilesError, match="not whole"):
        order("G_0.5.pt", "G_0.7.pt")
