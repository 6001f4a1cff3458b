"""Films of folders of numbered or dated pictures, through the parts and encoders of other films."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from checkpoints_index import CheckpointIndex
from latent.points import LatentPoint
from renderers.files import file_name, read_json, write_json
from renderers.frames.devices import require_devices
from renderers.frames.source import CheckpointSource
from renderers.jobs.claims import refuse_foreign
from renderers.jobs.rendering import render_film
from renderers.jobs.workers import render_parts
from renderers.pictures.frame_layout import size_text
from renderers.plan.options import RenderOptions, share_threads
from renderers.plan.outputs import Video, default_file
from renderers.plan.render_plan import Caption, RenderPlan, make_plan
from renderers.progress import OnProgress, ignore_progress
from renderers.upscaling.enlarged_source import Enlargement
from renderers.video.formats import USUAL_RATE
from renderers.video.joining import require_film_place
from studio.datasets.folder import readable_name
from studio.films.folders.picture_frames import DamagedPicturesError, PictureFolder
from studio.films.folders.picture_looks import PictureLook, look_at_pictures
from studio.films.folders.picture_order import (
    OrderedPictures,
    choose_numbers,
    find_pictures,
    order_pictures,
)
from studio.films.folders.picture_pace import choose_frames_shown, describe_gaps
from studio.films.given.enlarged_runs import (
    choose_enlargement,
    enlarge_options,
    enlarge_source,
    mark_weights,
)
from studio.films.options.folder_options import FolderFilm
from studio.films.places import film_folder
from studio.films.planning import count_frames
from studio.runs.attribution import attribution_of
from studio.runs.tools.upscalers import RunUpscaler, find_upscaler, open_upscaler
from studio.workspace.devices import name_devices
from studio.workspace.errors import StudioError
from studio.workspace.names import printable, shorten
from studio.workspace.paths import Workspace
from studio.workspace.progress import Say, ignore_line

DAMAGED = "damaged.json"  # Pictures that could not be decoded, by name, with mark and reason.
MAX_NAMED = 3


@dataclass(frozen=True)
class OpenFolder:
    """A folder whose film is planned.

    Attributes:
        pictures: all that the film shows, in their order.
        looks: what each says of itself, by the name of its file.
        left_out: those that cannot be read, with the reason.
        size_px: width and height of a frame before it is scaled.
        options: how frames look.
        file: the finished film.
        parts: the folder in which its parts are kept until it is whole.
        remarks: what to tell a person before it is rendered.
    """

    film: FolderFilm
    workspace: Workspace
    pictures: OrderedPictures
    looks: dict[str, PictureLook]
    left_out: dict[str, str]
    size_px: tuple[int, int]
    options: RenderOptions
    file: Path
    parts: Path
    remarks: tuple[str, ...]

    @property
    def shown(self) -> list[int]:
        """The position of the picture that each frame shows.

        Raises:
            StudioError: the film would be too long.
        """
        film, pictures = self.film, self.pictures
        frames = None if film.duration is None else count_frames(film.duration, film.rate())
        return choose_frames_shown(pictures.places, len(pictures.names), film.pace, frames)

    def without(self, left_out: dict[str, str]) -> OpenFolder:
        """The same film without some pictures.

        Raises:
            StudioError: none is left.
        """
        kept = self.pictures.keep(name not in left_out for name in self.pictures.names)
        if not kept.names:
            raise StudioError(_say_left_out(left_out, "None of the pictures can be read"))
        return replace(self, pictures=kept, left_out={**self.left_out, **left_out})

    def enlargement(self, upscaler: RunUpscaler) -> Enlargement:
        """How pictures are made larger.

        Raises:
            RenderError: the crop does not lie in the pictures.
        """
        return choose_enlargement(self.options, upscaler, self.size_px, 1)


def check_folder_film(workspace: Workspace, film: FolderFilm) -> None:
    """Refuse a film that cannot be made, before anything is rendered.

    Raises:
        StudioError: or an error of the libraries: no pictures, of several kinds or sizes, some
            that cannot be read, an unknown run or device, or a film that its format cannot hold.
    """
    opened = open_folder(workspace, film)
    require_film_place(opened.file)
    refuse_foreign(opened.parts, [opened.file], film.overwrite)
    opened.options.format.require_fit(len(opened.shown), opened.options.fps)
    require_devices(_devices(film))
    if film.upscale:
        find_upscaler(workspace, film.upscale)


def film_pictures(
    workspace: Workspace, film: FolderFilm, on_progress: OnProgress, say: Say = ignore_line
) -> tuple[Video, dict[str, str]]:
    """Film a folder; killed at any moment, the same call goes on where it was.

    Pictures that turn out to be damaged while they are decoded are left out where that is allowed:
    the film is planned anew without them, and keeps what is finished before the first of them.

    Returns:
        The film, and the pictures that were left out, with the reason.

    Raises:
        StudioError: or an error of the libraries, as `check_folder_film`.
        DamagedPicturesError: a picture cannot be decoded.
    """
    opened = open_folder(workspace, film, on_progress)
    for remark in opened.remarks:
        say(remark)
    upscaler = open_upscaler(workspace, film.upscale) if film.upscale else None
    engine = partial(render_parts, devices=require_devices(_devices(film)))
    opened = opened.without(_known_damaged(opened))
    while True:
        source, plan = _source(opened, upscaler), _plan(opened, upscaler)
        try:
            (video,) = render_film(
                *(source, plan, opened.parts, opened.file, engine, on_progress),
                overwrite=film.overwrite,
            )
        except DamagedPicturesError as error:
            if not film.skip_damaged:
                raise
            opened = opened.without(error.found)
            _keep_damaged(opened, error.found)
            continue
        return video, opened.left_out


def open_folder(
    workspace: Workspace, film: FolderFilm, on_progress: OnProgress = ignore_progress
) -> OpenFolder:
    """Look at the pictures of a folder, and choose those of the film and their order.

    Raises:
        StudioError: or an error of the libraries, as `check_folder_film`.
    """
    film.require_plain()
    if film.run is not None:
        _ = CheckpointIndex(workspace.runs)[film.run]
    options = film.render_options()
    file, parts = _places(workspace, film, options)
    inside = file.name if file.parent.resolve() == film.folder.resolve() else ""
    if inside and options.format.numbered:
        raise StudioError(
            f"{file.parent} is the folder of the pictures themselves, which the film would "
            "replace. Name another one in --out."
        )
    found = find_pictures(film.folder, film.names, inside)
    ordered = order_pictures(film.folder, found, film.order, film.number)
    gaps = describe_gaps(ordered.numbers) if ordered.is_numbered else None
    chosen = choose_numbers(ordered, film.batches, film.every)
    looks, left_out = _look(film, chosen.names, on_progress)
    chosen = chosen.keep(name in looks for name in chosen.names)
    size_px, odd = _choose_size(film, chosen.names, looks)
    remarks = [*ordered.remarks, *odd, *_describe_transparent(looks)]
    if gaps is not None:
        held = "is held over a gap" if film.pace == "number" else "is one frame all the same"
        hint = "" if film.pace == "number" else " To hold the one before: --pace number."
        remarks.append(f"{gaps} Each picture {held}.{hint}")
    opened = OpenFolder(
        *(film, workspace, chosen, looks, left_out, size_px, options, file, parts, tuple(remarks))
    )
    return replace(opened, remarks=(*remarks, *_describe_look(opened)))


def _places(workspace: Workspace, film: FolderFilm, options: RenderOptions) -> tuple[Path, Path]:
    """The file of the film, and the folder of its parts; what is asked for again has the same."""
    asked = f"{film.folder.resolve()} {film.identity()}"
    mark = os.fsencode(asked if film.out is None else str(film.out.absolute()))
    digest = hashlib.sha256(mark).hexdigest()[:6]
    own = f"{film.run}-folder" if film.run else "pictures"
    parts = film_folder(workspace, f"{own}-{digest}", film.out)
    if film.out is not None:
        return film.out.absolute(), parts
    name = own if film.run else file_name(readable_name(film.folder.resolve().name) or own)
    return default_file(parts, name, options.format), parts


def _look(
    film: FolderFilm, names: Sequence[str], on_progress: OnProgress
) -> tuple[dict[str, PictureLook], dict[str, str]]:
    looks: dict[str, PictureLook] = {}
    left_out: dict[str, str] = {}

    def looking(done: int, total: int, note: str = "") -> None:
        on_progress(0, total, f"looked at {done:,} of {total:,} pictures")

    for name, seen in look_at_pictures(film.folder, names, looking):
        if isinstance(seen, PictureLook):
            looks[name] = seen
        else:
            left_out[name] = seen
    if left_out and (not film.skip_damaged or not looks):
        many = f"{len(left_out):,} of {len(names):,} pictures cannot be read"
        hint = " Leave them out: --skip-damaged" if looks else ""
        raise StudioError(_say_left_out(left_out, many) + hint)
    return looks, left_out


def _say_left_out(left_out: dict[str, str], what: str) -> str:
    named = [f"{shorten(readable_name(name))} ({why})" for name, why in left_out.items()]
    more = ["..."] * (len(named) > MAX_NAMED)
    return f"{what}: {', '.join([*named[:MAX_NAMED], *more])}."


def _choose_size(
    film: FolderFilm, names: Sequence[str], looks: dict[str, PictureLook]
) -> tuple[tuple[int, int], list[str]]:
    """The size that most pictures have, and what to tell of the others."""
    sizes = Counter(looks[name].size_px for name in names)
    ((size_px, most), *_) = sizes.most_common(1)
    if len(sizes) == 1:
        return size_px, []
    others = len(names) - most
    other = next(name for name in names if looks[name].size_px != size_px)
    told = (
        f"{most:,} pictures have {size_text(size_px)} px, and {others:,} another size, such as "
        f"{shorten(readable_name(other))} with {size_text(looks[other].size_px)}"
    )
    if film.fit == "refuse":
        raise StudioError(
            f"{told}. A film has one size: add bars by --fit pad, cut by --fit crop, distort by "
            "--fit stretch, or choose pictures of one size by --names."
        )
    how = {"pad": "get bars", "crop": "are cut", "stretch": "are distorted"}[film.fit]
    return size_px, [f"{told}. The others {how}."]


def _describe_transparent(looks: dict[str, PictureLook]) -> list[str]:
    count = sum(look.is_transparent for look in looks.values())
    if not count:
        return []
    return [f"{count:,} pictures have transparency. They are laid on white."]


def _describe_look(opened: OpenFolder) -> list[str]:
    """What to tell of the size and the rate of the film.

    Raises:
        RenderError: the crop does not lie in the pictures, or the film would be too large.
    """
    film, options = opened.film, opened.options
    width, height = options.display.cropped(*opened.size_px)
    said = []
    if options.composition is None:
        remark = options.display.lay_out(width, height, options.encoder_for(1).even).remark
        said += [remark] if remark else []
        if film.fps is None and options.fps != USUAL_RATE:
            said.append(
                f"A {options.format.suffix} file cannot play {USUAL_RATE} frames per second: it "
                f"has {options.fps}. Choose another rate with --fps."
            )
    return said


def _source(opened: OpenFolder, upscaler: RunUpscaler | None) -> CheckpointSource:
    pictures = opened.pictures
    names = dict(zip(pictures.ids, pictures.names, strict=True))
    folder = PictureFolder(
        opened.film.folder.absolute(),
        names,
        {id_: opened.looks[name].mark for id_, name in names.items()},
        opened.size_px,
        opened.film.fit,
        in_levels=upscaler is None,
        seeks_damaged=opened.film.skip_damaged,
    )
    if upscaler is None:
        return folder
    return enlarge_source(folder, upscaler, opened.enlargement(upscaler))


def _plan(opened: OpenFolder, upscaler: RunUpscaler | None) -> RenderPlan:
    """The plan of a film whose checkpoints are pictures."""
    film, pictures, options = opened.film, opened.pictures, opened.options
    weights = [_mark(opened, name) for name in pictures.names]
    if upscaler is not None:
        enlargement = opened.enlargement(upscaler)
        weights = [mark_weights(each, upscaler, enlargement) for each in weights]
        options = enlarge_options(options)
    shown = opened.shown
    batches = [pictures.ids[position] for position in shown]
    numbers = [pictures.numbers[position] for position in shown]
    owed = film.attribution or (attribution_of(opened.workspace, film.run) if film.run else "")
    is_titled = "run" in options.overlay or options.composition is not None
    caption = Caption(
        numbers=tuple(numbers) if numbers != batches else (),
        run=_title(film) if is_titled else "",
        largest=max(pictures.numbers),
        attribution=owed if options.composition else "",
        tags=_tags(film, pictures, owed),
        counted=pictures.counted,
    )
    return make_plan(
        [LatentPoint(_label(film), torch.zeros(1))],
        batches,
        replace(options, threads=share_threads(os.cpu_count() or 1, 1)),
        weights=[weights[position] for position in shown],
        caption=caption,
    )


def _mark(opened: OpenFolder, name: str) -> str:
    """What stands for a picture: its file, and how it comes to the size of the film."""
    look = opened.looks[name]
    fitted = "" if look.size_px == opened.size_px else f"{opened.size_px} {opened.film.fit}"
    said = os.fsencode(name) + f" {look.mark} {look.size_px} {fitted}".encode()
    return hashlib.sha256(said).hexdigest()[:32]


def _label(film: FolderFilm) -> str:
    return printable(readable_name(film.folder.resolve().name), one_line=True) or "pictures"


def _title(film: FolderFilm) -> str:
    """The title on the film; without one, the name of the folder stands there once."""
    is_labelled = film.is_composed or "label" in film.show
    return film.title or film.run or ("" if is_labelled else _label(film))


def _tags(film: FolderFilm, pictures: OrderedPictures, owed: str) -> tuple[tuple[str, str], ...]:
    """What the file says of itself; see `studio.films.film_tags` for films of runs."""
    first, last = pictures.numbers[0], pictures.numbers[-1]
    span = f"{pictures.counted} {first:,} to {last:,}"
    tags = {
        "title": f"{film.title or film.run or _label(film)}, {span}",
        "run": film.run or "",
        "pictures": f"{len(pictures.names):,}",
        "copyright": owed,
        "licence": owed,
        "command": film.spelled(),
    }
    return tuple((name, text) for name, text in tags.items() if text)


def _devices(film: FolderFilm) -> list[str]:
    """Pictures are read by the CPU; only a network that makes them larger needs other devices."""
    return name_devices(film.devices) if film.upscale else ["cpu"]


def _known_damaged(opened: OpenFolder) -> dict[str, str]:
    """Pictures that an earlier call found to be damaged, and that have not changed since."""
    if not opened.film.skip_damaged:
        return {}
    said = read_json(opened.parts / DAMAGED) or {}
    known: dict[str, list[str]] = said.get("pictures", {})
    marks = {name: opened.looks[name].mark for name in opened.pictures.names}
    return {name: why for name, (mark, why) in known.items() if marks.get(name) == mark}


def _keep_damaged(opened: OpenFolder, found: dict[str, str]) -> None:
    said = read_json(opened.parts / DAMAGED) or {}
    marked = {name: [opened.looks[name].mark, why] for name, why in found.items()}
    write_json({"pictures": {**said.get("pictures", {}), **marked}}, opened.parts / DAMAGED)
