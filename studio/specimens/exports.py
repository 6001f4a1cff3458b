"""Specimens as pictures with passports: new ones, and exports as files, on a sheet, or in a ZIP."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import count as count_from
from pathlib import Path
from typing import Any

import numpy as np
import torch

from checkpoints_index import CheckpointIndex, CheckpointRun
from checkpoints_index.storage.files import open_whole
from latent.points import LatentPoint, parse_label
from renderers.files import unwritable
from renderers.frames.frame_renderer import FrameRenderer
from renderers.pictures.display_options import DisplayOptions
from renderers.pictures.frame_layout import LANCZOS, Size, size_text
from renderers.pictures.montage import cell_size, lay_out
from renderers.pictures.picture_file import save_picture, scale_picture
from renderers.pictures.print_page import PrintPage, lay_out_page
from renderers.pictures.sheets import Sheet
from renderers.progress import OnProgress, ignore_progress
from renderers.upscaling.enlarger import Enlarger
from studio.runs.attribution import attribution_of
from studio.runs.selection import choose_batches
from studio.runs.tools.upscalers import open_upscaler
from studio.specimens.passports import (
    QUALITY,
    Passport,
    read_passport,
    save_specimen,
    write_specimen,
)
from studio.specimens.points import SAMPLED, draw_points, resolve_points
from studio.specimens.specimens import Specimen, picture_path, seen_at
from studio.workspace.devices import borrow_device
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

MAX_AT_ONCE = 100_000
CHUNK = 64  # Pictures that are drawn in one forward pass.
ENLARGED_PX = 1024  # The longest side of a picture that is smaller, where nobody chose a size.
OWN_SIZE = "own"
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # The same pictures make the same ZIP.


@dataclass(frozen=True)
class ExportOptions:
    """How specimens are exported.

    Args:
        suffix: `.jpg`, `.png` or `.webp`.
        size: width and height into which pictures fit, or OWN_SIZE; where it is None, smaller ones
            are enlarged to ENLARGED_PX, and the others keep their own.
        scaling: how they come to it; see `DisplayOptions`.
        upscaler: RUN@BATCH of a network that enlarges them as often as needed before; once where
            they keep their own size; none if empty.
        quality: of JPEG and WebP, 1..100; WebP of 100 is lossless.
        at_batch: the checkpoints that draw them, as `choose_batches` reads it; where it is empty,
            that of the label, and for fixed points, which were drawn before the first, the last.
        sheet: draw all pictures on one sheet with labels: FILE.png or FILE.jpg.
        paper: the sheet is to be printed on it: one of PAPERS, or empty; then FILE.pdf, too.
        landscape: the paper lies on its side.
        zip_path: put the pictures into this ZIP.
        out: a folder for the pictures; the exports of the run where there is neither sheet nor ZIP.
    """

    suffix: str = ".jpg"
    size: Size | str | None = None
    scaling: str = LANCZOS
    upscaler: str = ""
    quality: int = QUALITY
    at_batch: str = ""
    sheet: Path | None = None
    paper: str = ""
    landscape: bool = False
    zip_path: Path | None = None
    out: Path | None = None

    def display_of(self, frame: np.ndarray) -> DisplayOptions:
        """The size at which a frame is shown, uint8 [H, W, 3]."""
        size = self.size
        if size is None and max(frame.shape[:2]) < ENLARGED_PX:
            size = ENLARGED_PX, ENLARGED_PX
        if size is None or isinstance(size, str):
            return DisplayOptions()
        return DisplayOptions(size=size, scaling=self.scaling)

    def tell(self, display: DisplayOptions, upscaled_by: str = "") -> dict[str, str | int]:
        """What a passport tells of it; nothing where the pixels are those of the frame.

        Args:
            upscaled_by: RUN@BATCH of the network that enlarged it, if one did.
        """
        said: dict[str, str | int] = {}
        if display.size:
            said = {"size": size_text(display.size), "scaling": display.scaling}
        if upscaled_by:
            said["upscaled"] = upscaled_by
        if self.suffix != ".png" and self.quality != QUALITY:
            said["quality"] = self.quality
        return said


def sample_specimens(
    workspace: Workspace,
    run: str,
    batch: int,
    count: int,
    on_progress: OnProgress,
    out: Path | None = None,
    device: str | None = None,
) -> list[Specimen]:
    """Draw new latent points at a batch, keep them under the next free labels, and export them.

    Args:
        count: 1 to MAX_AT_ONCE.
        out: folder for the JPEGs; the workspace's exports of the run by default.
        device: see `borrow_device`.

    Raises:
        StudioError: the count is out of range, or a JPEG cannot be written.
        CheckpointError: unknown run or batch.
    """
    if not 1 <= count <= MAX_AT_ONCE:
        raise StudioError(f"Asked for {count} specimens; ask for 1 to {MAX_AT_ONCE:,}.")
    checkpoints = CheckpointIndex(workspace.runs)[run]
    checkpoints.spec.require_drawn(run)
    specimens: list[Specimen] = []
    attribution = attribution_of(workspace, run)
    renderer = FrameRenderer()
    with borrow_device(workspace, device, f"specimens of {run}") as chosen:
        G = checkpoints.generator(batch, chosen)
        while len(specimens) < count:
            wanted = min(CHUNK, count - len(specimens))
            points = draw_points(workspace, run, batch, wanted, checkpoints.spec.z_dim)
            frames = renderer.render(G, torch.stack([point.z for point in points]))
            for point, frame in zip(points, frames, strict=True):
                passport = _passport_of(checkpoints, point, batch, {})
                place = picture_path(workspace, run, point.label, out, batch)
                path = _save(frame, place, passport, attribution)
                specimens.append(_describe(point.label, batch, path))
            on_progress(len(specimens), count)
    return specimens


def export_specimens(
    workspace: Workspace,
    run: str,
    labels: Sequence[str],
    options: ExportOptions | None = None,
    device: str | None = None,
    on_progress: OnProgress = ignore_progress,
) -> list[Specimen]:
    """Write specimens as pictures with passports.

    Args:
        labels: what `resolve_points` takes.
        options: JPEGs in the workspace's exports of the run by default.
        device: see `borrow_device`.
        on_progress: called with the number of pictures done and of all where there are several.

    Returns:
        A specimen for each picture, point by point; its path is that of the picture, or of the ZIP
        or the sheet that it is in.

    Raises:
        StudioError: unknown specimen, a run or a batch without checkpoints, or a picture that
            cannot be written.
        CheckpointError: unknown run.
        RenderError: a sheet that is too large.
    """
    options = options or ExportOptions()
    checkpoints = CheckpointIndex(workspace.runs)[run]
    places = _choose(workspace, checkpoints, labels, options.at_batch)
    found: list[Specimen | None] = [None] * len(places)
    done = 0
    with ExitStack() as stack:
        chosen = stack.enter_context(borrow_device(workspace, device, f"specimens of {run}"))
        enlarge = _open_enlarging(workspace, options, chosen)
        writer = stack.enter_context(_writing(workspace, checkpoints, options, places, enlarge))
        renderer = FrameRenderer()
        for batch in sorted({batch for _, batch in places}):
            numbers = [number for number, place in enumerate(places) if place[1] == batch]
            G = checkpoints.generator(batch, chosen)
            for some in (numbers[i : i + CHUNK] for i in range(0, len(numbers), CHUNK)):
                z = torch.stack([places[number][0].z for number in some])
                for number, frame in zip(some, renderer.render(G, z), strict=True):
                    path = writer.write(number, frame)
                    found[number] = _describe(places[number][0].label, batch, path)
                    done += 1
                    if len(places) > 1:
                        on_progress(done, len(places))
    return [specimen for specimen in found if specimen is not None]


def _choose(
    workspace: Workspace, checkpoints: CheckpointRun, labels: Sequence[str], at_batch: str
) -> list[tuple[LatentPoint, int]]:
    """Each point with each batch that shows it, once."""
    run = checkpoints.name
    batches = choose_batches(checkpoints.batches, at_batch, run) if at_batch.strip() else []
    points = {point.label: point for point in resolve_points(workspace, run, labels)}
    return [
        (point, batch)
        for point in points.values()
        for batch in dict.fromkeys(batches or [seen_at(checkpoints, point.label)])
    ]


@dataclass(frozen=True)
class _Enlarging:
    """A network that enlarges pictures before they come to their size."""

    enlarger: Enlarger
    name: str

    def enlarge(self, frame: np.ndarray, display: DisplayOptions) -> tuple[np.ndarray, str]:
        """A frame as large as it is shown at least, uint8 [H, W, 3], and what enlarged it."""
        if display.size is None:
            return self.enlarger.enlarge(frame), self.name
        height, width, _ = frame.shape
        shown = display.lay_out(width, height, even=False).shown
        large = self.enlarger.enlarge_to(frame, *shown)
        return large, "" if large is frame else self.name


def _open_enlarging(workspace: Workspace, options: ExportOptions, device: str) -> _Enlarging | None:
    if not options.upscaler:
        return None
    upscaler = open_upscaler(workspace, options.upscaler)
    return _Enlarging(Enlarger(upscaler.network, [device]), str(upscaler))


@dataclass
class _Writer:
    """Puts pictures where they are wanted: into a folder, a ZIP, onto a sheet."""

    workspace: Workspace
    checkpoints: CheckpointRun
    options: ExportOptions
    places: Sequence[tuple[LatentPoint, int]]
    attribution: str
    archive: zipfile.ZipFile | None
    enlarging: _Enlarging | None = None
    sheet: Sheet | PrintPage | None = None

    def write(self, number: int, frame: np.ndarray) -> Path:
        """Write the picture of a place, uint8 [H, W, 3]; the path of what it is in."""
        (point, batch), options = self.places[number], self.options
        display = options.display_of(frame)
        large, by = self.enlarging.enlarge(frame, display) if self.enlarging else (frame, "")
        passport = _passport_of(self.checkpoints, point, batch, options.tell(display, by))
        shown = scale_picture(large, display)
        path = picture_path(
            self.workspace, self.checkpoints.name, point.label, options.out, batch, options.suffix
        )
        if options.sheet is not None:
            self.sheet = self.sheet or self._begin_sheet(frame)
            self.sheet.add(number, frame)
        if self.archive is not None:
            content = io.BytesIO()
            sealed = replace(passport, licence=self.attribution)
            write_specimen(shown, content, options.suffix, sealed, options.quality)
            self.archive.writestr(zipfile.ZipInfo(path.name, ZIP_TIME), content.getvalue())
        elsewhere = options.zip_path or options.sheet
        if options.out is None and elsewhere is not None:
            return elsewhere
        replaces = options.out is None and options.size is None and not options.upscaler
        return _save(shown, path, passport, self.attribution, options.quality, replaces)

    def _begin_sheet(self, frame: np.ndarray) -> Sheet | PrintPage:
        if self.options.paper:
            return self._begin_page(frame.shape[1] / frame.shape[0])
        height, width = cell_size(frame, None)
        labels: dict[str, Any] = _label(self.places)
        return Sheet(
            height_px=height,
            width_px=width,
            title=self.checkpoints.name,
            footer=self.attribution,
            **labels,
        )

    def _begin_page(self, aspect: float) -> PrintPage:
        run = self.checkpoints.name
        layout = lay_out_page(
            len(self.places),
            aspect,
            self.options.paper,
            landscape=self.options.landscape,
            has_credit=bool(self.attribution),
        )
        captions = [f"{point.label} at {batch:,}" for point, batch in self.places]
        return PrintPage(layout, captions, run, self.attribution)

    def save_sheet(self) -> None:
        """Write the sheet, if there is to be one."""
        path = self.options.sheet
        if path is None or self.sheet is None:
            return
        if isinstance(self.sheet, PrintPage):
            self.sheet.save(path)
        else:
            save_picture(self.sheet.picture, path, QUALITY)


def _label(places: Sequence[tuple[LatentPoint, int]]) -> dict[str, Any]:
    """Rows, columns and labels: points down and batches across, or each picture with its own."""
    points = list(dict.fromkeys(point.label for point, _ in places))
    batches = list(dict.fromkeys(batch for _, batch in places))
    if len(places) == len(points) * len(batches):
        return lay_out(points, batches, None)
    return lay_out([f"{point.label} at {batch:,}" for point, batch in places], [0], None)


@contextmanager
def _writing(
    workspace: Workspace,
    checkpoints: CheckpointRun,
    options: ExportOptions,
    places: Sequence[tuple[LatentPoint, int]],
    enlarging: _Enlarging | None = None,
) -> Iterator[_Writer]:
    """What writes pictures; the ZIP and the sheet are there once all of it is."""
    attribution = attribution_of(workspace, checkpoints.name)
    with ExitStack() as stack:
        archive = None
        if options.zip_path is not None:
            archive = stack.enter_context(_open_zip(options.zip_path))
        writer = _Writer(workspace, checkpoints, options, places, attribution, archive, enlarging)
        yield writer
        writer.save_sheet()


@contextmanager
def _open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """A ZIP that is at its path once all is in it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_whole(path) as file, zipfile.ZipFile(file, "w") as archive:
            yield archive
    except OSError as error:
        raise unwritable(path, error) from error


