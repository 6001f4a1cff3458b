"""Films of training and of walks in latent space, and sheets of pictures."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checkpoints_index.errors import name_some
from renderers.video.rates import MAX_RATE, MIN_RATE
from studio.actions.action import Action, Result, Table, spell_command
from studio.actions.declared.specimen_actions import say_differences
from studio.films.options.film_options import (
    Interpolation,
    KeyFramedPath,
    SheetOptions,
    Timelapse,
)
from studio.films.options.look_options import FrameRate
from studio.workspace.claims import Claim
from studio.workspace.jobs import FILMS, Needs, find_job
from studio.workspace.names import named_run
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.declarations import Declared
from studio.workspace.records.record import DeclaredRecord, InvalidValueError, option, run_name

if TYPE_CHECKING:
    from renderers.plan.outputs import Video

SECTION = "Films"
KEPT = "Its finished parts are kept and are not rendered again."
MAX_NAMED = 8
# Fields that say where a film is rendered, rather than which film it is.
OF_MACHINE = ("devices", "engine", "address", "encoder", "overwrite")
FOLDERS = re.compile(r"[^@,>]*[/\\]")  # Of a path, also behind the batch of a key or an arrow.


class VideoRow(DeclaredRecord):
    """A finished video; its label is a latent point's, or `grid`."""

    path: Path
    label: str
    frames: int


class RenderResult(Result):
    """The videos that were made, and how long it took."""

    videos: tuple[VideoRow, ...]
    seconds: float

    @classmethod
    def of(cls, videos: Sequence[Video], began: float) -> RenderResult:
        """The result of videos that were begun at a time of `time.monotonic`."""
        rows = (VideoRow(path=v.path, label=v.label, frames=v.frames) for v in videos)
        return cls(videos=tuple(rows), seconds=round(time.monotonic() - began, 3))

    def tell(self) -> Iterator[str | Table]:
        """A table of them."""
        yield Table(["video", "frames"], [(video.path, video.frames) for video in self.videos])


class FilmAction(Action):
    """An action that renders a film; films that are jobs take turns on their devices."""

    def claims(self) -> Sequence[Claim]:
        """The run, and the one that makes its pictures larger, keep their checkpoints meanwhile."""
        named = (self.about_run, named_run(str(getattr(self, "upscale", ""))))
        return [Claim("run", run) for run in dict.fromkeys(named) if run]

    def needs(self) -> Needs | None:
        """The devices that the film is rendered on; on a cluster, Ray says who waits."""
        from studio.workspace.devices import AUTO, name_devices

        asked = self.asked_devices()
        if asked is None:
            return None
        devices = tuple(dict.fromkeys(name_devices(asked)))
        return Needs(FILMS, devices, 1 if AUTO in asked else len(devices), AUTO in asked)

    def asked_devices(self) -> tuple[str, ...] | None:
        """The devices that somebody named, `auto`, or none for all; None on a cluster."""
        local = getattr(self, "engine", "local") == "local"
        return tuple(getattr(self, "devices", ())) if local else None

    def perform(self, workspace: Workspace, reporter: Reporter) -> RenderResult:
        """Render it on its devices: those that the job holds, else those that were asked for."""
        from studio.workspace.devices import AUTO, film_devices, name_devices

        asked = self.asked_devices()
        if asked is None:
            return self.render(workspace, reporter)
        with ExitStack() as stack:
            if reporter.devices:
                devices = list(reporter.devices) if AUTO in asked else name_devices(asked)
            elif _begins_at_once(workspace, reporter):
                devices = name_devices(asked)
            else:
                work = f"a film of {self.about_run or 'pictures'}"
                held = film_devices(workspace, asked, work, reporter.announce)
                devices = stack.enter_context(held)
            film = self.model_copy(update={"devices": tuple(devices)})
            return film.render(workspace, reporter)

    def spelled(self) -> str:
        """The command that makes the film, without folders of this machine and its devices."""
        given = {
            field.name: _without_folders(field, value)
            for field in self.fields()
            if (value := self.given().get(field.name)) is not None and field.name not in OF_MACHINE
        }
        return shlex.join(["studio", *spell_command(type(self), given)])

    def render(self, workspace: Workspace, reporter: Reporter) -> RenderResult:
        """Render it on the devices that it names.

        Raises:
            StudioError: or an error of the libraries, as `perform`.
        """
        raise AssertionError(f"{type(self).__name__} does not say how it is rendered")


