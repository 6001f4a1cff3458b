"""The tab Specimens: cities worth keeping, their JPEGs, and what a JPEG says of its origin."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import gradio as gr
from markupsafe import Markup

from checkpoints_index import CheckpointIndex
from checkpoints_index.storage.catalogue import list_runs
from latent.points import LatentPoint
from studio.actions.action import spell_command
from studio.actions.declared.specimen_actions import SpecimensSample
from studio.screens.parts import markup
from studio.screens.parts.app_context import (
    EVENT_DEFAULTS,
    AppContext,
    nearest_batch,
    nothing_yet,
    show_errors,
)
from studio.screens.parts.number_field import NumberField
from studio.screens.parts.picture_cache import LARGE_PX
from studio.specimens.passports import read_passport
from studio.specimens.points import compare_passport, genuine_label, resolve_points
from studio.specimens.specimens import Specimen, export_specimens, list_specimens, star_specimen
from studio.workspace.errors import StudioError

PAGE = 40  # Specimens on one page of the gallery.
COLUMNS = 8
KINDS = ("All", "Starred", "Fixed", "Sampled")
DEFAULT_COUNT, MAX_COUNT = 24, 10_000  # Specimens that are drawn at once.


class SpecimensScreen:
    """The gallery on the left; exporting, drawing new ones and reading a JPEG on the right."""

    TITLE: ClassVar[str] = "Specimens"

    def __init__(self, app: AppContext) -> None:
        self._app = app
        with app.tab(self.TITLE) as tab, gr.Row(equal_height=False):
            self._chosen, self._page, self._known = gr.State([]), gr.State(0), gr.State()
            with gr.Column(scale=8, min_width=520):
                self._kind = gr.Radio(
                    list(KINDS), value=KINDS[0], label="Specimens", show_label=False
                )
                self._gallery = markup.pressable(elem_id="specimens")
            with gr.Column(scale=3, min_width=300):
                self._lay_out_exports()
                self._lay_out_sampling()
                self._lay_out_origin()
        self._connect(tab)

    def _lay_out_exports(self) -> None:
        export = gr.Button("Export the chosen as JPEG", variant="primary", elem_id="export")
        self._exports = markup.pressable(_EXPORT_HINT, elem_id="exports")
        self._export_button = export

    def _lay_out_sampling(self) -> None:
        with gr.Group():
            with gr.Row():
                self._batch = NumberField(label="At batch", precision=0, minimum=0, min_width=80)
                self._count = NumberField(
                    DEFAULT_COUNT,
                    label="Cities",
                    precision=0,
                    minimum=1,
                    maximum=MAX_COUNT,
                    min_width=80,
                )
            self._sample_button = gr.Button("Draw new ones", size="md", elem_id="sample")
        self._sample_command = markup.pressable()

    def _lay_out_origin(self) -> None:
        self._dropped = gr.File(
            label="Drop an exported JPEG to find its way back",
            file_types=[".jpg", ".jpeg"],
            height=130,
            elem_id="origin-file",
        )
        self._origin = gr.HTML(elem_id="origin")

    def _connect(self, tab: gr.Tab) -> None:
        run, view = self._app.run, [self._kind, self._page, self._chosen]
        outputs = [self._gallery, self._page, self._chosen, self._known, self._batch]
        self._app.keep_current(tab, self._refresh, [*view, self._known], outputs, clock=True)
        self._kind.change(show_errors(self._show_kind), [run, *view], outputs[:2], **EVENT_DEFAULTS)
        self._gallery.click(show_errors(self._press), [run, *view], outputs[:3], **EVENT_DEFAULTS)
        self._export_button.click(
            show_errors(self._export), [run, self._chosen], self._exports, **EVENT_DEFAULTS
        )
        self._sample_button.click(
            show_errors(self._sample), [run, self._batch, self._count], None, **EVENT_DEFAULTS
        )
        gr.on(
            [run.change, self._batch.change, self._count.change],
            lambda run, *form: markup.command(spell_sample(run or "RUN", *form)),
            [run, self._batch, self._count],
            self._sample_command,
            **EVENT_DEFAULTS,
        )
        self._dropped.upload(
            show_errors(self._show_origin), self._dropped, self._origin, **EVENT_DEFAULTS
        )
        self._dropped.clear(lambda: "", None, self._origin, **EVENT_DEFAULTS)

    def _refresh(
        self, run: str | None, kind: str, page: int, chosen: list[str], known: list[Any] | None
    ) -> tuple[Any, ...]:
        """The gallery is drawn anew when specimens came or were starred, or the run changed."""
        if run is None or not self._app.batches(run):
            return nothing_yet(run), 0, [], None, gr.skip()
        specimens = list_specimens(self._app.workspace, run)
        starred = sum(specimen.starred for specimen in specimens)
        now = [run, len(specimens), starred]
        if known == now:
            return (gr.skip(),) * 5
        if known is None or known[0] != run:
            page, chosen, last = 0, [], self._app.batches(run)[-1]
        else:
            last = gr.skip()
        return self._show(run, kind, page, chosen), page, chosen, now, last

    def _show(self, run: str, kind: str, page: int, chosen: list[str]) -> Markup:
        specimens = [s for s in list_specimens(self._app.workspace, run) if _is_of(s, kind)]
        if not specimens:
            return markup.empty(
                f"No {kind.lower()} specimens",
                "Draw new ones on the right, or star some in Explore.",
            )
        pages = -(-len(specimens) // PAGE)
        page = min(page, pages - 1)
        on_page = specimens[page * PAGE : (page + 1) * PAGE]
        sources = self._sources(run, on_page)
        thumbnails = [
            markup.Thumbnail(sources[s.label], s.label, s.label, s.starred, s.label in chosen)
            for s in on_page
        ]
        grid = markup.picture_grid(thumbnails, columns=COLUMNS)
        credit = markup.credit(self._app.attribution(run))
        pager = _pager(page, pages, len(specimens), chosen)
        return Markup('<div class="card">{}{}{}</div>').format(grid, pager, credit)

    def _sources(self, run: str, specimens: list[Specimen]) -> dict[str, str]:
        """Pictures by label, each at the batch of its specimen; fixed points at the last one."""
        batches = self._app.batches(run)
        kept = set(batches)
        points = resolve_points(self._app.workspace, run, [s.label for s in specimens])
        by_batch: dict[int, list[LatentPoint]] = {}
        for specimen, point in zip(specimens, points, strict=True):
            batch = specimen.batch if specimen.batch in kept else batches[-1]
            by_batch.setdefault(batch, []).append(point)
        return {
            point.label: source
            for batch, there in by_batch.items()
            for point, source in zip(
                there, self._app.picture_cache.show(run, batch, there), strict=True
            )
        }

    def _show_kind(
        self, run: str | None, kind: str, page: int, chosen: list[str]
    ) -> tuple[Any, Any]:
        if run is None or not self._app.batches(run):
            return gr.skip(), gr.skip()
        return self._show(run, kind, 0, chosen), 0

    def _press(
        self, run: str, kind: str, page: int, chosen: list[str], event: gr.EventData
    ) -> tuple[Markup, int, list[str]]:
        """Choose a specimen or choose it no more, star it, or turn the page."""
        if event.action == "page":
            page = max(0, page + int(event.by))
        elif event.action == "none":
            chosen = []
        elif event.action == "choose":
            rest = [label for label in chosen if label != event.label]
            chosen = rest if len(rest) < len(chosen) else [*chosen, event.label]
        elif event.action == "star":
            specimens = list_specimens(self._app.workspace, run)
            starred = any(s.label == event.label and s.starred for s in specimens)
            star_specimen(self._app.workspace, run, event.label, not starred)
        return self._show(run, kind, page, chosen), page, chosen

    def _export(self, run: str | None, chosen: list[str]) -> Markup:
        if run is None or not chosen:
            raise StudioError("No specimen is chosen. Press pictures to choose them, then export.")
        specimens = export_specimens(self._app.workspace, run, chosen)
        links = markup.downloads([s.path for s in specimens if s.path is not None])
        where = f"{len(specimens)} in {self._app.workspace.specimens(run)}"
        command = markup.command(["specimens", "export", run, *chosen])
        return markup.note(where, "") + links + command

    def _sample(self, run: str | None, batch: float | None, count: float | None) -> None:
        batches = self._app.batches(run)
        if run is None or not batches:
            raise StudioError("There is no checkpoint to draw with. Train a run first.")
        batch = nearest_batch(batches, batch)
        action = SpecimensSample(run=run, batch=batch, count=int(count or DEFAULT_COUNT))
        self._app.submit(action)
        gr.Info(f"Drawing: they appear as soon as they are drawn, at batch {batch:,}.")

    def _show_origin(self, path: str) -> Markup:
        """Say where an exported JPEG comes from, and draw its city again."""
        origin = read_passport(Path(path))
        where = f"City {origin.label} of run {origin.run}, seen at batch {origin.batch:,}"
        workspace = self._app.workspace
        if origin.run not in list_runs(workspace.runs):
            return _found(f"{where}. That run is not in this workspace.")
        batches = self._app.batches(origin.run)
        if origin.batch not in batches:
            return _found(f"{where}. That checkpoint is no longer kept.")
        run = CheckpointIndex(workspace.runs)[origin.run]
        if len(origin.z) != run.spec.z_dim:
            return _found(f"{where}. The points of that run have another length.")
        remarks = " ".join(compare_passport(workspace, run, origin, Path(path).name))
        point = LatentPoint(genuine_label(workspace, origin.run, origin), origin.z)
        source = self._app.picture_cache.show(origin.run, origin.batch, [point], LARGE_PX)[0]
        return Markup(
            '<div class="card"><img class="picture-large" src="{source}" alt="{where}">'
            '<p class="small"><b>{where}.</b> '
            '<span class="quiet">{said}</span></p>{credit}</div>'
        ).format(
            source=source,
            where=where,
            said=remarks or "Drawn again from its numbers.",
            credit=markup.credit(self._app.attribution(origin.run)),
        )


def spell_sample(run: str, batch: float | None, count: float | None) -> list[str]:
    """The command that draws new specimens, as far as it is written."""
    at = {} if batch is None else {"batch": int(batch)}
    return spell_command(SpecimensSample, {"run": run, **at, "count": int(count or DEFAULT_COUNT)})


def _is_of(specimen: Specimen, kind: str) -> bool:
    if kind == "Starred":
        return specimen.starred
    return kind == "All" or specimen.origin == kind.lower()


def _found(text: str) -> Markup:
    return markup.card("Found", Markup("<p>{}</p>").format(text))


def _pager(page: int, pages: int, count: int, chosen: list[str]) -> Markup:
    """How many specimens there are and are chosen, and buttons to the other pages."""
    line = Markup('<span class="quiet small number">{:,} specimens</span>').format(count)
    if chosen:
        line += Markup('<span class="small">{} chosen</span>').format(len(chosen))
        line += markup.button("Choose none", "none", quiet=True)
    line += Markup('<span class="push"></span>')
    if pages > 1:
        place = Markup('<span class="small quiet number">page {} of {}</span>')
        line += markup.button("Earlier", "page", by=-1) + place.format(page + 1, pages)
        line += markup.button("Later", "page", by=1)
    return Markup('<div class="line" style="margin-top:10px">{}</div>').format(line)


_EXPORT_HINT = markup.note(
    "Press pictures to choose them. Each JPEG knows its run, its batch and its place in latent "
    "space."
)
