"""How the fields of a new training lie on the page."""

from __future__ import annotations

import gradio as gr

from checkpoints_index.generators.architectures import ARCHITECTURES
from studio.runs.config import TrainingConfig
from studio.screens.parts import markup
from studio.screens.train.training_form import CHOSEN, TrainForm
from studio.training.recipes import RECIPES
from studio.training.setup.presets import NO_PRESET, PRESETS

NO_FORECAST = markup.note("What the run takes is said here, once there are pictures to train on.")


def lay_out_settings(form: TrainForm) -> gr.HTML:
    """Lay out what everyone chooses, then what one may leave to the preset.

    Returns:
        The place between the two, for the forecast.
    """
    form.field("dataset", "Pictures to train on", choices=[])
    with gr.Row():
        form.field("run", "Name of the new run", placeholder="such as city", min_width=150)
        form.setting("batches", min_width=90)
    with gr.Row():
        form.setting("recipe", choices=list(RECIPES), min_width=90)
        form.field(
            "preset",
            "Settings",
            value=CHOSEN,
            choices=[CHOSEN, *PRESETS, NO_PRESET],
            names={CHOSEN: "automatic"},
            min_width=90,
        )
        form.field("like", "As run", value="", choices=[""], names={"": "none"}, min_width=90)
    form.recipe_options()
    with gr.Row():
        form.field(
            "storage",
            "Checkpoints keep",
            info="all that can be seen, or every bit",
            radio=True,
            min_width=170,
        )
        form.field("quality", value=TrainingConfig.quality, info="rms off, of 255", step=0.05)
    forecast = markup.pressable(NO_FORECAST, elem_id="forecast")
    with gr.Accordion("More settings", open=False, elem_id="more-settings"):
        _lay_out_more(form)
    return forecast


def _lay_out_more(form: TrainForm) -> None:
    """What one may leave to the preset."""
    with gr.Row():
        form.field("branch", "Go on from", placeholder="RUN@BATCH")
        form.field("init_from", "Networks of", placeholder="RUN")
    with gr.Row():
        form.field("duration", "Train for", placeholder="such as 85m")
        form.field("patience", "Patience", info="batches without a better score")
        form.field("processes")
        form.device()
    with gr.Row():
        form.setting("generator", choices=list(ARCHITECTURES), allow_custom_value=True)
        form.setting("discriminator")
    with gr.Row():
        form.setting("loss")
        form.setting("precision")
    with gr.Row():
        form.setting("learning_rate_g", "First learning rate of G", step=1e-5)
        form.setting("learning_rate_d", "First learning rate of D", step=1e-5)
    with gr.Row():
        form.setting("schedule")
        form.setting("batch_size")
    form.setting(
        "fit_memory", "Fit the memory", info="When it runs out, a batch is taken in smaller passes."
    )
    form.setting("augmentation")
    with gr.Row():
        form.setting("weight_cap", info="0: no limit")
        form.setting("independent_decay", "Decay", info="share at each update")
    form.setting(
        "reject_updates", "Reject updates", info="What is not finite is left out of the training."
    )
    form.setting("planned_changes", placeholder="such as independent_decay=0@5000")
    form.field("settings", "Any other setting")
