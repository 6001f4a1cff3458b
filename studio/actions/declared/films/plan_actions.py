"""What a film will be: its frames, time and size, and a few of its pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from studio.actions.action import Action, Result, Table
from studio.films.options.film_options import Interpolation, KeyFramedPath, Timelapse
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.quantities import format_bytes, format_duration
from studio.workspace.records.record import DeclaredRecord, option

if TYPE_CHECKING:
    from studio.films.planning import Outline
    from studio.films.previews.strip import FrameShown

SECTION = "Films"
MAX_PICTURES = 12
BY_MCP = 6  # So many pictures are drawn for a program that looks at them.


class ShownFrame(DeclaredRecord):
    """A frame of the preview: its position in the film, from 0, and its batch."""

    frame: int
    batch: int

    @classmethod
    def of(cls, shown: FrameShown) -> ShownFrame:
        """The row of a frame."""
        return cls(frame=shown.frame, batch=shown.batch)


class FilmPlan(Result):
    """What a film will be.

    Attributes:
        frames: of each video.
        is_exact: whether `frames` is certain; otherwise what can be seen decides, once measured.
        seconds, fps: how long it plays, and at which rate.
        videos: how many files; width, height: of the largest, in pixels.
        render_s, size_bytes: estimates of the time to render and of the size on disk.
        by_films: of how many earlier films of the run these are known; 0 for a rough guess.
        picture: the preview, some frames side by side; shown: which they are.
    """

    run: str
    frames: int
    is_exact: bool
    seconds: float
    fps: str
    videos: int
    width: int
    height: int
    first_batch: int
    last_batch: int
    render_s: float
    size_bytes: int
    by_films: int
    picture: Path | None = None
    shown: tuple[ShownFrame, ...] = ()

    def tell(self) -> Iterator[str | Table]:
        """Three lines, and where the preview lies."""
        yield f"{self.film()}."
        yield f"{self.videos:,} of {self.width} x {self.height} px: {self.batches()}."
        yield f"{self.cost()}."
        if self.picture is not None:
            frames = ", ".join(f"{row.frame:,}" for row in self.shown)
            yield f"Frames {frames}: {self.picture}"

    def film(self) -> str:
        """How many frames, and how long it plays."""
        about = "" if self.is_exact else "About "
        length = f"{self.seconds:.3g} s" if self.seconds < 60 else format_duration(self.seconds)
        return f"{about}{self.frames:,} frames, {length} at {self.fps} a second"

    def batches(self) -> str:
        """Its first and its last batch."""
        if self.first_batch == self.last_batch:
            return f"batch {self.first_batch:,}"
        return f"batches {self.first_batch:,} to {self.last_batch:,}"

    def cost(self) -> str:
        """The time to render and the size, and by what they are known."""
        films = "1 earlier film" if self.by_films == 1 else f"{self.by_films} earlier films"
        known = f"by {films}" if self.by_films else "a rough guess"
        time = format_duration(self.render_s)
        return f"About {time} to render, {format_bytes(self.size_bytes)} on disk ({known})"


class PlanAction(Action):
    """An action that tells what a film will be, and renders none."""

    section: ClassVar[str] = SECTION
    is_job: ClassVar[bool] = False

    pictures: int = option(
        0,
        "Draw so many of its frames side by side, as the film will show them.",
        ge=0,
        le=MAX_PICTURES,
    )

    def outline(self, workspace: Workspace) -> Outline[Any]:
        """Its frames.

        Raises:
            StudioError: or an error of the libraries, as the film would.
        """
        raise AssertionError(f"{type(self).__name__} does not say which frames it has")

    def pictured(self, workspace: Workspace) -> Action:
        """The same with pictures, for a program that looks at them."""
        return self if self.pictures else self.model_copy(update={"pictures": BY_MCP})

    def perform(self, workspace: Workspace, reporter: Reporter) -> FilmPlan:
        """Count, estimate, and draw what was asked for."""
        from renderers.video.rates import write_rate
        from studio.films.previews.costs import estimate_cost
        from studio.films.previews.strip import draw_strip

        outline = self.outline(workspace)
        cost, frames = estimate_cost(outline), len(outline.batches)
        rate = outline.opened.options.fps
        strip = draw_strip(outline, self.pictures) if self.pictures else None
        return FilmPlan(
            run=outline.opened.run,
            frames=frames,
            is_exact=outline.is_exact,
            seconds=round(float(frames / rate), 3),
            fps=str(write_rate(rate)),
            videos=cost.videos,
            width=cost.size[0],
            height=cost.size[1],
            first_batch=min(outline.batches),
            last_batch=max(outline.batches),
            render_s=round(cost.render_s, 1),
            size_bytes=round(cost.size_bytes),
            by_films=cost.by_films,
            picture=None if strip is None else strip.path,
            shown=() if strip is None else tuple(map(ShownFrame.of, strip.shown)),
        )


class PlanTimelapse(PlanAction, Timelapse):
    """Say what a time-lapse will be, and its size.

    It takes what render timelapse takes, and renders nothing but the pictures of --pictures.
    """

    command = "plan timelapse"

    def outline(self, workspace: Workspace) -> Outline[Any]:
        """Its frames; see `studio.films.timelapse.outline_timelapse`."""
        from studio.films.timelapse import outline_timelapse

        return outline_timelapse(workspace, self)


class PlanInterpolation(PlanAction, Interpolation):
    """Say what a walk from city to city will be.

    It takes what render interpolation takes, and renders nothing but the pictures of --pictures.
    """

    command = "plan interpolation"

    def outline(self, workspace: Workspace) -> Outline[Any]:
        """Its frames; see `studio.films.interpolation.outline_interpolation`."""
        from studio.films.interpolation import outline_interpolation

        return outline_interpolation(workspace, self)


class PlanPath(PlanAction, KeyFramedPath):
    """Say what a film from key to key will be.

    It takes what render path takes, and renders nothing but the pictures of --pictures.
    """

    command = "plan path"

    def outline(self, workspace: Workspace) -> Outline[Any]:
        """Its frames; see `studio.films.interpolation.outline_path`."""
        from studio.films.interpolation import outline_path

        return outline_path(workspace, self)


ACTIONS = (PlanTimelapse, PlanInterpolation, PlanPath)
