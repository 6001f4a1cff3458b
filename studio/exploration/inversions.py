"""Pictures led back to the latent points that draw them most nearly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from checkpoints_index import CheckpointIndex, CheckpointRun
from latent.inversion.fitting import FittedPoint
from latent.inversion.gallery import draw_gallery
from latent.inversion.inversion import NEAREST, STEPS, Inverter
from latent.inversion.shaped_generator import ShapedGenerator
from latent.points import draw_z
from renderers.frames.frame_renderer import FrameRenderer
from renderers.frames.passes import unround_frames
from renderers.pictures.picture_file import save_picture
from renderers.pictures.sheets import Sheet
from renderers.plan.pacing import spread
from renderers.progress import OnProgress
from studio.datasets.fits import Fit
from studio.datasets.picture import UnreadablePictureError, read_picture
from studio.exploration.inversion_options import InversionOptions
from studio.exploration.sheets import sheet_place
from studio.runs.selection import choose_batches, last_batch
from studio.specimens.own_points import keep_own_points
from studio.specimens.passports import read_passport
from studio.specimens.point_files import ForeignPoint
from studio.workspace.devices import borrow_device
from studio.workspace.errors import StudioError
from studio.workspace.names import printable, require_path, shorten
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter

SHOWN_STEPS = 6  # Pictures of the way there, on the sheet.
CELL_PX = 160  # Pictures on the sheet are at least so wide.
GALLERY_SEED = 1


@dataclass(frozen=True, eq=False)
class Inverted:
    """A picture and the latent point that was found for it.

    Attributes:
        name: of the picture's file.
        picture: what was looked for, uint8 [H, W, 3].
        label: under which the point is kept in the run.
        fit: the point, and how near its picture is.
        way: points on the way there, each with its PSNR in dB.
    """

    name: str
    picture: np.ndarray
    label: str
    fit: FittedPoint
    way: list[tuple[Tensor, float]] = field(default_factory=list)


@dataclass(frozen=True)
class DrawnInversion:
    """What was found for one picture, and the sheet that shows it."""

    run: str
    batch: int
    inverted: Inverted
    path: Path


def check_pictures(
    workspace: Workspace, run: str, pictures: Sequence[Path], batch: int | None, fit: Fit
) -> tuple[CheckpointRun, int, list[np.ndarray]]:
    """Refuse what cannot be looked for.

    Returns:
        The open run, the batch that is meant, and the pictures in its size, uint8 [H, W, 3] each.

    Raises:
        StudioError: or an error of the libraries: unknown run or batch, or a picture that cannot be
            read.
    """
    checkpoints = CheckpointIndex(workspace.runs)[run]
    checkpoints.spec.require_drawn(run)
    kept = checkpoints.batches
    chosen = last_batch(kept, run) if batch is None else batch
    choose_batches(kept, str(chosen), run)
    return checkpoints, chosen, [_read(path, checkpoints.spec.image_size, fit) for path in pictures]


def draw_inversion(
    workspace: Workspace, asked: InversionOptions, reporter: Reporter
) -> DrawnInversion:
    """Find the latent point of a picture, keep it, and draw how it was found.

    Raises:
        StudioError: or an error of the libraries, as `check_pictures`.
    """
    (inverted,), batch = invert_pictures(
        *(workspace, asked.run, [asked.picture], asked.batch, asked.fit, asked.gallery),
        reporter,
        asked.device,
    )
    G = CheckpointIndex(workspace.runs)[asked.run].generator(batch)
    path = asked.out or sheet_place(workspace, asked.run, "inversion", asked)
    path.parent.mkdir(parents=True, exist_ok=True)
    ways = [inverted.way[place] for place in _shown(len(inverted.way))]
    z = torch.stack([*(z for z, _ in ways), inverted.fit.z])
    captions = [
        *(f"{db:.1f} dB" for _, db in ways),
        f"{inverted.label}: {inverted.fit.psnr_db:.1f} dB",
    ]
    frames = FrameRenderer().render(G, z)
    side = max(CELL_PX, len(inverted.picture))
    sheet = Sheet(
        *(1, 1 + len(frames), side, side),
        captions=[inverted.name, *captions],
        title=f"{asked.run} · batch {batch:,}",
    )
    for number, picture in enumerate([inverted.picture, *frames]):
        sheet.add(number, picture)
    save_picture(sheet.picture, path)
    return DrawnInversion(asked.run, batch, inverted, path)


def invert_pictures(
    workspace: Workspace,
    run: str,
    pictures: Sequence[Path],
    batch: int | None,
    fit: Fit,
    gallery: int,
    reporter: Reporter,
    device: str | None = None,
) -> tuple[list[Inverted], int]:
    """Find the latent points of pictures, and keep them as points of the run.

    An exported picture's own point, if its passport is still there, is the first start.

    Args:
        batch: the checkpoint; the last one by default.
        gallery: how many pictures are drawn to begin with.
        device: see `borrow_device`.

    Returns:
        What was found for each picture, and the batch.

    Raises:
        StudioError: or an error of the libraries, as `check_pictures`.
    """
    checkpoints, at, arrays = check_pictures(workspace, run, pictures, batch, fit)
    spec, found = checkpoints.spec, list[tuple[FittedPoint, list[tuple[Tensor, float]]]]()
    with borrow_device(workspace, device, f"inversion in {run}") as chosen:
        G = ShapedGenerator(checkpoints.generator(at, chosen), spec.shape_z)
        z = draw_z(gallery, spec.z_dim, GALLERY_SEED)
        with reporter.task("Drawing pictures to compare with") as on_progress:
            drawn = draw_gallery(G, z, on_progress)
        with reporter.task("Learning to guess points") as on_progress:
            inverter = Inverter.learn(G, drawn, on_progress)
        for path, array in zip(pictures, arrays, strict=True):
            with reporter.task(f"Looking for {shorten(path.name)}") as on_progress:
                known = [spec.unshape_z(z) for z in _known(path, spec.z_dim)]
                best, way = _invert(inverter, array, known, on_progress)
                shaped = [(spec.shape_z(z), psnr_db) for z, psnr_db in way]
                found.append((replace(best, z=spec.shape_z(best.z)), shaped))
    points = [ForeignPoint(None, fit.z.numpy()) for fit, _ in found]
    kept = keep_own_points(workspace, run, points, at)
    labels = {point.z.numpy().tobytes(): point.label for point in kept}
    return [
        Inverted(
            printable(path.name, one_line=True), array, labels[fit.z.numpy().tobytes()], fit, way
        )
        for path, array, (fit, way) in zip(pictures, arrays, found, strict=True)
    ], at


def _invert(
    inverter: Inverter, array: np.ndarray, known: list[Tensor], on_progress: OnProgress
) -> tuple[FittedPoint, list[tuple[Tensor, float]]]:
    way: list[tuple[Tensor, float]] = []
    most = STEPS * (len(known) + 1 + NEAREST)

    def keep(step: int, z: Tensor, psnr_db: float) -> None:
        if not way or psnr_db > way[-1][1]:
            way.append((z.clone(), psnr_db))
        on_progress(step, most)

    fit = inverter.invert(unround_frames(array[None])[0], known, keep)
    on_progress(most, most)
    return fit, way


def _read(path: Path, image_size: int, fit: Fit) -> np.ndarray:
    name = shorten(path.name)
    if not require_path(path).is_file():
        raise StudioError(f"There is no picture {name}. Check the path.")
    try:
        return read_picture(path, image_size, fit)
    except UnreadablePictureError as error:
        raise StudioError(f"{name} cannot be read as a picture: {error}.") from error


def _known(path: Path, z_dim: int) -> list[Tensor]:
    """The point in a picture's passport, if it has one of this length."""
    try:
        z = read_passport(path).z
    except StudioError:
        return []
    return [z] if len(z) == z_dim else []


def _shown(steps: int) -> list[int]:
    """Which steps of the way are shown."""
    return sorted({int(place) for place in spread(steps, min(steps, SHOWN_STEPS))}) if steps else []