def _passport_of(
    checkpoints: CheckpointRun, point: LatentPoint, batch: int, said: Mapping[str, str | int]
) -> Passport:
    digest = checkpoints.digest([batch])
    return Passport(checkpoints.name, point.label, batch, point.z, digest, said)


def _save(
    picture: np.ndarray,
    path: Path,
    passport: Passport,
    attribution: str,
    quality: int = QUALITY,
    replaces: bool = False,
) -> Path:
    """Write a picture where no other one is; the same may be written again.

    Args:
        replaces: whether it may also take the place of the city in its own size, as it was drawn.
    """
    candidates = (path.with_stem(f"{path.stem}-{n}") if n > 1 else path for n in count_from(1))
    free = next(p for p in candidates if not p.exists() or _shows_same(p, passport, replaces))
    return save_specimen(picture, free, passport, attribution, quality)


def _shows_same(path: Path, passport: Passport, in_own_size: bool) -> bool:
    try:
        other = read_passport(path)
    except StudioError:
        return False
    return (
        other.weights_digest == passport.weights_digest
        and torch.equal(other.z, passport.z)
        and (other.options == passport.options or (in_own_size and not other.options))
    )


def _describe(label: str, batch: int, path: Path) -> Specimen:
    """An exported picture as lists show it."""
    own, number = parse_label(label) or (batch, -1)
    return Specimen(label, own, number, SAMPLED, False, path, at_batch=batch)
