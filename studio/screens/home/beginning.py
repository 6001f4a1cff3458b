"""What Home shows where there is no run yet: three ways to begin."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from studio.actions.demo_steps import RUN
from studio.screens.home.links import opening
from studio.screens.parts import markup
from studio.screens.parts.assets import read_asset
from studio.workspace.jobs import JobRow

IMPORT_TAB = "Import"  # The panel of the tab Checkpoints that imports.


def show_beginning(jobs: Sequence[JobRow], datasets: Sequence[str]) -> Markup:
    """Three cards: the demo, one's own pictures, checkpoints that one has.

    Args:
        jobs: those that work or wait.
        datasets: the names of those that there are.
    """
    return Markup(
        '<section class="begin" data-key="begin"><div class="begin-head">{art}'
        "<div><h2>Begin here</h2><p>The studio keeps every batch of a training, so that one can "
        "watch a city grow out of noise, walk between cities, and find any of them again.</p></div>"
        "</div>"
        '<div class="begin-ways">{demo}{pictures}{import_}</div></section>'
    ).format(
        art=Markup(read_asset(__package__, "city.svg")),
        demo=_demo(is_under_way(jobs)),
        pictures=_pictures(datasets),
        import_=_import(),
    )


def is_under_way(jobs: Sequence[JobRow]) -> bool:
    """Whether the demo works or waits."""
    return any(job.run == RUN for job in jobs)


def _demo(under_way: bool) -> Markup:
    text = (
        "The real map of Helsinki is drawn, a small network learns it, and a film of the training, "
        "a walk and an atlas are made of it. It takes some minutes on two cores."
    )
    if under_way:
        text = (
            "The demo is being made, one job after the other. Its first pictures show here as soon "
            "as the maps are drawn; it goes on when this page is closed."
        )
    title = "Being made …" if under_way else "Make the demo"
    return _way("See it work", text, markup.button(title, "demo", enabled=not under_way), "first")


def _pictures(datasets: Sequence[str]) -> Markup:
    if datasets:
        many = len(datasets) > 1
        text = f"{', '.join(datasets[:3])}{' and others' if len(datasets) > 3 else ''}"
        text += " are prepared." if many else " is prepared."
        return _way(
            "Train on your pictures",
            f"{text} Give the new run a name and press Start training.",
            _link("Train a run", opening(None, "Train")),
        )
    return _way(
        "Bring your pictures",
        "A folder of pictures on this machine becomes a dataset of one size. What cannot be read "
        "is left out and named. Then train on it.",
        _link("Add a folder of pictures", opening(None, "Train")),
    )


def _import() -> Markup:
    link = opening(None, "Checkpoints") + Markup('="{}"').format(IMPORT_TAB)
    return _way(
        "Import checkpoints",
        "Generators that you have already trained, one file a batch, become a run that can be "
        "filmed, mapped and explored.",
        _link("Import a folder", link),
    )


def _way(title: str, text: str, press: Markup, kind: str = "") -> Markup:
    return Markup(
        '<article class="card begin-way {}"><h3>{}</h3><p>{}</p><div class="begin-press">{}</div>'
        "</article>"
    ).format(kind, title, text, press)


def _link(text: str, attributes: Markup) -> Markup:
    return Markup('<a class="plain" {}>{}</a>').format(attributes, text)
