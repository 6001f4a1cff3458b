"""What the forms of the tab Render stand for: a command, and what is wrong with it already."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

from torch import Tensor

from checkpoints_index.storage.catalogue import open_catalogue
from latent import routes
from latent.key_frames import follow_key_frames, parse_key_frames
from studio.command_line.render import read_words
from studio.films.interpolation import CIRCLE, DEFAULT_SECONDS, NOISE
from studio.films.planning import count_frames
from studio.runs.selection import choose_batches, choose_frames, last_batch
from studio.runs.status import run_status
from studio.specimens.points import points_or_fixed, resolve_points
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

FPS = 60
MOST_CIRCLED = 2


class Form(Protocol):
    """The values of a form's fields."""

    def words(self, run: str) -> list[str]:
        """The command that does what the form says; what goes without saying stays unsaid."""
        ...

    def check(self, workspace: Workspace, run: str, kept: Sequence[int]) -> None:
        """Refuse at once what the command would refuse.

        Args:
            kept: ascending, the batches that have a checkpoint.

        Raises:
            StudioError: a value cannot be read, is out of range, or does not fit the run.
        """
        ...


@dataclass(frozen=True)
class FilmForm:
    """What every film has; its size is as a person writes it, its format a suffix.

    Args:
        devices: such as `cuda:1`; all GPUs where none is chosen.
        options: further ones, as on the command line: `--crf 12 --codec av1`.
    """

    show: Sequence[str] = ()
    fps: int | None = FPS
    seconds: float | None = None
    format: str = "mp4"
    size: str = ""
    crop: str = ""
    devices: Sequence[str] = ()
    options: str = ""

    @property
    def rate(self) -> int:
        """Frames per second."""
        return FPS if self.fps is None else self.fps

    @property
    def length(self) -> float:
        """Seconds of a film that needs some."""
        return DEFAULT_SECONDS if self.seconds is None else self.seconds

    def film_words(self) -> list[str]:
        """How long the film is, and how it looks."""
        return [
            *_option("--seconds", f"{self.length:g}" if self.length != DEFAULT_SECONDS else ""),
            *self.look_words(),
        ]

    def look_words(self) -> list[str]:
        """How the film looks."""
        return [
            *_option("--fps", self.rate if self.rate != FPS else None),
            *_option("--show", ",".join(self.show)),
            *_option("--format", self.format if self.format != "mp4" else ""),
            *_option("--size", self.size.strip()),
            *_option("--crop", self.crop.strip()),
            *_option("--devices", ",".join(self.devices)),
            *_written_words(self.options),
        ]

    def require_fit(self, words: Sequence[str], frames: int) -> None:
        """Raise StudioError if the command cannot make a film of so many frames."""
        options = read_words(words[1:]).options
        options.format.require_fit(frames, options.fps)


@dataclass(frozen=True)
class TimelapseForm(FilmForm):
    """Checkpoints from the first to the last (included), at points that stay."""

    points: Sequence[str] = ()
    first: int | None = None
    last: int | None = None
    every: int | None = None
    films: str = "grid"
    pace: str = "batch"
    missing: str = "skip"
    skip_damaged: bool = False
    follow: bool = False

    @property
    def batches(self) -> str:
        return batches_text(self.first, self.last, self.every)

    def words(self, run: str) -> list[str]:
        held = self.missing == "hold"
        return [
            *("render", "timelapse", run),
            *_option("--points", ",".join(self.points)),
            *_option("--batches", self.batches or ":" * held),
            *{"grid": ["--grid"], "each": [], "both": ["--both"]}[self.films],
            *_option("--pace", self.pace if self.pace != "batch" else ""),
            *_option("--duration", "" if self.seconds is None else f"{self.seconds:g}"),
            *self.look_words(),
            *(["--hold-missing"] if held else ["--skip-missing"] if self.batches else []),
            *_flag("--skip-damaged", self.skip_damaged),
            *_flag("--follow", self.follow),
        ]

    def check(self, workspace: Workspace, run: str, kept: Sequence[int]) -> None:
        _require_points(workspace, run, self.points)
        missing: Any = self.missing
        frames = len(choose_frames(kept, self.batches, run, missing).batches)
        if self.follow:
            self._require_growth(workspace, run)
        if self.seconds is not None:
            frames = count_frames(self.seconds, self.rate)
        is_known = self.seconds is not None or self.pace == "batch"
        self.require_fit(self.words(run), frames if is_known else 1)

    def _require_growth(self, workspace: Workspace, run: str) -> None:
        if run_status(workspace, open_catalogue(workspace.runs, run)) != "training":
            raise StudioError(
                f"Run '{run}' does not train, so no film of it can grow. Untick 'Film the run "
                "while it trains'."
            )
        if self.seconds is not None or self.pace != "batch":
            raise StudioError(
                "A film that grows with its run shows every checkpoint as it lands: leave Seconds "
                "empty and choose the pace of every checkpoint."
            )


