"""Parts of a render: short closed videos, one for each view, that are either whole or absent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

from renderers.compositions.panel import FilmWords
from renderers.errors import EncoderError, UnfinishedRenderError
from renderers.files import checksum_file, read_json, remove_leftovers, write_json
from renderers.frames.source import CheckpointSource
from renderers.jobs.device_renderer import DeviceRenderer, TrackPictures
from renderers.jobs.encoder_choice import EncoderChoice
from renderers.jobs.stages import feeding
from renderers.pictures.overlay import Overlay
from renderers.plan.cutting import Part
from renderers.plan.outputs import VideoView, list_views
from renderers.plan.render_plan import RenderPlan
from renderers.video.encoders import HARDWARE, VideoEncoder
from renderers.video.frame_encoding import NumberedFrame, encode_composed, encode_frames
from renderers.video.video_reader import read_parameters

NAME_LENGTH = 24  # The name of a part is so much of its digest.


@dataclass(frozen=True)
class PartFolder:
    """Knows the names of all parts of a plan. A part is whole when its marker says so.

    The marker holds what its videos were when they were closed: sizes, which are looked at often,
    and checksums, which are looked at when the parts become a film.

    Names carry the part's digest, so a file cannot be taken for another's, and stays good when
    the plan grows, or when another part of it changes.
    """

    folder: Path
    plan: RenderPlan

    def paths(self, part: Part) -> list[Path]:
        """The videos of a part: one for each view of the plan."""
        suffix = self.plan.options.format.part_suffix
        return [
            self.folder / f"{self._name(part)}-{view:03d}{suffix}"
            for view in range(len(list_views(self.plan)))
        ]

    @property
    def encoder(self) -> EncoderChoice:
        """Which encoder all parts are made with."""
        return EncoderChoice(self.folder, self.plan.options)

    def is_whole(self, part: Part) -> bool:
        """Whether all videos of a part are there, as long as they were when they were closed.

        Where the film's encoder was given up, those that it made are not whole any more.
        """
        marked = read_json(self._marker(part))
        return (
            marked is not None
            and marked["sizes"] == _sizes(self.paths(part))
            and self.encoder.takes(marked.get("encoder"))
        )

    def mark_whole(self, part: Part, encoder: str) -> None:
        """Write the marker of a part whose videos are closed.

        Args:
            encoder: the name of the one that made them.

        Raises:
            RenderError: it cannot be written.
        """
        paths = self.paths(part)
        sums = [checksum_file(path) for path in paths]
        marked = {"sizes": _sizes(paths), "sha256": sums, "encoder": encoder}
        write_json(marked, self._marker(part))

    def missing(self) -> list[Part]:
        """The parts that are not whole."""
        return [part for part in self.plan.parts if not self.is_whole(part)]

    def give_up_mixed(self) -> None:
        """Give the film's encoder up where its parts, made on several cards, cannot be joined."""
        if not self.encoder.is_hardware:
            return
        kinds = {
            tuple(map(read_parameters, self.paths(part)))
            for part in self.plan.parts
            if self.is_whole(part)
        }
        if len(kinds) > 1:
            self.encoder.give_up("its parts, made on cards of several kinds, cannot be joined")

    def require_unchanged(self) -> None:
        """See that all parts are what they were when they were closed.

        Raises:
            UnfinishedRenderError: some are not; they are unmarked, so that they are rendered
                again.
        """
        changed = [part for part in self.plan.parts if not self._is_unchanged(part)]
        for part in changed:
            self._marker(part).unlink(missing_ok=True)
        if changed:
            raise UnfinishedRenderError(
                f"{len(changed)} of {len(self.plan.parts)} parts in {self.folder} have changed on "
                "disk since they were rendered. They will be rendered anew."
            )

    def find_changed(self) -> list[Part]:
        """The parts that were closed, and are not what they were then."""
        closed = [part for part in self.plan.parts if self._marker(part).exists()]
        return [part for part in closed if not self._is_unchanged(part)]

    def _is_unchanged(self, part: Part) -> bool:
        marked, paths = read_json(self._marker(part)), self.paths(part)
        if marked is None or _sizes(paths) is None:
            return False
        return bool(marked["sha256"] == [checksum_file(path) for path in paths])

    def discard_others(self) -> None:
        """Delete parts that are not this plan's, and what killed processes left."""
        if not self.folder.is_dir():
            return
        remove_leftovers(self.folder)
        own = {self._name(part) for part in self.plan.parts}
        for path in self.folder.iterdir():
            if path.name[:NAME_LENGTH] not in own and path != self.encoder.given_up_file:
                path.unlink(missing_ok=True)

    def _name(self, part: Part) -> str:
        return part.digest[:NAME_LENGTH]

    def _marker(self, part: Part) -> Path:
        return self.folder / f"{self._name(part)}.json"


