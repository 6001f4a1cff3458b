"""The order of a folder's pictures, by whatever their names tell."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.films.folders.picture_dates import read_dates
from studio.films.folders.picture_order import choose_numbers, find_pictures, order_pictures
from studio.films.folders.picture_pace import choose_frames_shown, describe_gaps
from studio.workspace.errors import StudioError


def ordered(*names, **options):
    return order_pictures(None, names, **options)


def test_numbers_count_however_they_are_padded():
    found = ordered("fakes_10.png", "fakes_9.png", "fakes_0100.png")
    assert found.names == ("fakes_9.png", "fakes_10.png", "fakes_0100.png")
    assert found.ids == found.numbers == found.places == (9, 10, 100)


@given(st.sets(st.integers(0, 10**15 - 1), min_size=2, max_size=20))
def test_any_numbers_come_in_their_order(numbers):
    found = ordered(*(f"image_at_epoch_{number}.jpg" for number in numbers))
    assert list(found.numbers) == sorted(numbers)
    assert found.counted == "epoch"


def test_a_number_that_all_names_share_says_nothing():
    found = ordered("run7_step_20_x64.png", "run7_step_3_x64.png")
    assert found.numbers == (3, 20)
    assert found.counted == "step"


def test_epochs_go_before_batches_wherever_they_stand():
    names = ["batch_2_epoch_1.png", "batch_1_epoch_2.png", "batch_1_epoch_1.png"]
    found = ordered(*names)
    assert found.names == (names[2], names[0], names[1])
    assert (found.numbers, found.ids, found.places) == ((1, 1, 2), (1, 2, 3), ())
    assert "go by all of them: epoch and batch" in found.remarks[0]


def test_a_second_number_is_left_aside_where_the_first_tells_all_apart():
    found = ordered("step_2_fid_31.5.png", "step_10_fid_9.5.png")
    assert (found.numbers, found.remarks) == ((2, 10), ())
    assert ordered("a1_b9.png", "a2_b3.png", number=2).numbers == (3, 9)
    with pytest.raises(StudioError, match="no number 3 to order by: 2 of the numbers"):
        ordered("a1_b9.png", "a2_b3.png", number=3)


def test_dates_in_names_go_before_numbers():
    names = ("2024-03-05T12-00-00.jpg", "2023-12-31T23-59-59.jpg", "2024-03-05T12-00-01.5.jpg")
    found = ordered(*names)
    assert found.names == (names[1], names[0], names[2])
    assert found.places[2] - found.places[1] == 1_500_000
    assert found.numbers == (1, 2, 3)


@pytest.mark.parametrize(
    ("stem", "is_date"),
    [
        ("IMG_20240305_120000", True),
        ("Screenshot 2024-03-05 at 12.00.00", True),
        ("2024-03-05", True),
        ("2024-13-05", False),  # There is no such month.
        ("fakes_00012345", False),  # The year 1 is a number.
        ("2024030512", False),
        ("9" * 5000, False),
    ],
)
def test_a_date_is_one_that_a_calendar_has(stem, is_date):
    assert (read_dates([stem, "2020-01-01"]) is not None) == is_date


def test_a_counter_behind_one_date_is_a_number():
    found = ordered("2024-03-05_0099.png", "2024-03-05_0100.png")
    assert found.numbers == (99, 100)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a_1.png", "a_2.png", "real_1.png"], "2 are named as 'a_#' and 1 as 'real_#'"),
        (["1.png", "1.jpg"], "have the same number"),
        (["01.png", "1.png", "2.png"], "have the same number"),
        ([f"a{'9' * 200}.png", "a1.png"], "has 200 digits, and at most 15"),
    ],
)
def test_names_that_tell_no_order_are_refused_in_a_sentence(names, said):
    with pytest.raises(StudioError, match=said):
        ordered(*names)


def test_pictures_without_a_number_stand_outside_and_are_named():
    found = ordered("fake_1.png", "fake_2.png", "real_samples.png")
    assert found.names == ("fake_1.png", "fake_2.png")
    (said,) = found.remarks
    assert said.startswith("One picture has no number and stands outside the film, such as 'real_")


def test_without_numbers_and_dates_the_times_of_files_count_with_a_word(tmp_path):
    for age, name in enumerate(["b.png", "a.png", "c.png"]):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (10**9 + 60 * age,) * 2)
    found = order_pictures(tmp_path, ["a.png", "b.png", "c.png"])
    assert found.names == ("b.png", "a.png", "c.png")
    assert found.places == tuple((10**9 + 60 * age) * 10**6 for age in range(3))
    assert "A copy may have other ones" in found.remarks[0]
    assert order_pictures(tmp_path, found.names, "name").names == ("a.png", "b.png", "c.png")


HOSTILE = ["-rf 1.png", "a\nb 1.png", "%d1.png", "'\"$(x)1.png", "\x1b[31m1.png", "\udcff1.png"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_only_a_name(name, tmp_path):
    other = name.replace("1.png", "2.png")
    for each in (name, other):
        (tmp_path / each).touch()
    found = order_pictures(tmp_path, find_pictures(tmp_path))
    assert found.names == (name, other)
    with pytest.raises(StudioError) as refused:
        order_pictures(tmp_path, [name, f"x{name}"])
    assert all(char.isprintable() for char in str(refused.value))


def test_a_pattern_chooses_and_hidden_files_and_folders_are_no_pictures(tmp_path):
    for name in (".1.png", "1.png", "2.PNG", "notes1.txt", "film.gif"):
        (tmp_path / name).touch()
    (tmp_path / "3.png").mkdir()
    assert sorted(find_pictures(tmp_path, but="film.gif")) == ["1.png", "2.PNG"]
    assert find_pictures(tmp_path, "?.png") == ["1.png"]
    with pytest.raises(StudioError, match=r"no picture whose name fits 'z\*'"):
        find_pictures(tmp_path, "z*")
    with pytest.raises(StudioError, match="cannot be read as a folder"):
        find_pictures(tmp_path / "1.png")


def test_numbers_are_chosen_as_batches_are():
    pictures = ordered(*(f"{number}.png" for number in range(0, 100, 10)))
    assert choose_numbers(pictures, "20:60", 1).numbers == (20, 30, 40, 50)
    assert choose_numbers(pictures, "", 4).numbers == (0, 40, 80)
    assert choose_numbers(pictures, "90,10", 1).numbers == (10, 90)
    assert choose_numbers(pictures, f"0:{10**15}", 1).numbers == pictures.numbers
    with pytest.raises(StudioError, match="No picture lies in '1:9'"):
        choose_numbers(pictures, "1:9", 1)


@given(
    st.sets(st.integers(0, 10**15), min_size=2, max_size=30).map(sorted),
    st.integers(1, 300),
)
def test_every_pace_begins_with_the_first_picture_and_ends_with_the_last(places, frames):
    for pace in ("picture", "number"):
        shown = choose_frames_shown(places, len(places), pace, frames)
        assert len(shown) == frames
        assert shown == sorted(shown)
        assert frames == 1 or (shown[0], shown[-1]) == (0, len(places) - 1)


def test_a_film_paced_by_numbers_is_as_long_as_they_say_and_no_longer_than_it_may_be():
    assert choose_frames_shown([0, 100, 200, 500], 4, "number", None) == [0, 1, 2, 2, 2, 3]
    with pytest.raises(StudioError, match="has 1,000,000,001 frames"):
        choose_frames_shown([0, 1, 2, 10**9], 4, "number", None)
    with pytest.raises(StudioError, match="tells no distances"):
        choose_frames_shown([], 4, "number", None)


def test_gaps_are_told_where_numbers_go_up_by_one_step():
    assert describe_gaps([0, 100, 200, 600, 700, 900]) == (
        "4 numbers lack between 0 and 900: 300 to 500, 800."
    )
    assert describe_gaps([1, 5, 6, 20, 90]) is None
    assert describe_gaps([7]) is None