@dataclass(frozen=True)
class WalkForm(FilmForm):
    """A point that moves, at one checkpoint or along training."""

    points: Sequence[str] = ()
    where: str = "batch"
    batch: int | None = None
    first: int | None = None
    last: int | None = None
    kind: str = "slerp"
    loop: bool = False
    easing: str = "linear"
    seed: int | None = None

    @property
    def along(self) -> str:
        """The batches to go along; empty for one checkpoint."""
        return batches_text(self.first, self.last) or ":" if self.where == "training" else ""

    def words(self, run: str) -> list[str]:
        by_chance = self.kind in (CIRCLE, NOISE)
        return [
            *("render", "interpolation", run),
            *_option("--points", ",".join(self.points) if self.kind != NOISE else ""),
            *_option("--batches", self.along),
            *_option("--batch", None if self.along else self.batch),
            *_option("--kind", self.kind if self.kind != "slerp" else ""),
            *_flag("--loop", self.loop and self.kind != CIRCLE),
            *_option("--easing", "" if by_chance or self.easing == "linear" else self.easing),
            *_option("--seed", self.seed if by_chance else None),
            *self.film_words(),
        ]

    def check(self, workspace: Workspace, run: str, kept: Sequence[int]) -> None:
        frames = count_frames(self.length, self.rate)
        points = [point.z for point in resolve_points(workspace, run, self.points)]
        self._require_route(points, frames)
        if self.along:
            choose_batches(kept, self.along, run, skip_missing=True)
        elif self.batch is not None:
            choose_batches(kept, str(self.batch), run)
        self.require_fit(self.words(run), frames)

    def _require_route(self, points: Sequence[Tensor], frames: int) -> None:
        if self.kind == CIRCLE:
            if not 1 <= len(points) <= MOST_CIRCLED:
                raise StudioError(
                    f"A circle goes around one city, or through two; {len(points)} are chosen."
                )
        elif self.kind != NOISE:
            if len(points) < 2:
                raise StudioError("A walk visits two cities or more. Choose them above.")
            routes.route(points, frames, self.kind, loop=self.loop, easing=self.easing)


@dataclass(frozen=True)
class PathForm(FilmForm):
    """Keys between which batch and point move together."""

    keys: str = ""
    kind: str = "slerp"
    easing: str = "linear"

    def words(self, run: str) -> list[str]:
        return [
            *("render", "path", run, self.keys.strip() or "KEYS"),
            *_option("--kind", self.kind if self.kind != "slerp" else ""),
            *_option("--easing", self.easing if self.easing != "linear" else ""),
            *self.film_words(),
        ]

    def check(self, workspace: Workspace, run: str, kept: Sequence[int]) -> None:
        if not self.keys.strip():
            raise StudioError("Where does the path go? Write two keys or more, BATCH@POINT each.")
        keys = parse_key_frames(self.keys)
        points = [p.z for p in resolve_points(workspace, run, [key.point for key in keys])]
        frames = count_frames(self.length, self.rate)
        batches = [key.batch for key in keys]
        follow_key_frames(batches, points, frames, self.kind, easing=self.easing)
        self.require_fit(self.words(run), frames)


@dataclass(frozen=True)
class SheetForm:
    """Points down and batches across, in one picture."""

    points: Sequence[str] = ()
    where: str = "training"
    batch: int | None = None
    first: int | None = None
    last: int | None = None
    count: int | None = None
    scale: int | None = None

    def words(self, run: str) -> list[str]:
        words = ["render", "sheet", run, *_option("--points", ",".join(self.points))]
        if self.where == "batch":
            words += ["--batch", "N" if self.batch is None else str(self.batch)]
        else:
            batches = batches_text(self.first, self.last)
            words += _option("--batches", batches) + _option("--count", self.count)
            words += _flag("--skip-missing", bool(batches))
        return words + _option("--scale", self.scale)

    def check(self, workspace: Workspace, run: str, kept: Sequence[int]) -> None:
        _require_points(workspace, run, self.points)
        if self.where == "training":
            choose_batches(kept, batches_text(self.first, self.last), run, skip_missing=True)
        elif self.batch is None:
            raise StudioError(f"At which batch? Write one, such as {last_batch(kept, run)}.")
        else:
            choose_batches(kept, str(self.batch), run)
        for name, value in (("How many", self.count), ("Enlarged", self.scale)):
            if value == 0:
                raise StudioError(f"'{name}' is 0: use 1 or more, or leave it empty.")


def field_names(form: type) -> list[str]:
    """The names of a form's values, in the order in which it takes them."""
    return [field.name for field in fields(form)]


def batches_text(first: int | None, last: int | None, every: int | None = None) -> str:
    """FROM:TO:STEP, with the last batch included; empty for all.

    Example:
        >>> batches_text(2, 9), batches_text(None, 9, 3), batches_text(None, None)
        ('2:10', ':10:3', '')
    """
    step = "" if every in (None, 1) else f":{every}"
    if first is None and last is None and not step:
        return ""
    return f"{_text(first)}:{'' if last is None else last + 1}{step}"


def example_keys(kept: Sequence[int], labels: Sequence[str]) -> str:
    """A path through a run: from the middle of its training to the end, from city to city.

    Example:
        >>> example_keys([1, 500, 1000], ["1000.28", "1000.3"])
        '500@1000.28 -> 1000@1000.3'
    """
    if not kept:
        return ""
    start, end = [*labels, "seed:1", "seed:2"][:2]
    return f"{kept[len(kept) // 2]}@{start} -> {kept[-1]}@{end}"


def _require_points(workspace: Workspace, run: str, points: Sequence[str]) -> None:
    if not points_or_fixed(workspace, run, points):
        raise StudioError(f"Run '{run}' has no points of its own. Choose some, or write seed:1.")


def _option(name: str, value: object) -> list[str]:
    """Its words; none where there is nothing to say."""
    return [] if value in (None, "") else [name, str(value)]


def _flag(name: str, given: bool) -> list[str]:
    return [name] if given else []


def _written_words(text: str) -> list[str]:
    """Options as one writes them in a shell."""
    try:
        return shlex.split(text)
    except ValueError:  # a quotation that is not closed yet
        return text.split()


def _text(number: int | None) -> str:
    return "" if number is None else str(number)
