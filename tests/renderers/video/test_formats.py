from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderers.errors import RenderError
from renderers.video.formats import FORMATS, format_of
from tests.renderers.video.test_joining import FILMS


def test_the_suffix_decides_and_the_codec_may_choose() -> None:
    assert format_of("a.MP4").codec == "h264"
    assert format_of("a.webm").codec == "vp9"
    assert format_of("a.webm", "av1").encoder().name == "libsvtav1"
    assert format_of("a.gif").encoder().name == "ffv1"


@pytest.mark.parametrize(
    ("name", "codec", "sentence"),
    [
        ("film.avi", None, r"'film\.avi': its name must end in one of \.mp4, \.webm, \.mov"),
        ("film", None, r"'film': its name must end in"),
        ("film.webm", "h264", r"A \.webm file holds vp9 or av1, not 'h264'"),
        ("film.png", None, r"names one picture, .* such as film/%06d\.png"),
        ("%02d-%02d.png", None, "write it as %06d"),
    ],
)
def test_what_cannot_be_written_is_refused_with_what_can(name, codec, sentence) -> None:
    with pytest.raises(RenderError, match=sentence):
        format_of(name, codec)


def test_an_encoder_of_another_codec_is_refused() -> None:
    with pytest.raises(RenderError, match=r"libx264 does not make av1\. Use libsvtav1"):
        format_of("film.webm", "av1").encoder("libx264")


def test_long_and_fast_films_are_refused_where_browsers_could_not_play_them() -> None:
    with pytest.raises(RenderError, match=r"19,000 frames are too many for a \.webp .* \.mp4"):
        format_of("film.webp").require_fit(19_000, 60)
    with pytest.raises(RenderError, match="cannot play 60 frames per second: use 50 or fewer"):
        format_of("film.gif").require_fit(100, 60)
    for name, _ in FILMS:
        format_of(name).require_fit(1_000, 50)
    format_of("film.mp4").require_fit(1_000_000, 240)


@given(
    form=st.sampled_from(FORMATS),
    stem=st.text("abcXYZ 123-_.é", min_size=1).filter(lambda stem: set(stem) != {"."}),
)
def test_every_format_is_known_by_its_suffix_in_any_case_and_its_codec(form, stem) -> None:
    number = "%06d" if form.numbered else ""
    for suffix in (form.suffix, form.suffix.upper()):
        assert format_of(f"{stem}{number}{suffix}", form.codec) == form
    assert form.encoder().kind.codec == form.part_codec


@given(st.text())
def test_any_other_name_has_no_format(name) -> None:
    with suppress(RenderError):
        assert format_of(name) in FORMATS
