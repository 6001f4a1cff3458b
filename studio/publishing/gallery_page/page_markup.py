"""The markup of a gallery page; whatever somebody wrote is escaped where it is put in."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from markupsafe import Markup

from studio.publishing.escaping import shorten_text, without_places
from studio.publishing.gallery_page.curve_drawings import draw_page_curves
from studio.publishing.gallery_page.page_assets import PageFilm, PagePicture
from studio.publishing.model_kinds import kind_of
from studio.publishing.run_facts import RunFacts
from studio.workspace.records.quantities import format_bytes

GENERATOR = "Latent City Studio gallery"
MARK = f'<meta name="generator" content="{GENERATOR}">'
PAGE = Markup(
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{mark}\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    '<meta name="color-scheme" content="light dark">\n'
    '<meta name="description" content="{said}">\n'
    "<title>{run}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
    '<a class="skip" href="#main">To the pictures</a>\n'
    "<header><h1>{run}</h1><p>{said}</p>{numbers}{links}</header>\n"
    '<main id="main">\n{sections}</main>\n'
    "<footer><p>{owed}</p><p>Made with Latent City Studio.</p></footer>\n</body>\n</html>\n"
)
SECTION = Markup('<section id="{id}" aria-labelledby="{id}-title"><h2 id="{id}-title">{title}</h2>')


def write_page(
    facts: RunFacts,
    films: Sequence[PageFilm],
    specimens: Sequence[PagePicture],
    atlas: PagePicture | None,
) -> str:
    """The text of index.html, which asks nobody else for anything and runs no script."""
    alarms = [event.batch for event in facts.alarms if event.batch is not None]
    found = {
        "films": ("Films", _lay_films(films)),
        "specimens": ("Specimens", _lay_specimens(specimens, kind_of(facts.spec).thing)),
        "atlas": ("The atlas", _lay_atlas(atlas)),
        "curves": ("The training", draw_page_curves(facts.curves, facts.metrics, alarms)),
        "events": ("Events and alarms", _list_events(facts)),
        "about": ("About this run", _tell_about(facts)),
    }
    there = {name: part for name, part in found.items() if part[1]}
    sections = Markup("\n").join(
        SECTION.format(id=name, title=title) + body + Markup("</section>\n")
        for name, (title, body) in there.items()
    )
    links = Markup("").join(
        Markup('<a href="#{}">{}</a>').format(name, title) for name, (title, _) in there.items()
    )
    return PAGE.format(
        mark=Markup(MARK),
        run=facts.run,
        said=_tell_run(facts),
        style=Markup(_read_style()),
        numbers=_lay_numbers(facts),
        links=Markup('<nav aria-label="On this page">{}</nav>').format(links),
        sections=sections,
        owed=shorten_text(facts.attribution) or "What it was trained on has no known licence.",
    )


def _read_style() -> str:
    """The style sheet, which is ours alone and stands in the page."""
    place = files("studio.publishing.gallery_page") / "gallery_page.css"
    return place.read_text(encoding="utf-8")


def _tell_run(facts: RunFacts) -> str:
    if facts.manifest is None:
        return "A generator of pictures, and how it came to be."
    return f"How a network learnt from {facts.manifest.describe()} ({facts.manifest.name})."


def _lay_numbers(facts: RunFacts) -> Markup:
    """What tells most of a run, each number above what it counts."""
    cells = Markup().join(
        Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(name, value)
        for name, value in facts.tell_numbers()
    )
    return Markup('<dl class="numbers">{}</dl>').format(cells) if cells else Markup()


def _lay_films(films: Sequence[PageFilm]) -> Markup:
    film = Markup(
        '<figure class="film"><video controls loop playsinline preload="none" poster="{}" '
        'width="{}" height="{}" aria-label="{}"><source src="{}"></video>'
        "<figcaption><b>{}</b> {}</figcaption></figure>"
    )
    cells = Markup().join(
        film.format(f.poster, f.width, f.height, f.title, f.file, f.title, f.caption) for f in films
    )
    return Markup('<div class="films">{}</div>').format(cells) if cells else Markup()


def _lay_specimens(specimens: Sequence[PagePicture], thing: str) -> Markup:
    cell = Markup(
        '<li><a href="{}"><img src="{}" width="{}" height="{}" loading="lazy" alt="{}"></a>'
        "<span><b>{}</b> {}</span></li>"
    )
    cells = Markup().join(
        cell.format(
            s.file, s.file, s.width, s.height, f"{thing.capitalize()} {s.title}", s.title, s.caption
        )
        for s in specimens
    )
    return Markup('<ul class="specimens">{}</ul>').format(cells) if cells else Markup()


def _lay_atlas(atlas: PagePicture | None) -> Markup:
    if atlas is None:
        return Markup()
    return Markup(
        '<figure class="atlas"><a href="{0}"><img src="{0}" width="{1}" height="{2}" '
        'loading="lazy" alt="{3}, laid out so that like lies near like"></a>'
        "<figcaption><b>{3}</b> {4}</figcaption></figure>"
    ).format(atlas.file, atlas.width, atlas.height, atlas.title, atlas.caption)


def _list_events(facts: RunFacts) -> Markup:
    row = Markup('<li class="{}"><span>{}</span><div><b>{}</b> {}</div></li>')
    rows = Markup().join(
        row.format(
            "alarm" if event.kind == "alarm" else "event",
            "" if event.batch is None else f"{event.batch:,}",
            event.kind.replace("_", " "),
            shorten_text(event.text),
        )
        for event in facts.events
    )
    if not rows:
        return Markup()
    count = len(facts.alarms)
    said = "No alarm." if not count else f"{count:,} {'alarm' if count == 1 else 'alarms'}."
    return Markup('<p>{}</p><ol class="events">{}</ol>').format(said, rows)


def _tell_about(facts: RunFacts) -> Markup:
    """Dataset, faithfulness, scores, lineage, and settings that can be unfolded."""
    told: list[tuple[str, str]] = []
    if facts.manifest is not None:
        told.append(("Dataset", f"{facts.manifest.name}, {facts.manifest.describe()}"))
        told.append(("Source", shorten_text(without_places(facts.manifest.source))))
    told.append(("Attribution and licence", shorten_text(facts.attribution) or "not known"))
    if facts.storage.ratio:
        size = format_bytes(facts.storage.size_bytes)
        told.append(("Kept in", f"{size}, {facts.storage.ratio:.0f} times smaller than plain"))
    told.append(("Faithfulness", facts.tell_faithfulness()))
    told += [
        (f"Score: {score.metric}", f"{score.value:.4g} at batch {score.batch:,}")
        for score in facts.scores
    ]
    began = " → ".join(reversed(facts.ancestors)) or "networks that were not trained before"
    told.append(("Began from", began))
    told += [("Went on as", f"{run}, from batch {batch:,}") for run, batch in facts.children]
    return _define("facts", [pair for pair in told if pair[1]]) + _fold_settings(facts)


def _fold_settings(facts: RunFacts) -> Markup:
    settings = facts.tell_settings()
    if not settings:
        return Markup()
    listed = _define("settings", [(name, shorten_text(value)) for name, value in settings])
    return Markup("<details><summary>Settings, but for defaults</summary>{}</details>").format(
        listed
    )


def _define(style: str, pairs: Sequence[tuple[str, str]]) -> Markup:
    rows = Markup().join(
        Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(name, value) for name, value in pairs
    )
    return Markup('<dl class="{}">{}</dl>').format(style, rows)
