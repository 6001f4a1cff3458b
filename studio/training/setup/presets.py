"""Presets: training settings that go together, by name."""

from __future__ import annotations

from dataclasses import dataclass, replace

from studio.runs.config import TrainingConfig

NO_PRESET = "none"  # Every setting has its default.
DEMO_METRES_PER_PIXEL = 3.0
DEMO_PICTURES = 4096

# For four minutes on two CPU cores: narrow networks see more pictures in that time. What was tried,
# and what the eye and two measures said of it, is in docs/demo.md. A relativistic loss with its
# penalties (R3GAN) draws straight streets; the penalty on every fourth update of D and bf16 make it
# as cheap as a loss without one. The blur fades until shortly before the end, since D then says
# longest where streets lie and least how single pixels are, which so narrow a G draws as streaks.
SMALL = TrainingConfig(
    image_size=64,
    generator_options={"width": 0.375, "full_resolution_block": True},
    discriminator_width=0.25,
    discriminator_norm="none",
    batches=1200,
    batch_size=24,
    precision="auto",
    learning_rate_g=1e-3,
    learning_rate_d=1e-3,
    betas=(0.0, 0.99),
    cool_down_batches=300,
    loss="relativistic",
    gradient_penalty=1,
    penalty_every=4,
    label_smoothing=0,
    blur_sigma_px=4.0,
    blur_fade_batches=1120,
    ema=0.995,
    preview_every=25,
)

# Maps have a dozen flat colours, which G then chooses from. The demo renders a film afterwards, so
# a live film of each fourth batch is enough.
DEMO = replace(SMALL, generator_options={**SMALL.generator_options, "palette": 12}, film_every=4)

# More batches at lower rates, and a wider D; tuned by looking at the pictures.
HALF_HOUR = replace(
    SMALL,
    discriminator_width=0.375,
    batches=5000,
    precision="float32",
    learning_rate_g=5e-4,
    learning_rate_d=5e-4,
    cool_down_batches=0,
    schedule="cosine",
    schedule_factor=0.1,
    penalty_every=1,
    blur_fade_batches=500,
    ema=0.998,
)

# Augmentation adapts to how far D overfits (ADA), so that D cannot learn few pictures by heart.
FEW_PICTURES = TrainingConfig(
    generator_options={"width": 0.5, "full_resolution_block": True},
    discriminator_width=0.5,
    discriminator_norm="none",
    batch_size=32,
    betas=(0.0, 0.99),
    loss="relativistic",
    label_smoothing=0,
    augmentation="color,translation,cutout",
    augmentation_target=0.6,
)

# Learning rate, penalty and width are those of R3GAN (Huang et al. 2024).
BIG = TrainingConfig(
    image_size=256,
    generator="residual",
    generator_options={"width": 1.5},
    discriminator="residual",
    discriminator_width=1.5,
    discriminator_norm="none",
    batches=200_000,
    batch_size=256,
    fit_memory=True,
    precision="bf16",
    betas=(0.0, 0.99),
    schedule="cosine",
    schedule_factor=0.25,
    loss="relativistic",
    label_smoothing=0,
    ema=0.9995,
)

# As in Radford et al. 2016: transposed convolutions, hard labels, no average of G.
PLAIN = TrainingConfig(
    generator_options={"upsampling": "transposed"}, batch_size=128, label_smoothing=0, ema=0
)


# Minutes on a CPU; the shape is that of Sun et al. 2022, "tiny". z_dim follows from the pictures.
UPSCALE_TINY = TrainingConfig(
    recipe="upscale",
    recipe_options={"patch_px": 24},
    held_out=0.05,
    generator="shufflemixer",
    generator_options={"scale": 4, "channels": 32, "kernel": 3},
    batches=3000,
    batch_size=16,
    learning_rate_g=5e-4,
    betas=(0.9, 0.99),
    cool_down_batches=500,
    film_every=5,
    preview_every=25,
    score_every=100,
)

# As published: batches of 64, small patches of 64 px, 300,000 batches at a constant rate.
UPSCALE_BASE = replace(
    UPSCALE_TINY,
    recipe_options={"patch_px": 64},
    generator_options={"scale": 4, "channels": 64, "kernel": 7},
    batches=300_000,
    batch_size=64,
    fit_memory=True,
    cool_down_batches=0,
    film_every=50,
    score_every=500,
)

# For some hundreds of fonts and more. A cap of weights held "a sea of NaNs" off where it was
# published; runs that train do not come near to it. On two cores, keeping a checkpoint takes as
# long as a batch does, so one of five is kept. z_dim and image_size follow.
LETTERS = TrainingConfig(
    recipe="letters",
    held_out=0.125,
    generator="letters",
    generator_options={"units": [24, 48, 256, 48, 24]},
    batches=6500,
    batch_size=64,
    learning_rate_g=1e-3,
    betas=(0.9, 0.99),
    cool_down_batches=2700,
    ema=0.998,
    weight_cap=8,
    checkpoint_every=5,
    film_every=10,
    preview_every=50,
    score_every=100,
)


@dataclass(frozen=True)
class Preset:
    """Settings that go together.

    Attributes:
        name: the name on the command line and the screen.
        description: one line, for a person who chooses.
        config: all settings but the dataset, whose picture size overrides that of the config.
    """

    name: str
    description: str
    config: TrainingConfig


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "small-and-quick",
            "Four minutes on two CPU cores: see the whole way, from noise to a film.",
            SMALL,
        ),
        Preset(
            "maps-and-drawings",
            "The same for pictures of flat colours with sharp edges, such as maps: the demo.",
            DEMO,
        ),
        Preset(
            "half-an-hour",
            "Half an hour on two CPU cores: straight streets and sharp edges at 64 pixels.",
            HALF_HOUR,
        ),
        Preset(
            "few-pictures",
            "A few hundred to a few thousand pictures: they are changed at random as D sees them.",
            FEW_PICTURES,
        ),
        Preset(
            "big-and-patient",
            "Residual networks for a GPU and days, to 1024 pixels: the best pictures.",
            BIG,
        ),
        Preset(
            "plain-dcgan",
            "The DCGAN of 2016 with nothing added, to compare with.",
            PLAIN,
        ),
        Preset(
            "upscale-tiny",
            "Learns to make pictures four times as wide, in a quarter of an hour on two CPU cores.",
            UPSCALE_TINY,
        ),
        Preset(
            "upscale-base",
            "The same by a larger network for a GPU and a day, as it was published.",
            UPSCALE_BASE,
        ),
        Preset(
            "letters",
            "Upper-case letters of lower-case ones and back, in 20 minutes on two CPU cores.",
            LETTERS,
        ),
    )
}
