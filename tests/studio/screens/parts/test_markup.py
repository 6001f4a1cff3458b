from studio.screens.parts.markup import (
    Thumbnail,
    command,
    credit,
    downloads,
    note,
    picture_grid,
)


def test_a_command_is_shown_as_one_would_type_it():
    assert "studio train &#39;my city&#39; --run a" in command(["train", "my city", "--run", "a"])


def test_what_is_not_there_leaves_no_empty_box():
    assert credit("") == ""
    assert downloads([]) == ""


def test_a_note_is_quiet_a_warning_or_neither():
    assert note("1 < 2") == '<div class="small quiet">1 &lt; 2</div>'
    assert 'class="small warning"' in note("full", "warning")
    assert 'class="small"' in note("done", "")


def test_a_star_is_offered_only_where_it_means_something():
    starred, plain = Thumbnail("", "1.2", "1.2", starred=True), Thumbnail("", "1.2", "1.2")
    assert 'aria-pressed="true"' in picture_grid([starred], 4)
    assert "aria-pressed" not in picture_grid([plain], 4)
