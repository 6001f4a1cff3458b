import pytest

from studio.screens.parts.markup import Shown, command, credit, duration, empty, picture_grid


def test_what_comes_from_outside_is_escaped():
    hostile = '<script>"&'
    picture = Shown("data:image/png;base64,AA", hostile, hostile, starred=True)
    for markup in (empty(hostile, hostile), credit(hostile), picture_grid([picture])):
        assert "<script>" not in markup
        assert "&lt;script&gt;&quot;&amp;" in markup


def test_a_command_is_shown_as_one_would_type_it():
    assert "studio train &#x27;my city&#x27; --run a" in command(["train", "my city", "--run", "a"])


def test_without_a_debt_nothing_is_credited():
    assert credit("") == ""


def test_a_star_is_offered_only_where_it_means_something():
    assert 'aria-pressed="true"' in picture_grid([Shown("", "1.2", "1.2", starred=True)])
    assert "aria-pressed" not in picture_grid([Shown("", "1.2", "1.2")])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(45.4, "45 s"), (89, "89 s"), (600, "10 min"), (5400, "1 h 30 min"), (180_000, "2 d 2 h")],
)
def test_durations_are_read_at_a_glance(seconds, text):
    assert duration(seconds) == text
