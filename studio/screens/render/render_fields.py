"""The forms of the tab Render: where each field of a film or a sheet lies."""

from __future__ import annotations

from typing import Any

import gradio as gr

from renderers.frames.devices import known_devices
from studio.actions.declared.film_actions import (
    RenderInterpolation,
    RenderPath,
    RenderSheet,
    RenderTimelapse,
)
from studio.actions.declared.films.folder_actions import RenderFolder
from studio.actions.declared.films.poster_actions import RenderPoster
from studio.actions.declared.films.upscale_actions import Upscale
from studio.screens.parts.form import Form
from studio.workspace.devices import AUTO

COMPOSITIONS = {
    "grid": "a grid",
    "large": "one large",
    "wipe": "two, with a wipe",
    "strip": "a strip that scrolls",
    "map": "a map that lights up",
    "plain": "pictures alone",
}
FRAMES = {"grid": "a frame with texts", "plain": "pictures alone"}
ASPECTS = {"": "square", "16:9": "16:9", "9:16": "9:16", "4:5": "4:5"}
RESOLUTIONS = {"": "1080", "2160": "2160"}
FILMS = {"grid": "one of all", "each": "one a point", "both": "both"}
PACES = {
    "": "as suits the look",
    "batch": "every checkpoint",
    "perceptual": "the same visible change",
}
MISSING = {"skip": "left out", "hold": "hold the one before", "refuse": "refuse"}
KINDS = {
    "slerp": "great circles",
    "linear": "straight lines",
    "spline": "a smooth curve",
    "circle": "a circle",
    "noise": "noise",
}
EASINGS = {"linear": "one pace", "smooth": "slower at stops", "ends": "slower at the ends"}
FORMATS = {
    "": "MP4",
    "webm": "WebM",
    "mov": "MOV, for editing",
    "mkv": "MKV, lossless",
    "webp": "WebP, if short",
    "gif": "GIF, if short",
    "png": "PNG pictures",
}
PICTURE_FORMATS = {"": "as they are", "png": "PNG", "jpg": "JPEG", "webp": "WebP"}
WRITTEN = {"batch": "batch", "run": "run", "label": "label", "events": "events", "curve": "curve"}
FOLDER_WRITTEN = {"batch": "number", "run": "title", "label": "folder"}
FOLDER_PACES = {"picture": "the same time for each", "number": "by numbers or dates"}
ORDERS = {"auto": "as names tell", "number": "numbers", "date": "dates", "name": "names"}
FITS = {"refuse": "refuse", "pad": "bars", "crop": "cut", "stretch": "distort"}
FIXED = "None chosen: the fixed points of the run."
RATES = "30; 60, if plain"
ELSEWHERE = ("run", "overlay", "out")  # The page knows the run; `show` does what `overlay` does.


def lay_out_timelapse() -> Form[RenderTimelapse]:
    """One frame a checkpoint at points that stay."""
    form = Form(RenderTimelapse)
    with gr.Group():
        form.field("points", info=FIXED)
        with gr.Row():
            form.field("batches")
            form.field("duration", "Seconds", placeholder="20 to 40; all, if plain")
        with gr.Row():
            form.field("fps", "Frames a second", placeholder=RATES)
            form.field("films", value="grid", names=FILMS)
        _composed(form, COMPOSITIONS)
        _written(form, WRITTEN, ["batch"])
    with gr.Accordion("More", open=False), gr.Group():
        form.field("pace", value="", choices=list(PACES), names=PACES, radio=True)
        form.field("missing", "Missing checkpoints", value="skip", names=MISSING, radio=True)
        _file(form)
    return form


def lay_out_walk() -> Form[RenderInterpolation]:
    """A point that moves, at one checkpoint or along training."""
    form = Form(RenderInterpolation)
    with gr.Group():
        form.field("points", "Cities to visit, in this order")
        with gr.Row():
            form.field("kind", "Way", names=KINDS)
            form.field("seconds")
        with gr.Row():
            form.field("batch", "At batch")
            form.field("batches", "Or along batches")
        form.field("loop", "Come back to the first, to be played round and round")
        _composed(form, FRAMES)
    with gr.Accordion("More", open=False), gr.Group():
        with gr.Row():
            form.field("easing", "Pace", names=EASINGS)
            form.field("fps", "Frames a second", placeholder=RATES)
        _written(form, _without_label(), [])
        _file(form)
    return form


