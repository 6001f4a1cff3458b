"""The tab Checkpoints: what is kept of a run, and what it looked like at any batch."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import gradio as gr

from checkpoints_index.catalogue import open_catalogue
from latent.errors import UserError
from latent.points import LatentPoint
from renderers.sheets import grid_columns
from studio.command_line.context import format_bytes
from studio.jobs import list_jobs, submit_job
from studio.points import FIXED, points_of
from studio.screens import markup
from studio.screens.desk import QUIETLY, Desk, batch_slider, nearest_batch, nothing_yet, telling
from studio.screens.jobs_view import press_job, show_jobs

STRIP = 10
GAPS_NAMED = 4
MOST_POINTS = 16  # of the fixed points on the page


class CheckpointsScreen:
    """Lays the tab out and answers what is done in it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        with desk.tab("Checkpoints") as tab:
            self._point, self._known = gr.State(""), gr.State()
            self._facts = markup.pressable(nothing_yet(None))
            with gr.Row(equal_height=False):
                with gr.Column(scale=5, min_width=360):
                    self._slider = gr.Slider(0, 1, 0, label="Batch", step=1, elem_id="batch")
                    self._sheet = markup.pressable(elem_id="sheet")
                with gr.Column(scale=8, min_width=460):
                    self._strip = markup.pressable(elem_id="strip")
                    with gr.Row(equal_height=True):
                        verify = gr.Button("Verify the checkpoints", size="md", elem_id="verify")
                        self._deep = gr.Checkbox(label="Decode each of them, too (slower)")
                    self._command = markup.pressable()
                    self._jobs = markup.pressable(elem_id="verifications")
        self._connect(tab, verify)

    def _connect(self, tab: gr.Tab, verify: gr.Button) -> None:
        desk, run = self._desk, self._desk.run
        pictures = [self._sheet, self._strip]
        seen = [self._slider, self._point]
        outputs = [self._facts, self._slider, *pictures, self._point, self._known]
        desk.on_look(tab, self._look, [self._known], outputs, clock=True)
        shown = [self._command, self._jobs]
        desk.on_look(tab, self._look_at_jobs, [self._deep], shown, clock=True)
        self._slider.change(
            telling(self._look_at_batch),
            [run, *seen],
            pictures,
            trigger_mode="always_last",
            **QUIETLY,
        )
        self._sheet.click(
            telling(self._choose_point), [run, self._slider], [*pictures, self._point], **QUIETLY
        )
        self._strip.click(telling(self._choose_batch), None, self._slider, **QUIETLY)
        self._deep.change(telling(self._look_at_jobs), [run, self._deep], shown, **QUIETLY)
        verify.click(telling(self._verify), [run, self._deep], self._jobs, **QUIETLY)
        self._jobs.click(telling(self._press_job), run, self._jobs, **QUIETLY)

    def _look(self, run: str | None, known: tuple[str, int] | None) -> tuple:
        """Pictures are drawn anew only for another run; more checkpoints move nothing."""
        batches = self._desk.batches(run)
        if run is None or not batches:
            return nothing_yet(run), batch_slider([]), "", "", "", None
        now = (run, len(batches))
        if known is not None and tuple(known) == now:
            return (gr.skip(),) * 6
        facts = markup.facts(run_facts(self._desk, run)) + self._gaps(run)
        if known is not None and known[0] == run:
            return facts, batch_slider(batches), *(gr.skip(),) * 3, now
        pictures = self._look_at_batch(run, batches[-1], "")
        return facts, batch_slider(batches, batches[-1]), *pictures, "", now

    def _look_at_batch(self, run: str | None, position: float, point: str) -> tuple[str, str]:
        """The fixed points at the batch nearest to the slider, and one of them over time."""
        batches = self._desk.batches(run)
        points = self._points(run) if run and batches else []
        if run is None or not points:
            return "", ""
        batch = nearest_batch(batches, position)
        chosen = next((p for p in points if p.label == point), points[0])
        sources = self._desk.pictures.show(run, batch, points)
        shown = [
            markup.Shown(source, p.label, p.label, chosen=p is chosen)
            for source, p in zip(sources, points, strict=True)
        ]
        grid = markup.picture_grid(shown, columns=grid_columns(len(points)))
        sheet = grid + markup.credit(self._desk.attribution(run))
        title = f"The fixed points at batch {batch:,}"
        return markup.card(title, sheet), self._draw_strip(run, chosen, batches, batch)

    def _draw_strip(
        self, run: str, point: LatentPoint, batches: Sequence[int], current: int
    ) -> str:
        """One point at batches over the whole run; pressing one goes there."""
        places = spread(batches, STRIP)
        shown = [
            markup.Shown(
                self._desk.pictures.show(run, batch, [point])[0],
                str(batch),
                f"{batch:,}",
                chosen=batch == current,
            )
            for batch in places
        ]
        grid = markup.picture_grid(shown, columns=min(len(shown), STRIP // 2))
        hint = '<div class="small quiet">Press a picture to go to its batch, or one on the left '
        hint += "to follow another city.</div>"
        return markup.card(f"City {point.label}, growing", grid + hint)

    def _points(self, run: str) -> list[LatentPoint]:
        return points_of(self._desk.workspace, run, FIXED)[:MOST_POINTS]

    def _choose_point(self, run: str, position: float, event: gr.EventData) -> tuple:
        return *self._look_at_batch(run, position, event.label), event.label

    def _choose_batch(self, event: gr.EventData) -> int:
        return int(event.label)

    def _gaps(self, run: str) -> str:
        missing = open_catalogue(self._desk.workspace.runs, run).missing
        if not missing:
            return ""
        named = ", ".join(
            f"{a:,}" if b == a + 1 else f"{a:,} to {b - 1:,}" for a, b in missing[:GAPS_NAMED]
        )
        more = ", …" if len(missing) > GAPS_NAMED else ""
        return f'<div class="small quiet">Without a checkpoint: {escape(named + more)}</div>'

    def _look_at_jobs(self, run: str | None, deep: bool) -> tuple[str, str]:
        return markup.command(verify_words(run or "RUN", deep)), self._show_newest(run)

    def _show_newest(self, run: str | None) -> str:
        """The newest verification, and what it said."""
        workspace = self._desk.workspace
        jobs = [job for job in list_jobs(workspace) if job.command[0] == "verify"]
        newest = [job for job in jobs if job.run == run][:1]
        return show_jobs(workspace, newest, newest[0].id, foldable=False) if newest else ""

    def _verify(self, run: str | None, deep: bool) -> str:
        if run is None:
            raise UserError("There is no run to verify. Train one first.")
        submit_job(self._desk.workspace, verify_words(run, deep), run)
        return self._show_newest(run)

    def _press_job(self, run: str | None, event: gr.EventData) -> str:
        press_job(self._desk.workspace, event, None)
        return self._show_newest(run)


def run_facts(desk: Desk, run: str) -> list[tuple[str, str]]:
    """(name, value) of what is kept of a run that has checkpoints."""
    catalogue = open_catalogue(desk.workspace.runs, run)
    batches, size_bytes = catalogue.batches, catalogue.size_bytes
    each = size_bytes / len(batches)
    ratio = desk.pictures.float32_bytes(run) / each if each else 0.0
    missing = sum(end - start for start, end in catalogue.missing)
    return [
        ("checkpoints", f"{len(batches):,}"),
        ("batches", f"{batches[0]:,} – {batches[-1]:,}"),
        ("batches missing", f"{missing:,}"),
        ("on disk", format_bytes(size_bytes)),
        ("a checkpoint", format_bytes(each)),
        ("smaller than float32 files", f"{ratio:.1f} times"),
        ("storage", catalogue.storage),
    ]


def spread(batches: Sequence[int], count: int) -> list[int]:
    """So many batches, or all there are, evenly from the first to the last."""
    if len(batches) <= count:
        return list(batches)
    return [batches[round(i * (len(batches) - 1) / (count - 1))] for i in range(count)]


def verify_words(run: str, deep: bool) -> list[str]:
    return ["verify", run, *(["--deep"] if deep else [])]
