"""The tab Compare: runs side by side, their films locked to each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import gradio as gr
from markupsafe import Markup

from checkpoints_index.storage.catalogue import list_runs
from studio.runs.comparison import (
    ComparedSetting,
    RunProgress,
    SettingOutcome,
    compare_settings,
    measure_progress,
    weigh_settings,
)
from studio.screens.compare.players import lay_out_players, show_players
from studio.screens.parts import markup
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, show_errors
from studio.screens.parts.charts.axes import Metrics
from studio.screens.parts.charts.curves import overlay_runs
from studio.workspace.paths import Workspace
from studio.workspace.records.quantities import format_duration

# Names of colours in CSS; no more runs are compared than there are.
COLOURS = ("--accent", "--water", "--green", "--ochre", "--plum", "--quiet")
COMPARED = {  # Metrics that can be laid over each other, and their names on the page.
    "g": "Loss of G",
    "d_real": "Loss of D, real",
    "d_fake": "Loss of D, fake",
    "swd": "Distance to the data",
    "swd_held_out": "Distance to held-out pictures",
    "l1": "Loss of pixels",
    "psnr": "PSNR on held-out pictures",
    "ssim": "SSIM on held-out pictures",
    "earth_mover": "Earth mover's distance",
    "diversity": "Diversity",
    "change": "Change",
    "g_grad_norm": "Gradient norm of G",
    "d_grad_norm": "Gradient norm of D",
    "d_accuracy": "What D tells apart",
    "learning_rate_g": "Learning rate of G",
    "learning_rate_d": "Learning rate of D",
    "pictures_per_s": "Pictures a second",
    "seconds": "Seconds a batch",
}

RECENT_BATCHES = 1000  # Metrics that were written down in one of these are offered.


class CompareScreen:
    """Films, curves and settings of several runs, all for the same choice of runs."""

    TITLE: ClassVar[str] = "Compare"

    def __init__(self, app: AppContext) -> None:
        self._app = app
        with app.tab(self.TITLE) as tab:
            self._metric, self._log = gr.State("g"), gr.State(False)
            self._wanted = gr.State([])  # The runs of an address, until they can be chosen.
            with gr.Row(elem_id="compared"):
                self._runs = gr.Dropdown(
                    label="Runs to compare",
                    choices=[],
                    multiselect=True,
                    max_choices=len(COLOURS),
                    interactive=True,
                    scale=4,
                )
                self._along = gr.Radio(
                    [("the same batch", "batch"), ("the same time", "time")],
                    value="batch",
                    label="Side by side at",
                    scale=2,
                )
            self._films = lay_out_players()
            with gr.Row(equal_height=False):
                with gr.Column(scale=6, min_width=420):
                    self._curves = markup.pressable(elem_id="overlaid")
                with gr.Column(scale=6, min_width=420):
                    self._settings = markup.pressable(elem_id="differences")
        self._connect(tab)

    def _connect(self, tab: gr.Tab) -> None:
        app = self._app
        chosen = [self._runs, self._along, self._metric, self._log]
        drawn = [self._curves, self._settings]
        opened = [self._runs, self._films, *drawn, self._wanted]
        app.keep_current(tab, self._open, [*chosen, self._wanted], opened)
        app.keep_current(tab, lambda run, *chosen: self._draw(*chosen), chosen, drawn, clock=True)
        gr.on(
            [self._runs.input, self._along.input],
            show_errors(lambda *chosen: (self._show_films(*chosen[:2]), *self._draw(*chosen))),
            chosen,
            [self._films, *drawn],
            **EVENT_DEFAULTS,
        )
        app.on_press(self._curves, self._press, chosen, [self._metric, self._log, self._curves])
        app.address.hold(self.TITLE, "runs", self._runs, [], target=self._wanted)
        app.address.hold(self.TITLE, "along", self._along, "batch", known=("batch", "time"))
        app.address.hold(self.TITLE, "metric", self._metric, "g")
        app.address.hold(self.TITLE, "log", self._log, False)

    def _open(
        self,
        run: str | None,
        chosen: list[str],
        along: str,
        metric: str,
        log: bool,
        wanted: Sequence[str],
    ) -> tuple[Any, ...]:
        """Offer the runs that were trained here; at first the one that is looked at and another.

        Args:
            wanted: the runs of the address that the page has just opened; empty afterwards.
        """
        known = trained_runs(self._app.workspace)
        named = [name for name in wanted or chosen or [] if name in known][: len(COLOURS)]
        chosen = named or first_pair(known, run)
        offered = gr.Dropdown(choices=known, value=chosen)
        drawn = self._draw(chosen, along, metric, log)
        return offered, self._show_films(chosen, along), *drawn, []

    def _show_films(self, runs: list[str], along: str) -> Markup:
        if len(runs) < 2:
            return _TOO_FEW
        colours = colours_of(runs)
        metrics = {run: self._app.run_cache.metrics(run) for run in runs}
        return show_players(self._app.workspace, metrics, colours, along == "time")

    def _draw(self, runs: list[str], along: str, metric: str, log: bool) -> tuple[Markup, Markup]:
        if len(runs or []) < 2:
            return markup.NOTHING, markup.NOTHING
        return self._draw_curves(runs, along, metric, log), self._draw_settings(runs)

    def _draw_curves(self, runs: list[str], along: str, metric: str, log: bool) -> Markup:
        metrics = {run: self._app.run_cache.metrics(run) for run in runs}
        offered = known_metrics(list(metrics.values()))
        metric = metric if metric in offered else next(iter(offered), metric)
        choices = markup.join(
            markup.choice(COMPARED[name], "metric", name == metric, metric=name) for name in offered
        )
        curves = overlay_runs(metrics, colours_of(runs), metric, along, log)
        scale = markup.choice("log scale", "log", log)
        chosen = Markup('<div class="choices">{}<i></i>{}</div>').format(choices, scale)
        return markup.card("Curves", chosen + curves)

    def _draw_settings(self, runs: list[str]) -> Markup:
        workspace, run_cache = self._app.workspace, self._app.run_cache
        metrics = {run: run_cache.metrics(run) for run in runs}
        progress = [measure_progress(workspace, run, metrics[run]) for run in runs]
        settings = compare_settings(workspace, runs)
        outcomes = weigh_settings(runs, settings, metrics)
        body = show_progress(progress) + show_settings(runs, settings) + show_outcomes(outcomes)
        return markup.card("Settings", body + markup.command(["compare", *runs]))

    def _press(
        self,
        runs: list[str],
        along: str,
        metric: str,
        log: bool,
        event: gr.EventData,
    ) -> tuple[str, bool, Markup]:
        """Compare another metric, or on another scale."""
        if event.action == "log":
            log = not log
        else:
            metric = event.metric
        return metric, log, self._draw_curves(runs, along, metric, log)


def trained_runs(workspace: Workspace) -> list[str]:
    """The runs that have settings to compare."""
    return [name for name in list_runs(workspace.runs) if workspace.run_config(name).exists()]


def first_pair(known: Sequence[str], run: str | None) -> list[str]:
    """A run and the one that is listed after it; fewer where there are no two."""
    if run not in known:
        return list(known[:2])
    turned = [*known[known.index(run) :], *known[: known.index(run)]]
    return turned[:2]


def colours_of(runs: Sequence[str]) -> dict[str, str]:
    """The name of a colour in CSS for each run, in the order of COLOURS."""
    return dict(zip(runs, COLOURS, strict=False))


def known_metrics(runs: Sequence[Metrics]) -> list[str]:
    """The metrics of COMPARED that one of the runs wrote down lately."""
    written = {name for metrics in runs for entry in metrics[-RECENT_BATCHES:] for name in entry}
    return [name for name in COMPARED if name in written]


def show_progress(runs: Sequence[RunProgress]) -> Markup:
    """A table with a line for each run: how far it came, and in what time."""
    colours = colours_of([run.name for run in runs])
    row = Markup("<tr><td>{}</td><td>{}</td><td>batch {:,}</td><td>{}</td><td>{}</td></tr>")
    rows = markup.join(
        row.format(
            run_name(run.name, colours),
            markup.badge(run.status),
            run.batch,
            "" if run.epochs is None else f"{run.epochs:.1f} epochs",
            format_duration(run.seconds),
        )
        for run in runs
    )
    return Markup('<table class="list"><tbody>{}</tbody></table>').format(rows)


def show_outcomes(outcomes: Sequence[SettingOutcome]) -> Markup:
    """Which differences in settings went with which in scores, a line for each pair of runs."""
    told = [outcome for outcome in outcomes if outcome.settings and outcome.scores]
    lines = markup.join(Markup("<li>{}</li>").format(outcome.words) for outcome in told)
    return Markup('<ul class="small">{}</ul>').format(lines) if told else markup.NOTHING


def show_settings(runs: Sequence[str], settings: Sequence[ComparedSetting]) -> Markup:
    """Tables of the settings of runs: those that differ, marked, and the others, folded away."""
    different = [setting for setting in settings if setting.differs]
    same = [setting for setting in settings if not setting.differs]
    shown = _table(runs, different)
    if not different:
        shown = markup.paragraph("They were trained with the same settings.")
    return shown + Markup(
        '<details class="same"><summary>The same in all: {} settings</summary>{}</details>'
    ).format(len(same), _table(runs, same))


def run_name(run: str, colours: dict[str, str]) -> Markup:
    """The name of a run behind a dash in its colour; see `colours_of`."""
    return Markup('<span class="run" style="--colour:var({})">{}</span>').format(colours[run], run)


def _table(runs: Sequence[str], settings: Sequence[ComparedSetting]) -> Markup:
    colours = colours_of(runs)
    head = markup.join(Markup("<th>{}</th>").format(run_name(run, colours)) for run in runs)
    rows = markup.join(_row(setting, len(runs)) for setting in settings)
    return Markup(
        '<table class="list settings"><thead><tr><th>Setting</th>{}</tr></thead>'
        "<tbody>{}</tbody></table>"
    ).format(head, rows)


def _row(setting: ComparedSetting, count: int) -> Markup:
    cells = markup.join(Markup("<td>{}</td>").format(setting.text(i)) for i in range(count))
    kind = Markup(' class="differs"') if setting.differs else ""
    return Markup("<tr{}><td>{}</td>{}</tr>").format(kind, setting.name, cells)


_TOO_FEW = markup.empty(
    "Two runs to compare",
    "Train a second run, or choose two or more above. Their settings, curves and films are laid "
    "side by side.",
)