def _without_folders(field: Declared, value: Any) -> Any:
    """A field as JSON; of paths, also within a text, only the last name stays."""
    if field.kind != "path" and field.risk != "path":
        return value
    if isinstance(value, list):
        return [_without_folders(field, each) for each in value]
    return FOLDERS.sub("", str(value))


def _begins_at_once(workspace: Workspace, reporter: Reporter) -> bool:
    """Whether this is a job that somebody let begin without its devices."""
    return reporter.job_id is not None and bool(find_job(workspace, reporter.job_id).at_once)


class RenderTimelapse(FilmAction, Timelapse):
    """Film a run: one frame a checkpoint.

    The latent points stay, and all of them are rendered in one pass.
    """

    command = "render timelapse"
    section = SECTION
    kept = KEPT

    def check(self, workspace: Workspace) -> None:
        """Refuse what `studio.films.timelapse.check_timelapse` refuses."""
        from studio.films.timelapse import check_timelapse

        check_timelapse(workspace, self)

    def render(self, workspace: Workspace, reporter: Reporter) -> RenderResult:
        """Render it."""
        from studio.films.timelapse import film_timelapse

        began = time.monotonic()
        with reporter.task("Rendering frames") as on_progress:
            say_differences(workspace, self.run, self.points, reporter)
            videos = film_timelapse(workspace, self, on_progress, reporter.say)
        return RenderResult.of(videos, began)


class RenderInterpolation(FilmAction, Interpolation):
    """Walk from city to city.

    The latent point moves at one checkpoint, or along training.
    """

    command = "render interpolation"
    section = SECTION
    kept = KEPT

    def check(self, workspace: Workspace) -> None:
        """Refuse what `studio.films.interpolation.check_interpolation` refuses."""
        from studio.films.interpolation import check_interpolation

        check_interpolation(workspace, self)

    def render(self, workspace: Workspace, reporter: Reporter) -> RenderResult:
        """Render it."""
        from studio.films.interpolation import film_interpolation

        began = time.monotonic()
        with reporter.task("Rendering frames") as on_progress:
            say_differences(workspace, self.run, self.points, reporter)
            video = film_interpolation(workspace, self, on_progress, reporter.say)
        return RenderResult.of([video], began)


class RenderPath(FilmAction, KeyFramedPath):
    """Move along training and latent space together.

    Batch and latent point are given by keys, and move together from key to key.
    """

    command = "render path"
    section = SECTION
    kept = KEPT

    def check(self, workspace: Workspace) -> None:
        """Refuse what `studio.films.interpolation.check_path` refuses."""
        from studio.films.interpolation import check_path

        check_path(workspace, self)

    def render(self, workspace: Workspace, reporter: Reporter) -> RenderResult:
        """Render it."""
        from studio.films.interpolation import film_path

        began = time.monotonic()
        with reporter.task("Rendering frames") as on_progress:
            video = film_path(workspace, self, on_progress, reporter.say)
        return RenderResult.of([video], began)


class SheetResult(Result):
    """A drawn sheet."""

    path: Path
    rows: int
    columns: int

    def tell(self) -> Iterator[str | Table]:
        """Where it lies, and how large it is."""
        yield f"{self.path}: {self.columns:,} x {self.rows:,} pictures"


