"""A panel of the tab Train: the chosen pictures, and forms that add others."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.actions.action import Action, spell_command
from studio.actions.declared.dataset_actions import (
    MAX_SKIPPED_NAMED,
    DatasetsAdd,
    DatasetsAddLetters,
    DatasetsDownscale,
)
from studio.actions.declared.removal_actions import DeleteDataset, RenameDataset
from studio.actions.demo_steps import HELSINKI
from studio.datasets.listing import list_datasets, open_dataset
from studio.datasets.looking import describe_look, measure_dataset
from studio.datasets.prepared import Manifest, PreparedDataset
from studio.datasets.uploads import keep_uploads
from studio.screens.parts import markup
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, show_errors
from studio.screens.parts.jobs_view import progress_text
from studio.screens.parts.removal_panel import RemovalPanel
from studio.screens.train.sheet_route import sheet_address
from studio.workspace.errors import StudioError
from studio.workspace.jobs import ACTIVE, JobRow, list_jobs
from studio.workspace.paths import Workspace

SIZES = [32, 64, 128, 256, 512, 1024]


class DatasetsPanel:
    """Draws real city maps at the press of a button, or takes a folder of pictures."""

    def __init__(self, app: AppContext, tab: gr.Tab, dataset: gr.Dropdown, kept: gr.State) -> None:
        self._app = app
        self._status = markup.pressable(elem_id="datasets")
        is_empty = not list_datasets(app.workspace)
        with gr.Accordion("Add pictures", open=is_empty, elem_id="add-pictures"):
            cities = gr.Button("Draw the maps of Helsinki", size="md", elem_id="add-cities")
            dropped = gr.File(
                label="Drop pictures of your own, up to 1 GB at a time",
                file_count="multiple",
                file_types=["image"],
                height=120,
                elem_id="own-pictures",
                elem_classes="drop-file",
            )
            folder = gr.Textbox(
                label="Or a folder of pictures",
                placeholder="its path on the studio's machine",
                elem_id="pictures-folder",
            )
            with gr.Row():
                name = gr.Textbox(label="Call it", min_width=90)
                size = gr.Dropdown(SIZES, value=64, label="Pixels", min_width=80)
            add = gr.Button("Add the folder", size="md")
            letters = gr.Button("Add the letters of its fonts", size="sm", elem_id="add-letters")
            small = gr.Button(
                "Keep the chosen pictures small as well", size="sm", elem_id="downscale-dataset"
            )
            self._command = markup.pressable()
        RemovalPanel(
            app,
            "this dataset",
            [dataset],
            lambda name: DeleteDataset.read({"name": name or ""}),
            lambda name, new: RenameDataset.read({"name": name or "", "new": new}),
            [dataset],
            self._follow,
        )
        cities.click(show_errors(self._add_cities), None, self._status, **EVENT_DEFAULTS)
        dropped.upload(show_errors(self._keep_dropped), dropped, folder, **EVENT_DEFAULTS)
        form: list[Any] = [folder, name, size]
        gr.on(
            [field.change for field in form], _show_command, form, self._command, **EVENT_DEFAULTS
        )
        add.click(show_errors(self._add_folder), form, self._status, **EVENT_DEFAULTS)
        letters.click(show_errors(self._add_letters), form, self._status, **EVENT_DEFAULTS)
        small.click(show_errors(self._downscale), dataset, self._status, **EVENT_DEFAULTS)
        known = gr.State([])
        outputs = [self._status, dataset, known]
        app.keep_current(tab, self._refresh, [dataset, known, kept], outputs, clock=True)
        app.keep_form("add-folder", form)

    def _follow(self, action: Action) -> list[Any]:
        """Choose the dataset under its new name; another one where it is gone."""
        names = list_datasets(self._app.workspace)
        new = action.new if isinstance(action, RenameDataset) else next(iter(names), None)
        return [gr.Dropdown(choices=names, value=new)]

    def _refresh(
        self, run: str | None, chosen: str | None, known: list[str], kept: str | None
    ) -> tuple[Any, ...]:
        """The choice of datasets changes only when there is something new to choose.

        Args:
            kept: the dataset that was chosen when this browser was here before.
        """
        names = list_datasets(self._app.workspace)
        wanted = chosen or kept
        value = wanted if wanted in names else names[0] if names else None
        status = self._show_status(value)
        if names == known:
            return status, gr.skip(), gr.skip()
        return status, gr.Dropdown(choices=names, value=value), names

    def _show_status(self, chosen: str | None) -> Markup:
        workspace = self._app.workspace
        job = _newest_job(workspace)
        if job is not None and job.status in ACTIVE:
            said = markup.note(f"Preparing pictures: {progress_text(job) or 'starting'}")
            return said + markup.progress_bar(job.done, job.total)
        failed = markup.NOTHING
        if job is not None and job.status == "failed":
            failed = markup.note(Markup("<b>Not added.</b> {}").format(job.note), "")
        kind = "quiet" if list_datasets(workspace) else "quiet no-pictures"
        if chosen is None or chosen not in list_datasets(workspace):
            return failed + markup.note("No pictures yet: draw a city, or add your own.", kind)
        dataset = open_dataset(workspace, chosen, kind=None)
        described = markup.note(_describe(dataset), kind)
        owed = markup.credit(dataset.manifest.attribution)
        return failed + _show_pictures(dataset) + owed + described + _left_out(dataset)

    def _keep_dropped(self, paths: list[str]) -> str:
        """Keep what was dropped in a folder of the workspace, and fill its path in."""
        folder = keep_uploads(self._app.workspace, [Path(path) for path in paths])
        gr.Info(f"{len(paths):,} pictures are here. Call them something, and press Add the folder.")
        return str(folder)

    def _add_cities(self) -> Markup:
        if "helsinki" in list_datasets(self._app.workspace):
            raise StudioError("The maps of Helsinki are here already: choose helsinki above.")
        self._app.submit(HELSINKI)
        return self._show_status(None)

    def _add_letters(self, folder: str, name: str, size: int) -> Markup:
        """Prepare the fonts of a folder; their letters have a size of their own."""
        if not folder.strip() or not name.strip():
            raise StudioError("Write the path of a folder of fonts, and what to call it.")
        given = {"folder": folder.strip(), "name": name.strip()}
        self._app.submit(DatasetsAddLetters.read(given))
        return self._show_status(None)

    def _add_folder(self, folder: str, name: str, size: int) -> Markup:
        if not folder.strip() or not name.strip():
            raise StudioError("Write the path of a folder of pictures, and what to call it.")
        self._app.submit(DatasetsAdd.read(_fields(folder, name, size)))
        return self._show_status(None)

    def _downscale(self, chosen: str | None) -> Markup:
        """Make the pairs that the recipe upscale learns from."""
        if not chosen:
            raise StudioError("Choose pictures first: they are kept small beside themselves.")
        self._app.submit(DatasetsDownscale.read({"name": chosen}))
        return self._show_status(chosen)


def _fields(folder: str, name: str, size: int) -> dict[str, Any]:
    """What the form says of a folder; `size` in pixels along each side."""
    given = {"folder": folder.strip(), "name": name.strip(), "image_size": size}
    return {field: value for field, value in given.items() if value != ""}


def _show_command(*form: Any) -> Markup:
    return markup.command(spell_command(DatasetsAdd, _fields(*form)))


def _newest_job(workspace: Workspace) -> JobRow | None:
    return next(
        (job for job in list_jobs(workspace, 20) if job.action.startswith("datasets ")), None
    )


def _show_pictures(dataset: PreparedDataset) -> Markup:
    """Pictures from all over a dataset, which are looked at larger by opening them."""
    figure = Markup(
        '<a class="sheet-link" href="{source}" target="_blank" rel="noopener">'
        '<img class="crisp dataset-sheet" src="{source}" loading="lazy" alt="Pictures of {name}">'
        "</a>"
    )
    return figure.format(source=sheet_address(dataset), name=dataset.folder.name)


def _left_out(dataset: PreparedDataset) -> Markup:
    """The files of a folder that are no pictures of the dataset, and why."""
    skipped = dataset.manifest.skipped
    if not skipped:
        return markup.NOTHING
    line = Markup("<li><b>{}</b> {}</li>")
    named = markup.join(line.format(file, reason) for file, reason in skipped[:MAX_SKIPPED_NAMED])
    if len(skipped) > MAX_SKIPPED_NAMED:
        named += Markup("<li>and {:,} more</li>").format(len(skipped) - MAX_SKIPPED_NAMED)
    return Markup(
        '<details class="small left-out"><summary class="warning">{:,} files were left out'
        "</summary><ul>{}</ul></details>"
    ).format(len(skipped), named)


def _describe(dataset: PreparedDataset) -> str:
    manifest = dataset.manifest
    said = _describe_look(dataset.folder, manifest)
    small = " and ".join(str(factor) for factor, _ in manifest.small)
    kept = f" Kept {small} times as small as well." if small else ""
    return f"{manifest.describe()}. {said}{kept}"


@lru_cache(maxsize=16)
def _describe_look(folder: Path, manifest: Manifest) -> str:
    """What pictures are like; they are read once for as long as their manifest stays the same."""
    dataset = PreparedDataset.open(folder)
    return describe_look(dataset, measure_dataset(dataset))
