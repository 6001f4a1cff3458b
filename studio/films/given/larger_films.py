"""Films that are there already, made larger frame by frame."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from latent.points import LatentPoint
from renderers.files import checksum_file
from renderers.frames.devices import require_devices
from renderers.jobs.claims import refuse_foreign
from renderers.jobs.rendering import render_film
from renderers.jobs.workers import render_parts
from renderers.pictures.display_options import DisplayOptions
from renderers.pictures.frame_layout import LANCZOS
from renderers.plan.options import RenderOptions, share_threads
from renderers.plan.outputs import Video
from renderers.plan.render_plan import Caption, RenderPlan, make_plan
from renderers.progress import OnProgress
from renderers.upscaling.enlarged_films import EnlargedFilm
from renderers.video.encoders import choose_encoder
from renderers.video.film_reader import FilmFacts, read_facts
from renderers.video.formats import format_of
from renderers.video.joining import require_film_place
from renderers.video.video_reader import count_frames, count_packets
from studio.runs.tools.upscalers import RunUpscaler
from studio.workspace.devices import name_devices

PART_FRAMES = 60  # What a killed job can lose; a frame may take a second and more.


@dataclass(frozen=True)
class LargerFilm:
    """A film that is to be made larger.

    Attributes:
        source: the film as it is.
        out: the larger one.
        facts: what the source is.
        options: how the larger film is encoded.
        folder: where its parts are kept until it is whole.
    """

    source: Path
    out: Path
    facts: FilmFacts
    options: RenderOptions
    folder: Path


def plan_larger_film(
    source: Path,
    out: Path,
    folder: Path,
    scale: int,
    devices: Sequence[str],
    *,
    encoder: str | None = None,
    crf: int | None = None,
    overwrite: bool = False,
) -> LargerFilm:
    """See that a film can be made larger, before anything is computed.

    Args:
        folder: where its parts are kept; it belongs to this film.
        devices: as they are asked for, none for all.

    Raises:
        RenderError: it cannot be read, the result would be too large or cannot be written, or a
            device is not there.
    """
    require_devices(name_devices(devices))
    require_film_place(out)
    facts, form = read_facts(source), format_of(out)
    options = RenderOptions(
        fps=facts.fps,
        display=DisplayOptions(scale=1, scaling=LANCZOS),
        format=form,
        encoder=choose_encoder(encoder, form.part_codec, [None]),
        crf=crf,
        threads=share_threads(os.cpu_count() or 1, 1),
        part_frames=PART_FRAMES,
    )
    even = options.encoder_for(1).even
    options.display.lay_out(facts.width_px * scale, facts.height_px * scale, even)
    form.require_fit(count_packets(source), facts.fps)
    refuse_foreign(folder, [out], overwrite)
    return LargerFilm(source, out, facts, options, folder)


def render_larger_film(
    larger: LargerFilm,
    upscaler: RunUpscaler,
    devices: Sequence[str],
    on_progress: OnProgress,
    overwrite: bool = False,
) -> Video:
    """Make a film larger; killed at any moment, the same call goes on where it was.

    Raises:
        RenderError: the film changed or cannot be read, or the larger one cannot be written.
    """
    source = EnlargedFilm(larger.source, upscaler.network)
    plan = _plan(larger, upscaler)
    engine = partial(render_parts, devices=require_devices(devices))
    (video,) = render_film(
        *(source, plan, larger.folder, larger.out, engine, on_progress), overwrite=overwrite
    )
    return video


def _plan(larger: LargerFilm, upscaler: RunUpscaler) -> RenderPlan:
    """The plan of a film whose frame k is made of frame k of the source."""
    frames = count_frames(larger.source)
    weights = f"{checksum_file(larger.source)} {upscaler.digest}"
    tags = {**dict(larger.facts.tags), "upscaled": str(upscaler)}
    return make_plan(
        [LatentPoint(larger.source.stem, torch.zeros(1))],
        np.arange(frames).tolist(),
        larger.options,
        weights=[weights] * frames,
        caption=Caption(largest=frames, tags=tuple(tags.items())),
    )
