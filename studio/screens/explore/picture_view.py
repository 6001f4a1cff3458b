"""From a picture to its city: by its passport at once, or by looking for its latent point."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from markupsafe import Markup

from checkpoints_index.storage.catalogue import open_catalogue
from latent.points import LatentPoint
from studio.actions.action import words_of
from studio.actions.declared.inversion_actions import InversionResult, Invert, RenderBetween
from studio.datasets.fits import Fit
from studio.datasets.picture import UnreadablePictureError, read_picture
from studio.exploration.given_pictures import find_passport, keep_given, read_given
from studio.screens.explore.near_view import Chosen
from studio.screens.parts import markup
from studio.screens.parts.app_context import (
    EVENT_DEFAULTS,
    AppContext,
    nearest_batch,
    show_errors,
)
from studio.screens.parts.browser.address import Address
from studio.screens.parts.jobs_view import announce_submitted, progress_text
from studio.screens.parts.number_field import NumberField
from studio.screens.parts.picture_cache import LARGE_PX, THUMBNAIL_PX, encode_picture
from studio.specimens.origins import Origin, find_origin
from studio.specimens.points import resolve_points
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.jobs import ACTIVE, JobRow, newest_job
from studio.workspace.names import require_point_label

SUFFIXES = [".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff"]
FITS = [("its middle", "crop"), ("all of it", "pad"), ("distorted", "stretch")]
MAX_GIVEN = 8  # Pictures at once.
SHOWN = 24  # Cities that are compared with the one that was found, besides the specimens.
GO = "document.querySelector('#given a[data-goes]')?.click()"


class PictureView:
    """Takes pictures that are dropped; the city of one becomes the chosen one."""

    def __init__(self, app: AppContext, explore: gr.Tab, chosen: gr.State) -> None:
        self._app = app
        with gr.Tab("From a picture", id="picture"):
            awaited, known = gr.State(), gr.State()
            given = gr.File(
                label="Drop a picture, or two for the film between",
                file_count="multiple",
                file_types=SUFFIXES,
                height=130,
                elem_id="given-files",
                elem_classes="drop-file",
            )
            view = markup.pressable(_NOTHING_GIVEN, elem_id="given")
            with gr.Row(equal_height=True):
                batch = NumberField(
                    label="At batch", placeholder="the last", precision=0, minimum=0, min_width=110
                )
                fit = gr.Dropdown(FITS, value="crop", label="Not square", min_width=150)
                find = gr.Button("Find its city", size="md", min_width=110, elem_id="find-city")
                film = gr.Button(
                    "Film the way between", size="md", min_width=150, elem_id="film-between"
                )
            command = markup.pressable()
            found = markup.pressable(elem_id="found")
        form = [given, batch, fit]
        app.keep_form("picture", [fit])
        given.upload(
            show_errors(self._take), [app.run, given, fit], [view, chosen], **EVENT_DEFAULTS
        ).then(None, None, None, js=f"() => setTimeout(() => {{ {GO}; }}, 100)", **EVENT_DEFAULTS)
        gr.on(
            [given.clear, given.delete, fit.change],
            show_errors(self._show),
            [app.run, given, fit],
            view,
            **EVENT_DEFAULTS,
        )
        gr.on(
            [given.change, batch.change, fit.change],
            show_errors(self._spell),
            [app.run, *form],
            command,
            **EVENT_DEFAULTS,
        )
        told = [found, known, chosen, awaited]
        app.keep_current(explore, self._follow, [known, awaited], told, clock=True)
        for button, ask in ((find, self._find), (film, self._film)):
            button.click(show_errors(ask), [app.run, *form], awaited, **EVENT_DEFAULTS)
        app.on_press(found, self._choose, app.run, chosen)

    def _take(self, run: str | None, files: list[str] | None, fit: Fit) -> tuple[Any, Any]:
        """Show what was dropped, and go to the city of the first that has a passport."""
        origins = [origin for path in _paths(files) if (origin := self._origin(path)) is not None]
        first = next((o for o in origins if not o.missing and o.has_own_label), None)
        here = first is not None and first.passport.run == run
        chosen = _chosen(first) if first is not None and here else gr.skip()
        return self._show(run, files, fit, None if here else first), chosen

    def _show(
        self, run: str | None, files: list[str] | None, fit: Fit, goes: Origin | None = None
    ) -> Markup:
        """The pictures that were dropped, each with what its passport says.

        Args:
            goes: where the page is to go, into another run.
        """
        paths = _paths(files)
        if not paths:
            return _NOTHING_GIVEN
        rows = markup.join(self._row(path, fit) for path in paths)
        link = markup.NOTHING if goes is None else _link(goes, "Going there", Markup(" data-goes"))
        return markup.card(_counted(len(paths)), rows + link)

    def _row(self, path: Path, fit: Fit) -> Markup:
        """A picture beside what is known of it."""
        try:
            pixels = read_picture(path, THUMBNAIL_PX, fit)
        except UnreadablePictureError as error:
            said = f"It cannot be read as a picture: {error}."
            return _ROW.format(markup.NOTHING, path.name, markup.note(said, "warning"))
        source = encode_picture(pixels).data_uri
        picture = Markup('<img src="{}" alt="{}">').format(source, path.name)
        return _ROW.format(picture, path.name, self._say(path))

    def _say(self, path: Path) -> Markup:
        origin = self._origin(path)
        if origin is None:
            return markup.note(
                "It has no passport, so nobody knows its latent point. Press “Find its city”."
            )
        if origin.missing:
            return markup.note(f"{origin.where}. {origin.missing}", "")
        if not origin.has_own_label:
            other = "“Find its city” begins with the numbers in its passport."
            return markup.note(f"{origin.where}. {' '.join(origin.remarks)} {other}", "")
        remarks = " ".join(origin.remarks)
        said = remarks or "Its numbers and its weights are those of the run: the same bit for bit."
        return markup.note(f"{origin.where}. {said}", "") + _link(origin, "Explore from here")

    def _origin(self, path: Path) -> Origin | None:
        passport = find_passport(path)
        return None if passport is None else find_origin(self._app.workspace, passport, path.name)

    def _spell(
        self, run: str | None, files: list[str] | None, batch: float | None, fit: Fit
    ) -> Markup:
        """The command that does what the button does."""
        if not (paths := _paths(files)):
            return markup.NOTHING
        names = [Path(path.name) for path in paths]
        return markup.command(words_of(_action(run or "RUN", names, batch, fit)))

    def _find(
        self, run: str | None, files: list[str] | None, batch: float | None, fit: Fit
    ) -> int | None:
        """Look for the first picture, as a job; its number is awaited."""
        return self._submit(run, _paths(files)[:1], batch, fit)

    def _film(
        self, run: str | None, files: list[str] | None, batch: float | None, fit: Fit
    ) -> int | None:
        """Film the way from picture to picture, as a job."""
        paths = _paths(files)
        if len(paths) < 2:
            raise StudioError("A film goes from picture to picture. Drop two above.")
        return self._submit(run, paths, batch, fit)

    def _submit(
        self, run: str | None, paths: Sequence[Path], batch: float | None, fit: Fit
    ) -> int | None:
        if run is None or not (batches := self._app.batches(run)):
            raise StudioError("There is no checkpoint to look in. Train a run first.")
        if not paths:
            raise StudioError("There is no picture. Drop one above.")
        size = open_catalogue(self._app.workspace.runs, run).spec.image_size
        kept = [keep_given(self._app.workspace, path, size, fit) for path in paths]
        at = None if batch is None else nearest_batch(batches, batch)
        job = self._app.submit(_action(run, kept, at, fit))
        begun = f"Job {job.id} looks for it. What it finds shows here."
        announce_submitted(self._app.workspace, job, begun)
        return job.id

    def _follow(self, run: str | None, known: str | None, awaited: int | None) -> tuple[Any, ...]:
        """How far the newest search of the run is; what was awaited becomes the chosen city."""
        job = newest_job(self._app.workspace, Invert.command, RenderBetween.command, run=run)
        job = None if run is None else job
        now = repr(job and (run, job.id, job.status, job.note, job.done, job.total))
        if now == known:
            return (gr.skip(),) * 4
        ended = job is not None and job.status not in ACTIVE
        chosen = gr.skip()
        if job is not None and ended and job.id == awaited and job.status == "done":
            chosen = _found_city(job) or gr.skip()
        return self._tell(job), now, chosen, None if ended else gr.skip()

    def _tell(self, job: JobRow | None) -> Markup:
        if job is None:
            return markup.NOTHING
        if job.status in ACTIVE:
            text = f"{job.note or 'Starting'} {progress_text(job)}"
            return markup.note(text) + markup.progress_bar(job.done, job.total)
        if job.status != "done":
            return markup.note(Markup("<b>Nothing was found.</b> {}").format(job.note), "")
        try:
            return self._tell_found(job)
        except EXPECTED_ERRORS as error:  # The city or its picture may be gone by now.
            return markup.note(f"What was found last is not there any more: {error}")

    def _tell_found(self, job: JobRow) -> Markup:
        """What a finished job has found, beside what was given."""
        if job.action == RenderBetween.command:
            return _tell_film(self._app, job)
        result = InversionResult(**job.result)
        size = open_catalogue(self._app.workspace.runs, result.run).spec.image_size
        given = _show_given(Path(str((job.fields or {})["picture"])), size)
        (point,) = resolve_points(self._app.workspace, result.run, [result.label])
        if point.z.tolist() != list(result.z):  # Under its label the run draws another one now.
            raise StudioError(f"city {result.label} was deleted.")
        found = LatentPoint(result.label, point.z)
        source = self._app.picture_cache.show(result.run, result.batch, [found], LARGE_PX)[0]
        captions = ("given", f"City {result.label}: {result.psnr_db:.1f} dB")
        menus = markup.NOTHING, markup.menu_button(result.label, result.batch)
        figures = map(markup.captioned, (given, source), captions, menus)
        said = (
            f"{result.psnr_db:.1f} dB from the picture after {result.steps} steps: 25 dB is close, "
            f"50 dB the same to the eye. It is kept as city {result.label}."
        )
        body = Markup('<div class="steered">{}</div>{}{}{}').format(
            markup.join(figures),
            markup.note(said, ""),
            markup.button("Look at it", "choose", label=result.label, batch=result.batch),
            markup.credit(self._app.attribution(result.run)),
        )
        return markup.card(f"Found at batch {result.batch:,}", body)

    def _choose(self, run: str | None, event: gr.EventData) -> Any:
        if run is None or event.action != "choose":
            return gr.skip()
        batch = nearest_batch(self._app.batches(run), float(event.batch))
        label = require_point_label(str(event.label))
        (point,) = resolve_points(self._app.workspace, run, [label])
        return Chosen(point.label, batch, SHOWN)


def _action(
    run: str, pictures: Sequence[Path], batch: float | None, fit: Fit
) -> Invert | RenderBetween:
    """What is done with one picture, or with several."""
    at = None if batch is None else int(batch)
    if len(pictures) == 1:
        return Invert.read({"run": run, "picture": pictures[0], "batch": at, "fit": fit})
    return RenderBetween.read({"run": run, "pictures": pictures, "batch": at, "fit": fit})


def _paths(files: list[str] | None) -> list[Path]:
    """The files that were dropped; Gradio takes no path but that of an upload."""
    if len(files or ()) > MAX_GIVEN:
        raise StudioError(f"{len(files or ())} pictures are too many: drop at most {MAX_GIVEN}.")
    return [Path(path) for path in files or ()]


def _chosen(origin: Origin) -> Chosen:
    return Chosen(origin.label, origin.passport.batch, SHOWN)


def _found_city(job: JobRow) -> Chosen | None:
    """The city that a job has found; a film has several."""
    if job.action != Invert.command:
        return None
    return Chosen(str(job.result["label"]), int(job.result["batch"]), SHOWN)


def _show_given(path: Path, image_size: int) -> str:
    """What was looked for as a data URI; white where the file is not there any more."""
    try:
        pixels = read_given(path, image_size)
    except StudioError:
        pixels = np.full((image_size, image_size, 3), 255, np.uint8)
    return encode_picture(pixels).data_uri


def _tell_film(app: AppContext, job: JobRow) -> Markup:
    """Where the film between pictures lies."""
    path = Path(job.result["videos"][0]["path"])
    if not path.is_relative_to(app.workspace.renders):  # A command may write it anywhere.
        return markup.card("The film between", markup.note(f"It lies in {path}.", ""))
    key = str(path.relative_to(app.workspace.renders))
    address = Address(job.run, "Render", {"film": key}).write()
    link = Markup('<a class="plain strong" href="{}" data-opens>Watch it under Render</a>')
    film = Markup('<video controls muted loop playsinline src="{}"></video>').format(
        markup.file_url(path)
    )
    body = film + Markup("<p>{}</p>").format(link.format(address))
    return markup.card("The film between", body + markup.credit(app.attribution(str(job.run))))


def _link(origin: Origin, text: str, also: Markup = markup.NOTHING) -> Markup:
    """A link to the city of a passport, in whatever run it is."""
    passport = origin.passport
    parts = {"city": origin.label, "seen": passport.batch, "shown": SHOWN, "place": "picture"}
    address = Address(passport.run, "Explore", parts).write()
    link = Markup('<a class="plain strong" href="{}" data-opens{}>{}</a>')
    return link.format(address, also, text)


def _counted(count: int) -> str:
    return "A picture" if count == 1 else f"{count} pictures"


_ROW = Markup('<div class="given">{}<div><b>{}</b>{}</div></div>')
_NOTHING_GIVEN = markup.empty(
    "From a picture to its city",
    "One that was exported here leads back by its passport, at once. For any other the latent "
    "point is looked for whose picture is most like it, as a job; two become the film between.",
)