def _sizes(paths: list[Path]) -> list[int] | None:
    """Sizes in bytes; None if a file is not there."""
    try:
        return [path.stat().st_size for path in paths]
    except FileNotFoundError:
        return None


@dataclass(frozen=True)
class PartRenderer:
    """Renders any part of a plan on any device. It can be pickled, before its first part.

    Attributes:
        device_renderers: the modules that stay on each device from part to part.
        proven_on: the devices whose own encoder has proven that it works.
    """

    source: CheckpointSource
    parts: PartFolder
    device_renderers: dict[str, DeviceRenderer] = field(default_factory=dict, init=False)
    proven_on: set[str] = field(default_factory=set, init=False)

    def render(self, part: Part, device: str, on_frame: Callable[[int], None]) -> None:
        """Render all tracks in one pass over a part's checkpoints, encoding meanwhile.

        Where an encoder of the device fails, the film goes on with the one that works everywhere.

        Args:
            on_frame: called with the number of frames of the part that are done so far.

        Raises:
            RenderError: a checkpoint is missing, or an encoder or the disk fails.
        """
        encoder = self._encoder_on(device)
        try:
            self._render_with(encoder, part, device, on_frame)
        except EncoderError as error:
            if encoder.name not in HARDWARE:
                raise
            self.parts.encoder.give_up(str(error), device)
            self._render_with(self._encoder_on(device), part, device, on_frame)

    def _render_with(
        self, encoder: VideoEncoder, part: Part, device: str, on_frame: Callable[[int], None]
    ) -> None:
        frames = closing(self._renderer_on(device).render(part))
        with frames as rendering, feeding(self._encoders(part, encoder)) as put:
            for rendered in rendering:
                put(rendered)
                on_frame(rendered.frame - part.first + 1)
        self.parts.mark_whole(part, encoder.name)

    def _encoder_on(self, device: str) -> VideoEncoder:
        """The film's encoder, tried on a device before the first part there."""
        videos = len(list_views(self.parts.plan))
        encoder = self.parts.encoder.current(videos, device)
        if encoder.name in HARDWARE and device not in self.proven_on:
            try:
                encoder.prove(videos)
            except EncoderError as error:
                self.parts.encoder.give_up(str(error), device)
                return self.parts.encoder.current(videos, device)
            self.proven_on.add(device)
        return encoder

    def for_other_process(self) -> Self:
        """The same renderer, without the modules of this process."""
        return replace(self)

    def _renderer_on(self, device: str) -> DeviceRenderer:
        if device not in self.device_renderers:
            renderer = DeviceRenderer(self.source, self.parts.plan, device)
            self.device_renderers[device] = renderer
        return self.device_renderers[device]

    def _encoders(self, part: Part, encoder: VideoEncoder) -> list[Callable[[Iterator[Any]], None]]:
        """Consumers of `TrackPictures`, one for each view."""
        plan = self.parts.plan
        views = list_views(plan)
        return [
            partial(_encode_view, view, path=path, plan=plan, encoder=encoder)
            for view, path in zip(views, self.parts.paths(part), strict=True)
        ]


def _encode_view(
    view: VideoView,
    rendered: Iterator[TrackPictures],
    path: Path,
    plan: RenderPlan,
    encoder: VideoEncoder,
) -> None:
    frames = (
        NumberedFrame(frame, plan.shown_batch(frame), view.compose(pictures, frame))
        for frame, pictures in rendered
    )
    options = plan.options
    if options.composition is not None:
        look = options.composition if view.point is None else options.composition.of_one_point()
        words, labels = make_words(plan), composed_labels(view, plan)
        encode_composed(frames, path, options.fps, look, words, labels, encoder)
        return
    encode_frames(frames, path, options.fps, options.display, make_overlay(view, plan), encoder)


def make_overlay(view: VideoView, plan: RenderPlan) -> Overlay | None:
    """What is written on a view's frames, by the options and the caption of its plan.

    Returns:
        None if nothing is written.
    """
    wanted, caption = plan.options.overlay, plan.caption
    if not wanted:
        return None
    return Overlay(
        run=caption.run or None,
        label=view.label if "label" in wanted and view.point is not None else None,
        numbers="batch" in wanted,
        largest=caption.largest,
        curve=caption.curve,
        notices=plan.notices,
        notice_frames=plan.options.second_frames,
    )


def make_words(plan: RenderPlan) -> FilmWords:
    """What is written on the frames of a composed film, by its plan."""
    caption, fps = plan.caption, float(plan.options.fps)
    frames = len(plan.batches)
    return FilmWords(
        caption.run, caption.attribution, caption.largest, frames, fps, caption.counted
    )


def composed_labels(view: VideoView, plan: RenderPlan) -> list[str]:
    """The labels of what a composed view shows; empty for a map, and for a point that moves."""
    if view.scatter is not None or (len(plan.labels) == 1 and not plan.is_static):
        return [""]
    return list(plan.labels) if view.point is None else [plan.labels[view.point]]
