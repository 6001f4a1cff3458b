"""Settings that were tuned by looking at what they give."""

from __future__ import annotations

from studio.training.config import TrainingConfig

DEMO_METRES_PER_PIXEL = 3.0
DEMO_PICTURES = 4096

# Two CPU cores, four minutes: narrow networks see more pictures in that time, flat maps need no
# wide ones, and without the fading blur streets take twice as long to appear.
DEMO = TrainingConfig(
    image_size=64,
    generator_options={"width": 0.375, "full_resolution_block": True},
    discriminator_width=0.25,
    batches=1000,
    batch_size=24,
    learning_rate_g=1e-3,
    learning_rate_d=5e-4,
    blur_sigma_px=4.0,
    blur_fade_batches=500,
    ema=0.995,
    preview_every=25,
)
