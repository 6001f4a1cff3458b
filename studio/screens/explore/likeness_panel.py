"""The training picture that is nearest to the chosen city, and where both are."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import gradio as gr
import numpy as np
from markupsafe import Markup

from latent.nearness.features import Space
from studio.actions.action import words_of
from studio.actions.declared.way_actions import Memorised
from studio.atlases.atlas_files import DrawnAtlas
from studio.atlases.growth_files import GrowthAtlas
from studio.atlases.locating import locate_cities
from studio.datasets.maps.city_map import draw_city_map
from studio.datasets.maps.map_places import MapPlaces, Window
from studio.datasets.prepared import PreparedDataset
from studio.nearness.candidates import Candidates, describe_dataset
from studio.nearness.memorising import Memorising, find_copies
from studio.screens.explore.near_view import Chosen
from studio.screens.explore.shown_atlas import find_shown
from studio.screens.parts import markup
from studio.screens.parts.app_context import (
    EACH_TIME,
    EVENT_DEFAULTS,
    AppContext,
    folded,
    show_errors,
)
from studio.screens.parts.picture_cache import encode_picture
from studio.workspace.errors import EXPECTED_ERRORS

SPACE = Space("pictures")  # Training pictures have no latent point to be compared by.
MAP_PX = 560  # The longer side of the map that is shown.
MAX_REMEMBERED = 20_000  # Features of larger datasets are computed again each time.


class TrainingFeatures:
    """The features of the training pictures that were asked for last: 3 kB a picture."""

    def __init__(self) -> None:
        self._kept: tuple[Any, Candidates] | None = None
        self._turn = threading.Lock()

    def describe(self, dataset: PreparedDataset, space: Space) -> Candidates:
        """As `describe_dataset`."""
        key = (str(dataset.folder), *dataset.identity().values(), space)
        with self._turn:
            if self._kept is None or self._kept[0] != key:
                self._kept = None
                described = describe_dataset(dataset, space)
                if len(dataset) > MAX_REMEMBERED:
                    return described
                self._kept = key, described
            return self._kept[1]


class MapPictures:
    """Small pictures of whole city maps; drawing one takes seconds, so it is done once."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, float], tuple[str, int, int]] = OrderedDict()
        self._turn = threading.Lock()

    def has(self, places: MapPlaces) -> bool:
        """Whether a map is drawn."""
        return (places.city, places.metres_per_pixel) in self._kept

    def draw(self, places: MapPlaces) -> tuple[str, int, int]:
        """A map as a data URI, and the width and height in pixels that windows are counted in.

        Raises:
            StudioError: the map or what reads it is not installed.
        """
        key = places.city, places.metres_per_pixel
        with self._turn:
            if key not in self._kept:
                whole = draw_city_map(*key)
                uri = encode_picture(np.asarray(whole), MAP_PX).data_uri
                self._kept[key] = uri, whole.width, whole.height
                while len(self._kept) > 2:
                    self._kept.popitem(last=False)
            return self._kept[key]


class LikenessPanel:
    """Follows the chosen city while it is open; nothing is computed while it is closed."""

    def __init__(self, app: AppContext, chosen: gr.State, shown: gr.Dropdown) -> None:
        self._app, self._trained, self._maps = app, TrainingFeatures(), MapPictures()
        panel, is_open = folded("Nearest training picture, and its place", "likeness-panel")
        with panel:
            view, command = gr.HTML(_CHOOSE, elem_id="likeness"), markup.pressable()
        asked = [is_open, app.run, chosen, shown]
        gr.on(
            [is_open.change, chosen.change, shown.change],
            show_errors(self._show),
            asked,
            [view, command],
            **EACH_TIME,
            **EVENT_DEFAULTS,
        ).then(show_errors(self._add_map), asked, view, **EVENT_DEFAULTS)

    def _show(
        self, opened: bool, run: str | None, chosen: Chosen | None, shown: str | None
    ) -> tuple[Any, Any]:
        """What is known at once; a map that has to be drawn comes a little later."""
        if not opened:
            return gr.skip(), gr.skip()
        if run is None or chosen is None:
            return _CHOOSE, markup.NOTHING
        fields = {"run": run, "points": (chosen.label,), "at_batch": chosen.batch}
        command = markup.command(words_of(Memorised.read(fields)))
        return self._tell(run, chosen, shown, with_map=False), command

    def _add_map(
        self, opened: bool, run: str | None, chosen: Chosen | None, shown: str | None
    ) -> Any:
        """The same with a map that was not drawn yet."""
        if not opened or run is None or chosen is None:
            return gr.skip()
        return self._tell(run, chosen, shown, with_map=True)

    def _tell(self, run: str, chosen: Chosen, shown: str | None, with_map: bool) -> Markup:
        try:
            found = find_copies(
                *(self._app.workspace, run, [chosen.label], SPACE, "euclidean", chosen.batch),
                describe_trained=self._trained.describe,
            )
            told, drawn = _tell_likeness(found), self._draw_map(found, with_map)
        except EXPECTED_ERRORS as error:  # The pictures it was trained on may be gone.
            told, drawn = markup.note(str(error)), markup.NOTHING
        return told + self._tell_place(run, chosen, shown) + drawn

    def _draw_map(self, found: Memorising, with_map: bool) -> Markup:
        """The map with a frame where the training picture was cut out, where that is known."""
        places, window = found.places, found.likenesses[0].window
        if places is None or window is None:
            return markup.credit(found.attribution)
        if not with_map and not self._maps.has(places):
            return markup.note("Drawing the map ...")
        source, width, height = self._maps.draw(places)
        return _MAP.format(
            source=source,
            city=places.city,
            left=100 * window.left / width,
            top=100 * window.top / height,
            width=100 * places.size / width,
            height=100 * places.size / height,
        ) + markup.credit(found.attribution)

    def _tell_place(self, run: str, chosen: Chosen, shown: str | None) -> Markup:
        """Its place on the atlas that is shown, and how far that may be believed."""
        atlas = find_shown(self._app.workspace, run, shown)
        if atlas is None:
            return _SAID.format("There is no atlas of this run on which it could lie.")
        try:
            if isinstance(atlas, GrowthAtlas):
                return _SAID.format(_tell_growth(atlas, chosen.label, chosen.batch))
            return _SAID.format(self._tell_drawn(atlas, chosen.label))
        except EXPECTED_ERRORS as error:
            return _SAID.format(str(error))

    def _tell_drawn(self, atlas: DrawnAtlas, label: str) -> str:
        """The place on an atlas of one checkpoint; a city that is not on it is placed there."""
        if label in atlas.labels:
            row, mean = atlas.points[atlas.labels.index(label)], atlas.points[:, 2].mean()
            at = _percent(float(row[0]), float(row[1]))
            return f"On the shown atlas it lies at {at}: {_trust(float(row[2]), float(mean))}"
        (found,) = locate_cities(self._app.workspace, atlas, [label])
        return (
            f"It is none of the cities of the shown atlas, and would lie at "
            f"{_percent(found.x, found.y)}, nearest to {found.nearest} ({found.distance:.3g})."
        )


