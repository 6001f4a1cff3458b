import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.records.quantities import (
    format_bytes,
    format_duration,
    parse_bytes,
    parse_duration,
)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("200GB", 200 * 10**9),
        ("1.5 TB", 15 * 10**11),
        ("800mb", 8 * 10**8),
        ("12k", 12_000),
        (" 1000 ", 1000),
        ("7 B", 7),
    ],
)
def test_sizes_are_read_as_people_write_them(text, size_bytes):
    assert parse_bytes(text) == size_bytes


@pytest.mark.parametrize(
    "text", ["", "GB", "-1GB", "1.GB", "10 pints", "0", "0.2", "1e9", "9" * 400, "٣GB"]
)
def test_what_is_no_size_is_refused(text):
    with pytest.raises(EXPECTED_ERRORS, match=r"is no size\. Write it as 200GB"):
        parse_bytes(text)


@given(st.integers(1, 10**18))
def test_a_size_that_was_written_is_read_back_to_its_last_digit(size_bytes):
    written = format_bytes(size_bytes)
    assert format_bytes(parse_bytes(written)) == written
    assert parse_bytes(written) == pytest.approx(size_bytes, rel=0.05)


@given(st.integers(1, 10**15))
def test_a_size_never_has_four_digits_before_its_point(size_bytes):
    assert len(format_bytes(min(size_bytes, 10**14)).split(".")[0].split(" ")[0]) <= 3


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("85m", 5_100),
        ("1h30m", 5_400),
        ("1.5 h", 5_400),
        ("12 h", 43_200),
        ("90s", 90),
        ("2 d 4 h", 187_200),
        ("12 min", 720),
        ("1H 2M 3S", 3_723),
        ("1:02:03", 3_723),
        ("85:00", 5_100),
    ],
)
def test_durations_are_read_as_people_write_them(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "m", "-5m", "0s", "0:00", "5", "1:2", "3 weeks", "30m1h", "9" * 400 + "h", "nan s"]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(EXPECTED_ERRORS, match=r"is no duration\. Write it as 85m, 1h30m or 90s"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "short", "words"),
    [
        (45.4, "45 s", "a minute"),
        (89, "89 s", "a minute"),
        (2400, "40 min", "40 minutes"),
        (5400, "1 h 30 min", "2 hours"),
        (18_000, "5 h 0 min", "5 hours"),
        (180_000, "2 d 2 h", "2 days"),
    ],
)
def test_durations_are_read_at_a_glance(seconds, short, words):
    assert format_duration(seconds) == short
    assert format_duration(seconds, "words") == words


@given(st.integers(1, 10**9))
def test_a_clock_is_read_back_to_the_second(seconds):
    assert parse_duration(format_duration(seconds, "clock")) == seconds


@given(st.floats(0.51, 1e9))
def test_a_short_duration_is_read_back_as_far_as_it_was_written(seconds):
    read = parse_duration(format_duration(seconds))
    within_s = 0.5 if seconds < 89 else 30.5  # Minutes are written from a minute and a half on.
    assert math.isclose(read, seconds, rel_tol=0.025, abs_tol=within_s)


@given(st.text(max_size=12))
def test_any_text_is_a_quantity_or_refused(text):
    for parse in (parse_bytes, parse_duration):
        with contextlib.suppress(*EXPECTED_ERRORS):
            assert parse(text) > 0


@given(st.floats(0, 1e9))
def test_every_style_writes_every_duration(seconds):
    for style in ("short", "clock", "words"):
        assert format_duration(seconds, style)