def lay_out_path() -> Form[RenderPath]:
    """Keys between which batch and point move together."""
    form = Form(RenderPath)
    with gr.Group():
        form.field(
            "keys", info="BATCH@POINT, with -> between; batch and point move together.", lines=2
        )
        with gr.Row():
            form.field("seconds")
            form.field("fps", "Frames a second", placeholder=RATES)
        _composed(form, FRAMES)
        _written(form, _without_label(), ["batch"])
    with gr.Accordion("More", open=False), gr.Group():
        with gr.Row():
            form.field("kind", "Way", names=KINDS)
            form.field("easing", "Pace", names=EASINGS)
        _file(form)
    return form


def lay_out_sheet() -> Form[RenderSheet]:
    """Points down and batches across, in one picture."""
    form = Form(RenderSheet)
    with gr.Group():
        form.field("points", info=FIXED)
        with gr.Row():
            form.field("batches")
            form.field("batch", "Or at one batch")
        with gr.Row():
            form.field("count", "How many")
            form.field("scale", "Enlarged")
    with gr.Accordion("More", open=False), gr.Group():
        form.field("skip_missing", "Leave out batches without a checkpoint", value=True)
        form.rest(*ELSEWHERE)
    return form


def lay_out_poster() -> Form[RenderPoster]:
    """How cities grew, the atlas and curves, on one sheet of paper."""
    form = Form(RenderPoster)
    with gr.Group():
        form.field("points", info=FIXED)
    with gr.Accordion("More", open=False), gr.Group():
        form.rest(*ELSEWHERE)
    return form


def lay_out_folder() -> Form[RenderFolder]:
    """Numbered or dated pictures of a folder, whoever made them."""
    form = Form(RenderFolder)
    with gr.Group():
        form.field("folder", info="Pictures numbered or dated in their names.")
        with gr.Row():
            form.field("names", placeholder="all, or fakes_*.png")
            form.field("batches", "Numbers")
        with gr.Row():
            form.field("every", "Every")
            form.field("duration", "Seconds")
        with gr.Row():
            form.field("pace", names=FOLDER_PACES)
            form.field("fps", "Frames a second", placeholder=RATES)
        _composed(form, FRAMES)
        form.field("title")
        form.field("attribution")
    with gr.Accordion("More", open=False), gr.Group():
        with gr.Row():
            form.field("order", names=ORDERS)
            form.field("fit", "Other sizes", names=FITS)
        form.field("skip_damaged", "Leave out pictures that cannot be read")
        form.field("run", "Of run", info="The film is listed among its films.")
        _written(form, FOLDER_WRITTEN, [])
        _file(form)
    return form


def lay_out_enlargement() -> Form[Upscale]:
    """A picture, a folder or a film, made larger by the run that is chosen."""
    form = Form(Upscale)
    with gr.Group():
        form.field(
            "source",
            "Picture, folder or film",
            info="The run makes it larger that is chosen above, if it is one of super-resolution.",
        )
        form.field("format", value="", choices=list(PICTURE_FORMATS), names=PICTURE_FORMATS)
        form.field("devices", choices=[AUTO, *known_devices()])
    with gr.Accordion("More", open=False), gr.Group():
        form.rest(*ELSEWHERE)
    return form


def _composed(form: Form[Any], names: dict[str, str]) -> None:
    """The frame around the pictures; what is rendered here is watched, so it has one at first."""
    with gr.Row():
        form.field("composition", value="grid", choices=list(names), names=names)
        form.field("aspect", "Shape", value="", choices=list(ASPECTS), names=ASPECTS)
        form.field("resolution", value="", choices=list(RESOLUTIONS), names=RESOLUTIONS)


def _written(form: Form[Any], names: dict[str, str], value: list[str]) -> None:
    info = "Of pictures alone; a frame has its own."
    choices = list(names)
    form.field("show", "Written on the film", value=value, choices=choices, names=names, info=info)


def _without_label() -> dict[str, str]:
    """A point that moves has no label."""
    return {name: called for name, called in WRITTEN.items() if name != "label"}


def _file(form: Form[Any]) -> None:
    """The film as a file, and all else that can be said of it."""
    with gr.Row():
        form.field("format", value="", choices=list(FORMATS), names=FORMATS)
        form.field("size")
    with gr.Row():
        form.field("crop")
        form.field("crf", "Quality (CRF)", placeholder="18 looks like the original")
    form.field("devices", choices=[AUTO, *known_devices()])
    form.rest(*ELSEWHERE)
