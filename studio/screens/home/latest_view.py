"""The newest films and specimens of all runs, each a link to where it can be looked at."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence

from markupsafe import Markup

from checkpoints_index.storage.catalogue import list_runs
from latent.points import LatentPoint
from studio.runs.attribution import attribution_of
from studio.screens.home.links import opening
from studio.screens.home.run_cards import made_at
from studio.screens.parts import markup
from studio.screens.parts.picture_cache import PictureCache
from studio.screens.render.film_list import FinishedFilm, newest_films, poster_url
from studio.specimens.specimen_pages import newest_specimens
from studio.specimens.specimens import Specimen
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace

FILMS, SPECIMENS = 6, 10  # So many of each are shown.
MAX_KEPT = 200  # Pictures of specimens that are kept, with those that have left the page.


class LatestView:
    """Draws what was made last. A picture is drawn once, however often one looks."""

    def __init__(self, workspace: Workspace, picture_cache: PictureCache) -> None:
        self._workspace, self._picture_cache = workspace, picture_cache
        self._kept: OrderedDict[tuple[str, int, str], str] = OrderedDict()
        self._owed: dict[tuple[str, int], str] = {}

    def draw(self) -> Markup:
        """Both rows; of each that is empty a sentence on how to fill it, once there is a run."""
        names = set(list_runs(self._workspace.runs))
        if not names:
            return markup.NOTHING
        films, specimens = self._draw_films(names), self._draw_specimens(names)
        credit = markup.credit(" ".join(self._credits(names)))
        return films + specimens + credit

    def _draw_films(self, names: Collection[str]) -> Markup:
        found = [film for film in newest_films(self._workspace, FILMS) if film.run in names]
        tiles = markup.join(map(self._film, found))
        hint = "No film yet. Render makes one: a run growing batch by batch, or a walk in it."
        return _row("Newest films", "films-row", tiles, hint, "Render")

    def _film(self, film: FinishedFilm) -> Markup:
        is_ours = film.path.is_relative_to(self._workspace.root)
        return _tile(
            f"film {film.key}",
            opening(film.run, "Render", film=film.key),
            poster_url(self._workspace, film) if is_ours else None,
            film.title,
            f"{film.run} · {markup.moment(film.made_at)}",
        )

    def _draw_specimens(self, names: Collection[str]) -> Markup:
        newest = newest_specimens(self._workspace, SPECIMENS)
        found = [(run, specimen, point) for run, specimen, point in newest if run in names]
        tiles = markup.join(self._specimen(*each) for each in found)
        hint = "No specimen yet. Star a city in Explore, or draw new ones in Specimens."
        return _row("Newest specimens", "specimens-row", tiles, hint, "Specimens")

    def _specimen(self, run: str, specimen: Specimen, point: LatentPoint) -> Markup:
        star = "★ " if specimen.starred else ""
        tile = _tile(
            f"specimen {run} {specimen.label}",
            opening(run, "Explore", city=specimen.label),
            self._source(run, specimen, point),
            f"{star}{specimen.name or specimen.label}",
            run,
        )
        menu = markup.menu_button(specimen.label, None, run)
        return Markup('<div class="picture" data-key="city {} {}">{}{}</div>').format(
            run, specimen.label, tile, menu
        )

    def _credits(self, names: Iterable[str]) -> Sequence[str]:
        """The words that are owed beside pictures of some runs, each once."""
        for name in names:
            key = name, made_at(self._workspace, name)
            if key not in self._owed:
                try:
                    self._owed[key] = attribution_of(self._workspace, name)
                except EXPECTED_ERRORS:  # Its settings are damaged, and its card says so.
                    continue
        known = (self._owed.get((name, made_at(self._workspace, name))) for name in sorted(names))
        return list(dict.fromkeys(filter(None, known)))

    def _source(self, run: str, specimen: Specimen, point: LatentPoint) -> str | None:
        """The address of a picture of a specimen; None where it cannot be drawn."""
        if specimen.path is not None:
            return markup.file_url(specimen.path)
        key = run, made_at(self._workspace, run), specimen.label
        if key not in self._kept:
            try:
                batches = self._picture_cache.batches(run)
                batch = specimen.batch if specimen.batch in batches else batches[-1]
                self._kept[key] = self._picture_cache.show(run, batch, [point])[0]
            except (*EXPECTED_ERRORS, IndexError):  # It has no checkpoint, or a damaged one.
                return None
        self._kept.move_to_end(key)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]


def _row(title: str, kind: str, tiles: Markup, hint: str, tab: str) -> Markup:
    shown = Markup('<div class="tiles {}" data-steady>{}</div>').format(kind, tiles)
    return Markup(
        '<section class="home-part"><div class="line"><h3>{}</h3>'
        '<a class="plain quiet-button push" {}>All in {}</a></div>{}</section>'
    ).format(title, opening(None, tab), tab, shown if tiles else markup.paragraph(hint))


def _tile(key: str, link: Markup, source: str | None, title: str, about: str) -> Markup:
    picture = Markup('<img src="{}" alt="" loading="lazy">')
    return Markup(
        '<a class="tile" data-key="{}" {}><span class="tile-picture">{}</span>'
        '<b>{}</b><span class="small quiet">{}</span></a>'
    ).format(key, link, picture.format(source) if source else markup.NOTHING, title, about)
