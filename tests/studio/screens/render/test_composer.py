"""Films are composed of pictures: what is pressed is written in the fields, and the other way."""

from types import SimpleNamespace

import gradio as gr
import pytest

from studio.actions.permissions import Permissions
from studio.screens.parts.picture_cache import PictureCache
from studio.screens.render.composer import (
    Composed,
    draw_cities,
    pressed_city,
    read_keys,
    read_span,
    show_composer,
    write_keys,
    write_span,
)
from studio.screens.render.form_panel import FilmForm
from studio.screens.render.plan_view import mark_of, plan_of, show_plan
from studio.screens.render.render_fields import lay_out_path, lay_out_timelapse, lay_out_walk
from studio.specimens.points import points_or_fixed

KEPT = [1, 2, 5, 9, 12]


@pytest.fixture
def app(workspace):
    """What the composer asks a page for."""
    pictures = PictureCache(workspace)
    return SimpleNamespace(
        workspace=workspace,
        picture_cache=pictures,
        batches=lambda run: pictures.batches(run) if run else [],
        shown_points=lambda run: points_or_fixed(workspace, run, []),
        attribution=lambda run: "",
        perform=Permissions(workspace).perform,
    )


def panel(app, lay_out):
    """A form without its page."""
    with gr.Blocks():
        form = lay_out()
    made = FilmForm.__new__(FilmForm)
    made._app, made.form = app, form
    made._names = [n for n in ("points", "batches", "batch", "keys") if n in form.laid]
    return made


def press(made, action, fields, **values):
    event = gr.EventData(None, {"action": action, **values})
    _, at, *written = made._press(event, "city", 18, *[fields.get(n) for n in made._names])
    changed = zip(made._names, written, strict=True)
    return at, {n: v for n, v in changed if v != gr.skip()}


def test_a_span_is_read_and_written_alike():
    for first, last in ((1, 12), (2, 9), (5, 12), (9, 9)):
        found = read_span(write_span(first, last, KEPT), KEPT)
        ends = (found[0] or 1, found[1] or 12)
        assert ends == (first, last)
    assert read_span("nonsense", KEPT) == (None, None)


def test_keys_are_read_and_written_alike():
    assert write_keys(read_keys(" 5@0.1->9@seed:3 ")) == "5@0.1 -> 9@seed:3"


def test_a_pressed_city_comes_last_and_goes_at_the_next_press():
    assert pressed_city(["0.1"], "0.2") == ["0.1", "0.2"]
    assert pressed_city(["0.1", "0.2"], "0.1") == ["0.2"]


def test_what_is_pressed_is_written_in_the_fields(app):
    timelapse, walk, path = (
        panel(app, each) for each in (lay_out_timelapse, lay_out_walk, lay_out_path)
    )
    assert press(timelapse, "city", {"points": ["0.0"]}, label="0.3")[1] == {
        "points": ["0.0", "0.3"]
    }
    assert press(timelapse, "span", {}, **{"from": "2", "to": "7"})[1] == {"batches": "3:9"}
    assert press(walk, "span", {}, at="4")[1] == {"batch": 5}
    assert press(path, "span", {}, at="4")[0] == 5
    added = press(path, "city", {"keys": "2@0.0"}, label="0.1", at="8")[1]
    assert added == {"keys": "2@0.0 -> 9@0.1"}
    assert press(path, "drop", {"keys": "2@0.0 -> 9@0.1"}, place="0")[1] == {"keys": "9@0.1"}


def test_chosen_cities_are_numbered_and_no_file_is_opened_for_a_picture(app, tmp_path):
    shown = show_composer(app, "city", Composed(("0.2", "seed:4", "/etc/passwd")), 4)
    assert shown.count('aria-pressed="true"') == 2
    assert shown.count('class="city"') == 5
    assert "/etc/passwd" not in shown
    assert "More cities" in shown
    assert set(draw_cities(app, "city", 3, ["0.0", "../x.jpg", "0.99"])) == {"0.0"}


def test_the_plan_follows_the_form_and_shows_a_preview_of_the_same_film_alone(app):
    made = panel(app, lay_out_walk)

    def written(**given):
        return tuple(given.get(name, each.value) for name, each in made.form.laid.items())

    short = written(points=["0.0", "0.1"], seconds=0.2, fps="10")
    said = show_plan(app, made.form, "city", short, "")
    assert "2 frames" in said
    assert "<img" not in said
    mark = mark_of(plan_of(made.form, "city", short, 6))
    assert "<img" in show_plan(app, made.form, "city", short, mark)
    other = written(points=["0.0", "0.1"], seconds=0.3, fps="10")
    assert "<img" not in show_plan(app, made.form, "city", other, mark)
    wrong = show_plan(app, made.form, "city", written(points=["0.77"]), "")
    assert 'class="small warning"' in wrong
