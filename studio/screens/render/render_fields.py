"""The fields of the forms of the tab Render, laid out; each is named as the form's value."""

from __future__ import annotations

from typing import Any

import gradio as gr

from latent.easing import EASINGS
from renderers.frames.devices import known_devices
from studio.films.interpolation import CIRCLE, DEFAULT_SECONDS, NOISE
from studio.screens.parts.app_context import EVENT_DEFAULTS
from studio.screens.render.render_forms import FPS

Fields = dict[str, Any]  # name of the form's value -> component

# Numbers that may stay empty; a page shows them as 0 until it is told that they are.
OPTIONAL = ("batch", "first", "last", "every", "seconds", "count", "scale", "seed")

FILMS = [("one of all", "grid"), ("one a point", "each"), ("both", "both")]
KINDS = [
    ("great circles", "slerp"),
    ("straight lines", "linear"),
    ("a smooth curve", "spline"),
    ("a circle", CIRCLE),
    ("noise", NOISE),
]
FORMATS = [
    ("MP4", "mp4"),
    ("WebM", "webm"),
    ("MOV, for editing", "mov"),
    ("MKV, lossless", "mkv"),
    ("WebP, if short", "webp"),
    ("GIF, if short", "gif"),
    ("PNG pictures", "png"),
]
EASING_NAMES = [*zip(("one pace", "slower at stops", "slower at the ends"), EASINGS, strict=True)]
WRITTEN = [
    *(("batch", "batch"), ("run", "run"), ("label", "label")),
    *(("events", "events"), ("loss curve", "curve")),
]
NO_LABELS = [choice for choice in WRITTEN if choice[1] != "label"]
AT_BATCH, ALONG = ("one batch", "batch"), ("along training", "training")


def lay_out_timelapse() -> Fields:
    with gr.Group():
        laid: Fields = {"points": _points("Points", "None chosen: the fixed points of the run.")}
        with gr.Row():
            laid["first"] = _whole("From batch", "the first")
            laid["last"] = _whole("To batch", "the last")
            laid["every"] = _whole("Every", "1")
        with gr.Row():
            laid["seconds"] = _seconds("all it takes")
            laid["fps"] = _fps()
            laid["films"] = _choice("Films", FILMS)
        laid["show"] = _written(WRITTEN, ["batch"])
    with gr.Accordion("More", open=False), gr.Group():
        laid["pace"] = gr.Radio(
            [("every checkpoint", "batch"), ("the same visible change", "perceptual")],
            value="batch",
            label="Pace",
        )
        laid["missing"] = gr.Radio(
            [("left out", "skip"), ("hold the one before", "hold")],
            value="skip",
            label="Missing checkpoints",
        )
        laid |= _file()
        laid["skip_damaged"] = gr.Checkbox(label="Leave out damaged checkpoints")
        laid["follow"] = gr.Checkbox(label="Film the run while it trains")
    return laid


def lay_out_walk() -> Fields:
    with gr.Group():
        laid: Fields = {"points": _points("Cities to visit, in this order", None)}
        with gr.Row():
            laid["kind"] = _choice("Way", KINDS)
            laid["seconds"] = _seconds(f"{DEFAULT_SECONDS:g}")
        laid["where"] = gr.Radio([AT_BATCH, ALONG], value="batch", label="Checkpoints")
        with gr.Row():
            laid |= _batches("the last", along=False)
        laid["loop"] = gr.Checkbox(label="Come back to the first, to be played round and round")
    with gr.Accordion("More", open=False), gr.Group():
        with gr.Row():
            laid["easing"] = _choice("Pace", EASING_NAMES)
            laid["fps"] = _fps()
        laid["show"] = _written(NO_LABELS, [])
        laid |= _file()
        laid["seed"] = _whole("Seed of a circle's plane, or of noise", "0")
    _follow_where(laid, ["first", "last"])
    return laid


def lay_out_path() -> Fields:
    with gr.Group():
        laid: Fields = {
            "keys": gr.Textbox(
                "",
                label="Keys",
                info="BATCH@POINT, with -> between; batch and point move together.",
                lines=2,
            )
        }
        with gr.Row():
            laid["seconds"] = _seconds(f"{DEFAULT_SECONDS:g}")
            laid["fps"] = _fps()
        laid["show"] = _written(NO_LABELS, ["batch"])
    with gr.Accordion("More", open=False), gr.Group():
        with gr.Row():
            laid["kind"] = _choice("Way", KINDS[:3])
            laid["easing"] = _choice("Pace", EASING_NAMES)
        laid |= _file()
    return laid


def lay_out_sheet() -> Fields:
    with gr.Group():
        laid: Fields = {"points": _points("Points", "None chosen: the fixed points of the run.")}
        laid["where"] = gr.Radio([ALONG, AT_BATCH], value="training", label="Checkpoints")
        with gr.Row():
            laid |= _batches("such as 16500", along=True)
        with gr.Row():
            laid["count"] = _whole("How many", "as is readable")
            laid["scale"] = _whole("Enlarged", "as is readable")
    _follow_where(laid, ["first", "last", "count"])
    return laid


def _batches(at: str, along: bool) -> Fields:
    """The batch to be at, or those to go along; see `_follow_where`."""
    return {
        "batch": _whole("Batch", at, visible=not along),
        "first": _whole("From batch", "the first", visible=along),
        "last": _whole("To batch", "the last", visible=along),
    }


def _follow_where(laid: Fields, along: list[str]) -> None:
    """Show the batch for one batch alone, and other fields along training alone."""

    def show(where: str) -> list[Any]:
        return [
            gr.Number(visible=where == "batch"),
            *[gr.Number(visible=where == "training") for _ in along],
        ]

    fields = [laid[name] for name in ("batch", *along)]
    laid["where"].change(show, laid["where"], fields, **EVENT_DEFAULTS)


def _points(label: str, info: str | None) -> gr.Dropdown:
    return gr.Dropdown(
        label=label,
        info=info,
        choices=[],
        multiselect=True,
        allow_custom_value=True,
        interactive=True,
    )


def _file() -> Fields:
    """The film as a file, and how it is made."""
    laid: Fields = {}
    with gr.Row():
        laid["format"] = _choice("Format", FORMATS)
        laid["size"] = gr.Textbox("", label="Size", placeholder="such as 1920x1080", min_width=110)
    with gr.Row():
        laid["crop"] = gr.Textbox("", label="Crop", placeholder="WIDTHxHEIGHT+X+Y", min_width=110)
        laid["devices"] = gr.Dropdown(
            known_devices(), value=[], label="Devices", multiselect=True, min_width=110
        )
    laid["options"] = gr.Textbox(
        "", label="Any other option", placeholder="such as --crf 12 --precision bf16"
    )
    return laid


def _written(choices: list[tuple[str, str]], value: list[str]) -> gr.CheckboxGroup:
    return gr.CheckboxGroup(choices, value=value, label="Written on the film")


def _choice(label: str, choices: list[tuple[str, str]]) -> gr.Dropdown:
    return gr.Dropdown(choices, value=choices[0][1], label=label, min_width=110)


def _whole(label: str, placeholder: str, visible: bool = True) -> gr.Number:
    return gr.Number(
        label=label,
        placeholder=placeholder,
        precision=0,
        minimum=0,
        min_width=80,
        visible=visible,
    )


def _seconds(placeholder: str) -> gr.Number:
    return gr.Number(label="Seconds", placeholder=placeholder, minimum=0, min_width=80)


def _fps() -> gr.Number:
    return gr.Number(FPS, label="Frames a second", precision=0, minimum=1, min_width=90)