def _tell_likeness(found: Memorising) -> Markup:
    """The city beside the training picture, how far they are apart, and where that was cut out."""
    (likeness,) = found.likenesses
    verdict = "which is a copy of it" if likeness.is_copy else "so it is no copy"
    said = (
        f"Training picture {likeness.number:,} of '{found.dataset}' is the nearest: "
        f"{likeness.distance:.3g} apart, euclidean in {found.space}. That is "
        f"{likeness.ratio:.2f} of how far it is from any other of them, {verdict}."
    )
    caption = f"{found.dataset}:{likeness.number} · {likeness.distance:.3g}"
    pictures = [(likeness.picture, likeness.point), (likeness.nearest, caption)]
    if likeness.nearest_held_out is not None:
        far, nearer = likeness.held_out_distance, likeness.is_nearer_to_training
        said += (
            f" The nearest of the {found.held_out:,} pictures that training never saw is "
            f"{far:.3g} apart, {'farther' if nearer else 'no farther'} than that one."
        )
        pictures.append((likeness.nearest_held_out, f"held out: {likeness.held_out} · {far:.3g}"))
    figures = markup.join(
        markup.captioned(encode_picture(picture).data_uri, caption) for picture, caption in pictures
    )
    where = "Its dataset was not cut from a map."
    if found.places is not None and (window := likeness.window) is not None:
        at = found.places.locate(window.top, window.left)
        where = f"It was cut out at {write_degrees(*at)}{_turned(window)}."
    return Markup('<div class="likeness">{}</div><p>{}</p><p>{}</p>').format(figures, said, where)


def write_degrees(latitude: float, longitude: float) -> str:
    """A place on the globe.

    Example:
        >>> write_degrees(60.176, -24.93814)
        '60.17600° N, 24.93814° W'
    """
    north, east = "NS"[latitude < 0], "EW"[longitude < 0]
    return f"{abs(latitude):.5f}° {north}, {abs(longitude):.5f}° {east}"


def _turned(window: Window) -> str:
    """How a window was turned and mirrored, in words behind a place."""
    turned = f", turned by {90 * window.turns}°" if window.turns else ""
    return turned + (", mirrored" if window.mirrored else "")


def _tell_growth(atlas: GrowthAtlas, label: str, batch: int) -> str:
    """How far the map of an atlas over training may be believed at a city.

    Args:
        batch: at which the city was seen; where it has no map, the last one is told.
    """
    drawn = next((each for each in atlas.maps if each.batch == batch), atlas.maps[-1])
    places = atlas.read_places(drawn)
    trust = places[atlas.require_label(label), 2]
    at = f"It is on the maps over training. At batch {drawn.batch:,}: "
    return at + _trust(float(trust), float(places[:, 2].mean()))


def _percent(x: float, y: float) -> str:
    return f"{x:.0%} from the left and {y:.0%} from below"


def _trust(own: float, mean: float) -> str:
    return f"trust {own:.2f} of 1: so well the map keeps who is near it (all cities: {mean:.2f})."


_SAID = Markup("<p>{}</p>")
_CHOOSE = markup.note("Choose a city.")
_MAP = Markup(
    '<figure class="place-on-map"><img src="{source}" alt="Map of {city}"><span style="left:'
    '{left:.2f}%;top:{top:.2f}%;width:{width:.2f}%;height:{height:.2f}%"></span></figure>'
)
