"""Making pictures and films larger by a run that was trained for it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from studio.actions.action import Table
from studio.actions.declared.film_actions import KEPT, SECTION, FilmAction, RenderResult
from studio.films.options.look_options import FILE, WHERE
from studio.workspace.errors import StudioError
from studio.workspace.names import named_run
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.declarations import Commas
from studio.workspace.records.record import DeclaredRecord, InvalidValueError, option

SHOWN = 20  # So many pictures are listed.


class LeftOutRow(DeclaredRecord):
    """A picture that could not be read, and why."""

    path: Path
    reason: str


class UpscaleResult(RenderResult):
    """What was made larger.

    Attributes:
        run, batch: what made it larger.
        scale: how many times as wide and high it is.
        pictures: those that were written.
        kept: those that were there already, made of the same by the same.
        left_out: those that could not be read.
        remarks_on_files: what is not as it was.
    """

    run: str
    batch: int
    scale: int
    pictures: tuple[Path, ...] = ()
    kept: tuple[Path, ...] = ()
    left_out: tuple[LeftOutRow, ...] = ()
    remarks_on_files: tuple[str, ...] = ()

    @property
    def exit_status(self) -> int:
        """1 where a picture could not be read."""
        return int(bool(self.left_out))

    def tell(self) -> Iterator[str | Table]:
        """The files, and what was left out."""
        by = f"{self.scale} times as large by {self.run}@{self.batch}"
        if self.videos:
            yield from (f"{v.path}: {v.frames:,} frames, {by}" for v in self.videos)
            return
        yield from (f"{path}: {by}" for path in self.pictures[:SHOWN])
        if len(self.pictures) > SHOWN:
            yield f"... and {len(self.pictures) - SHOWN:,} more"
        if self.kept:
            yield f"{len(self.kept):,} pictures were there already."
        yield from (f"Left out: {row.reason}" for row in self.left_out)

    def remarks(self) -> Iterator[str]:
        """What is not as it was."""
        yield from self.remarks_on_files


class Upscale(FilmAction):
    """Make pictures or films larger by a network.

    A picture, all pictures of a folder, or a film; the run is one of super-resolution. Large ones
    are computed in tiles, and are what one pass would make.
    """

    command = "upscale"
    section = SECTION
    kept = KEPT

    source: Path = option(
        help="A picture (JPEG, PNG, WebP), a folder of pictures, or a film.",
        argument=True,
        metavar="FILE",
    )
    run: str = option(
        help="The run that makes it larger, at a batch; the newest by default.",
        flag="--with",
        metavar="RUN@BATCH",
    )
    out: Path | None = option(
        None,
        "The larger file, or the folder of larger pictures; a place in the workspace by default.",
        section=FILE,
    )
    format: Literal["jpg", "png", "webp"] | None = option(
        None, "Of pictures, where no --out says it; that of each by default.", section=FILE
    )
    quality: int = option(
        95, "Of JPEG and WebP; a WebP of 100 is lossless.", ge=1, le=100, section=FILE
    )
    encoder: str | None = option(
        None, "Encoder of ffmpeg for films; auto takes a GPU's if one works.", section=FILE
    )
    crf: int | None = option(
        None, "Quality of films; 0 is best, 18 looks like the original.", section=FILE
    )
    overwrite: bool = option(False, "Replace what has the name in --out already.", section=FILE)
    devices: Commas = option(
        (),
        "Such as cuda:0,cuda:1; all GPUs that are there by default. auto takes those that nobody "
        "works on, and waits for one where there is none.",
        section=WHERE,
    )

    @property
    def about_run(self) -> str | None:
        """The run that makes it larger."""
        return named_run(self.run) or None

    def check(self, workspace: Workspace) -> None:
        """Refuse what cannot be read, and results that are too large or cannot be written."""
        from checkpoints_index import CheckpointIndex
        from renderers.frames.devices import require_devices
        from studio.runs.tools.upscalers import find_upscaler
        from studio.workspace.devices import name_devices

        run, batch, spec = find_upscaler(workspace, self.run)
        require_devices(name_devices(self.devices))
        digest = CheckpointIndex(workspace.runs)[run].digest([batch])
        self._plan(workspace, int(spec.options.get("scale", 4)), digest)

    def _plan(self, workspace: Workspace, scale: int, digest: str) -> object:
        """What is to be done: of a film, of a folder, or of one picture."""
        from renderers.video.film_reader import is_film
        from studio.films.given.larger_films import plan_larger_film
        from studio.upscaling.stills import plan_folder, plan_picture

        if not self.source.exists():
            raise StudioError(f"There is no '{self.source}'. Name a picture, a folder or a film.")
        out = self._place(workspace, scale)
        if self.source.is_dir():
            suffix = f".{self.format}" if self.format else ""
            return plan_folder(self.source, out, suffix, scale, digest, self.overwrite)
        if self.format is not None and self.out is not None:
            raise InvalidValueError("The name in {out} says the format: leave out {format}.")
        if not is_film(self.source):
            return plan_picture(self.source, out, scale, self._replaces)
        if self.format is not None:
            raise InvalidValueError("{format} is of pictures: name a film in {out}.")
        return plan_larger_film(
            *(self.source, out, self._folder(workspace), scale, self.devices),
            encoder=self.encoder,
            crf=self.crf,
            overwrite=self.overwrite,
        )

    @property
    def _replaces(self) -> bool:
        """Whether a picture may be replaced: in the workspace, the one that was made before."""
        return self.overwrite or self.out is None

    def _place(self, workspace: Workspace, scale: int) -> Path:
        """Where the result goes; what is asked for again has the same place."""
        if self.out is not None:
            return self.out
        if self.source.is_dir():
            return self._folder(workspace) / f"{self.source.name}-x{scale}"
        suffix = f".{self.format}" if self.format else self.source.suffix
        return self._folder(workspace) / f"{self.source.stem}-x{scale}{suffix}"

    def _folder(self, workspace: Workspace) -> Path:
        """Where the parts of a film are kept, and what has no other place."""
        from studio.films.places import film_folder

        asked = f"{self.source.absolute()} {self.run}" if self.out is None else self.out.absolute()
        mark = hashlib.sha256(str(asked).encode()).hexdigest()[:6]
        return film_folder(workspace, f"{self.about_run}-larger-{mark}", self.out)

    def perform(self, workspace: Workspace, reporter: Reporter) -> UpscaleResult:
        """Make it larger, on its devices."""
        made = super().perform(workspace, reporter)
        assert isinstance(made, UpscaleResult)
        return made

    def render(self, workspace: Workspace, reporter: Reporter) -> UpscaleResult:
        """Make it larger."""
        from studio.films.given.larger_films import LargerFilm, render_larger_film
        from studio.runs.tools.upscalers import open_upscaler
        from studio.upscaling.stills import PlannedPicture, upscale_folder, upscale_picture

        began = time.monotonic()
        upscaler = open_upscaler(workspace, self.run)
        planned = self._plan(workspace, upscaler.scale, upscaler.digest)
        by: dict[str, Any] = {"run": upscaler.run, "batch": upscaler.batch, "scale": upscaler.scale}
        with reporter.task("Enlarging") as on_progress:
            if isinstance(planned, LargerFilm):
                video = render_larger_film(
                    planned, upscaler, self.devices, on_progress, self.overwrite
                )
                said = ["Its sound is not taken over."] * planned.facts.has_sound
                videos = RenderResult.of([video], began).videos
                seconds = time.monotonic() - began
                return UpscaleResult(
                    videos=videos, seconds=round(seconds, 3), remarks_on_files=tuple(said), **by
                )
            if isinstance(planned, PlannedPicture):
                done = upscale_picture(planned, upscaler, self.devices, self.quality, on_progress)
            else:
                assert isinstance(planned, tuple)
                pictures, left_out = planned
                place = self._place(workspace, upscaler.scale)
                done = upscale_folder(
                    pictures, place, upscaler, self.devices, self.quality, on_progress
                )
                done.left_out |= left_out
        rows = (LeftOutRow(path=path, reason=why) for path, why in done.left_out.items())
        return UpscaleResult(
            videos=(),
            seconds=round(time.monotonic() - began, 3),
            pictures=tuple(done.written),
            kept=tuple(done.kept),
            left_out=tuple(rows),
            remarks_on_files=tuple(done.remarks),
            **by,
        )


ACTIONS = (Upscale,)
