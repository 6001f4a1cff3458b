"""Films of what a layer of the generator makes of points, over training."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from latent.nearness.layers import Layer, require_channels
from latent.points import LatentPoint
from renderers.files import read_json, write_json
from renderers.frames.devices import device_here
from renderers.frames.layer_pictures import LayerView, measure_levels
from renderers.jobs.rendering import render_film
from renderers.plan.outputs import Video
from renderers.plan.pacing import spread
from renderers.progress import OnProgress
from studio.exploration.layers import choose_layer
from studio.films.options.film_options import LayerFilm
from studio.films.planning import OpenFilm, choose_engine, open_film, plan_film
from studio.runs.selection import choose_batches
from studio.workspace.devices import name_devices
from studio.workspace.errors import StudioError
from studio.workspace.names import read_whole, shorten
from studio.workspace.paths import Workspace
from studio.workspace.progress import Say, ignore_line

MAX_CHANNEL = 10**6 - 1  # No layer has as many.
SHOWN_CHANNELS = 16  # Where none was named.


def check_layer_film(workspace: Workspace, film: LayerFilm) -> None:
    """Refuse a film that cannot be made, before anything is rendered.

    Raises:
        StudioError: or an error of the libraries: unknown run, batch, point, layer or channel, or
            too many frames for the format.
    """
    opened, points, batches, _, _ = _open(workspace, film)
    opened.require_fit(len(batches), [point.label for point in points])


def film_layer(
    workspace: Workspace, film: LayerFilm, on_progress: OnProgress, say: Say = ignore_line
) -> list[Video]:
    """Film the maps of a layer, one frame a checkpoint; killed, the same call goes on.

    Before the first frame some of the checkpoints are looked at for the least and the greatest
    number of each channel. They are fixed in the plan, so that a brightness means the same in all
    frames, and a frame depends on its checkpoint, its point and the options alone.

    Raises:
        StudioError: or an error of the libraries, as `check_layer_film`.
    """
    opened, points, batches, layer, channels = _open(workspace, film)
    for remark in opened.remarks(film.batches):
        say(remark)
    sample = [batches[k] for k in spread(len(batches), min(len(batches), film.sampled))]
    sample = list(dict.fromkeys(sample))
    if len(sample) < len(batches):
        say(
            f"Brightness is measured at {len(sample):,} of {len(batches):,} batches, and numbers "
            f"beyond are shown as the nearest. Measure all: --sampled {len(batches)}"
        )
    lows, highs = _levels(opened, points, layer, channels, sample, on_progress)
    if film.brightness == "shared":
        lows, highs = [min(lows)] * len(lows), [max(highs)] * len(highs)
    view = LayerView(layer.name, tuple(channels), tuple(lows), tuple(highs), film.colours)
    plan = plan_film(opened, points, batches, options=replace(opened.options, layer=view))
    return render_film(
        *(opened.checkpoints, plan, opened.folder, opened.file, choose_engine(film), on_progress),
        overwrite=film.overwrite,
    )


def _open(
    workspace: Workspace, film: LayerFilm
) -> tuple[OpenFilm[LayerFilm], list[LatentPoint], list[int], Layer, list[int]]:
    """The open run with the points, batches, layer and channels of a film."""
    film.require_plain()
    opened = open_film(workspace, film, film.run, "layer")
    points = opened.points(film.points, or_fixed=True)
    batches = choose_batches(opened.kept, film.batches, opened.run, film.skip_missing)
    layer = choose_layer(opened.checkpoints, film.layer)
    channels = _read_channels(film.channels) or list(range(min(layer.channels, SHOWN_CHANNELS)))
    require_channels(layer.name, channels, layer.channels)
    zeros = (0.0,) * len(channels)
    size = LayerView(layer.name, tuple(channels), zeros, zeros).size_px(
        layer.height_px, layer.width_px
    )
    return replace(opened, shown_px=size), points, batches, layer, channels


def _read_channels(texts: Sequence[str]) -> list[int]:
    channels = []
    for text in texts:
        if (channel := read_whole(text, MAX_CHANNEL)) is None:
            raise StudioError(f"{shorten(text)} is no channel: write numbers, such as 0,3,7.")
        channels.append(channel)
    return channels


def _levels(
    opened: OpenFilm[LayerFilm],
    points: Sequence[LatentPoint],
    layer: Layer,
    channels: Sequence[int],
    sample: Sequence[int],
    on_progress: OnProgress,
) -> tuple[list[float], list[float]]:
    """`measure_levels`, once for the same weights, points and channels."""
    checkpoints, path = opened.checkpoints, opened.folder / "levels.json"
    z = torch.stack([point.z for point in points])
    digest = _digest(checkpoints.digests(sample), z, layer.name, channels)
    remembered = read_json(path) or {}
    if remembered.get("digest") != digest:
        device = device_here(name_devices(opened.film.devices))
        measured = measure_levels(
            *(checkpoints, z, layer.name, channels, sample, device, on_progress)
        )
        remembered = {"digest": digest, "lows": measured[0], "highs": measured[1]}
        write_json(remembered, path)
    return remembered["lows"], remembered["highs"]


def _digest(weights: Sequence[str], z: Tensor, layer: str, channels: Sequence[int]) -> str:
    digest = hashlib.sha256(repr((list(weights), layer, list(channels))).encode())
    digest.update(z.numpy().tobytes())
    return digest.hexdigest()