class RenderSheet(Action, SheetOptions):
    """Lay points over batches in one picture.

    Without further choice, it shows 8 batches evenly, or 36 of a single point.
    """

    command = "render sheet"
    section = SECTION

    def check(self, workspace: Workspace) -> None:
        """Refuse what `studio.films.sheet.check_sheet` refuses."""
        from studio.films.sheet import check_sheet

        check_sheet(workspace, self)

    def perform(self, workspace: Workspace, reporter: Reporter) -> SheetResult:
        """Draw it."""
        from studio.films.sheet import draw_sheet

        with reporter.task("Rendering pictures") as on_progress:
            say_differences(workspace, self.run, self.points, reporter)
            drawn = draw_sheet(workspace, self, on_progress, reporter.say)
        return SheetResult(path=drawn.path, rows=drawn.rows, columns=drawn.columns)


class RenderVerdict(Result):
    """Whether a video is what its plan says."""

    ok: bool
    path: Path
    label: str
    frames: int
    expected: int
    reason: str | None

    @property
    def exit_status(self) -> int:
        """1 where it is not whole."""
        return int(not self.ok)

    def tell(self) -> Iterator[str | Table]:
        """A sentence."""
        if self.ok:
            yield f"{self.path} is whole: {self.frames:,} frames, as planned."
        else:
            yield f"{self.path} is not whole: {self.reason}. Give the command that made it again."


class RenderVerify(Action):
    """Count the frames of a film by decoding.

    They are compared with the plan that the film was made by.
    """

    command = "render verify"
    section = SECTION
    is_job = False

    file: Path = option(help="A finished video.", argument=True, metavar="FILE")

    def perform(self, workspace: Workspace, reporter: Reporter) -> RenderVerdict:
        """Decode it."""
        from renderers.jobs.verification import find_render, verify_video

        verdict = verify_video(find_render(workspace.renders, self.file), self.file)
        return RenderVerdict(
            ok=verdict.reason is None,
            path=self.file,
            label=verdict.label,
            frames=verdict.frames,
            expected=verdict.expected,
            reason=verdict.reason,
        )


class Film(Action):
    """Join the film that a run makes of itself.

    The fixed points are filmed while the run trains; this joins what there is so far.
    """

    command = "film"
    section = SECTION
    is_job = False

    run: str = run_name()
    point: str | None = option(None, "Label of one fixed point, such as 0.3; all by default.")
    grid: bool = option(False, "Only the grid of all points.")
    fps: FrameRate | None = option(
        None,
        "Frames per second, such as 24, 23.976 or 24000/1001; 60 by default. Nothing is encoded "
        "anew.",
        ge=MIN_RATE,
        le=MAX_RATE,
    )
    out: Path | None = option(None, "FILE.mp4; a place in the workspace by default.")
    overwrite: bool = option(False, "Replace what has the name in --out already.")

    def claims(self) -> Sequence[Claim]:
        """The run keeps its name, and its film, meanwhile."""
        return [Claim("run", self.run)]

    def check(self, workspace: Workspace) -> None:
        """Refuse a point and the grid at once."""
        if self.point is not None and self.grid:
            raise InvalidValueError("{point} and {grid} each name one film: leave one of them out.")

    def perform(self, workspace: Workspace, reporter: Reporter) -> RenderResult:
        """Join the chunks."""
        from renderers.plan.outputs import GRID
        from studio.films.live import join_live_film, live_gaps

        began = time.monotonic()
        labels = [GRID] if self.grid else None if self.point is None else [self.point]
        videos = join_live_film(workspace, self.run, self.out, labels, self.overwrite, self.fps)
        made = RenderResult.of(videos, began)
        if gaps := live_gaps(workspace, self.run):
            named = name_some([f"{batch:,}" for batch in gaps], MAX_NAMED)
            reporter.say(
                f"The film lacks batches that have a checkpoint: {named}. Film them from the "
                f"checkpoints: studio render timelapse {self.run}"
            )
        return made


ACTIONS = (
    *(RenderTimelapse, RenderInterpolation, RenderPath, RenderSheet, RenderVerify),
    Film,
)
