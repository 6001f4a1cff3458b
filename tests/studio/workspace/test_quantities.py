import pytest

from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.quantities import format_bytes, parse_bytes


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


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1.GB", "10 pints", "0", "1e9"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(EXPECTED_ERRORS, match=r"is no size\. Write it as 200GB"):
        parse_bytes(text)


def test_what_is_written_is_read_back():
    for size_bytes in (5, 1_300, 2_500_000, 999_900_000_000, 4_100_000_000_000):
        assert parse_bytes(format_bytes(size_bytes)) == size_bytes
