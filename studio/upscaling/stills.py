"""Make pictures larger: one, or all of a folder, each of them whole or absent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from checkpoints_index.importing.layers import natural_parts
from renderers.destinations import require_folder, require_free, require_place
from renderers.errors import OutputTakenError
from renderers.files import locked, read_json, write_json
from renderers.progress import OnProgress, Rate
from renderers.upscaling.enlarger import Enlarger
from renderers.upscaling.picture_rows import FORMATS, require_picture_size, write_rows
from studio.runs.tools.upscalers import RunUpscaler
from studio.upscaling.whole_pictures import measure_picture, read_whole
from studio.workspace.errors import StudioError

RECORD = ".upscaled.json"  # In a folder of pictures that were made larger: which, and of what.
QUALITY = 95


@dataclass(frozen=True)
class PlannedPicture:
    """A picture that is to be made larger.

    Attributes:
        width_px, height_px: of the picture as it is.
    """

    source: Path
    out: Path
    width_px: int
    height_px: int


@dataclass
class UpscaledPictures:
    """What was done with pictures.

    Attributes:
        written: pictures that were made.
        kept: those that were there, of the same source and the same upscaler.
        left_out: those that could not be read, with the reason.
        remarks: sentences on what is not as it was.
    """

    written: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    left_out: dict[Path, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def plan_picture(source: Path, out: Path, scale: int, overwrite: bool) -> PlannedPicture:
    """See that a picture can be made larger, before anything is computed.

    Raises:
        StudioError: the source cannot be read.
        RenderError: the result would be too large, or cannot be written.
    """
    width, height = measure_picture(source)
    require_picture_size(out, width * scale, height * scale)
    require_place(out)
    require_free(out, overwrite)
    return PlannedPicture(source, out, width, height)


def plan_folder(
    folder: Path, out: Path, suffix: str, scale: int, upscaler: str, overwrite: bool
) -> tuple[list[PlannedPicture], dict[Path, str]]:
    """See which pictures of a folder can be made larger, ordered by the numbers in their names.

    Args:
        out: the folder of the results, another one.
        suffix: of the results; that of each picture if empty.
        upscaler: digest of its weights.

    Returns:
        The pictures, and those that cannot be read, with the reason.

    Raises:
        StudioError: there are none, or two would have one name.
        RenderError: a result would be too large, or something else is there under its name.
    """
    if out.resolve() == folder.resolve():
        raise StudioError(f"{out} is the folder of the pictures themselves. Name another one.")
    require_folder(out)
    sources = sorted(
        filter(_is_picture, folder.iterdir()), key=lambda path: natural_parts(path.name)
    )
    if not sources:
        known = ", ".join(FORMATS)
        raise StudioError(f"{folder} holds no picture of {known}. Name another folder.")
    planned, left_out = [], {}
    own = set((read_json(out / RECORD) or {}).get("claimed", ()))
    taken: dict[str, Path] = {}
    for source in sources:
        made = out / (source.name if not suffix else f"{source.stem}{suffix}")
        if made.name in taken:
            raise StudioError(
                f"{taken[made.name].name} and {source.name} would both become {made.name}. "
                "Leave each its own format."
            )
        taken[made.name] = source
        try:
            width, height = measure_picture(source)
        except StudioError as error:
            left_out[source] = str(error)
            continue
        require_picture_size(made, width * scale, height * scale)
        require_free(made, overwrite or made.name in own)
        planned.append(PlannedPicture(source, made, width, height))
    _require_same_upscaler(out, upscaler, overwrite)
    return planned, left_out


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in FORMATS and not path.name.startswith(".") and path.is_file()


def _require_same_upscaler(out: Path, upscaler: str, overwrite: bool) -> None:
    record = read_json(out / RECORD)
    if record is not None and record["upscaler"] != upscaler and not overwrite:
        raise OutputTakenError(
            f"{out} holds pictures that {record['name']} made, and would be replaced."
        )


def upscale_picture(
    planned: PlannedPicture,
    upscaler: RunUpscaler,
    devices: Sequence[str],
    quality: int,
    on_progress: OnProgress,
) -> UpscaledPictures:
    """Make one picture larger.

    Raises:
        StudioError: it cannot be read.
        RenderError: the result cannot be written, or a device has no room.
    """
    done = UpscaledPictures()
    _write(planned, Enlarger(upscaler.network, devices), upscaler, quality, done, on_progress)
    return done


def upscale_folder(
    planned: Sequence[PlannedPicture],
    out: Path,
    upscaler: RunUpscaler,
    devices: Sequence[str],
    quality: int,
    on_progress: OnProgress,
) -> UpscaledPictures:
    """Make pictures larger; killed at any moment, the same call goes on where it was.

    Args:
        planned: see `plan_folder`.

    Raises:
        RenderError: a result cannot be written, or a device has no room.
    """
    with locked(out):
        record = read_json(out / RECORD) or {}
        made: dict[str, Any] = record.get("made", {})
        made = made if record.get("upscaler") == upscaler.digest else {}
        claimed = sorted({*record.get("claimed", ()), *(each.out.name for each in planned)})
        head = {"upscaler": upscaler.digest, "name": str(upscaler), "claimed": claimed}
        write_json({**head, "made": made}, out / RECORD)
        done, enlarger = UpscaledPictures(), Enlarger(upscaler.network, devices)
        rate = Rate("pictures")
        try:
            for number, each in enumerate(planned):
                on_progress(number, len(planned), str(rate))
                if made.get(each.out.name) == [*_mark(each.source), *_mark(each.out)]:
                    done.kept.append(each.out)
                    continue
                _write(each, enlarger, upscaler, quality, done)
                if each.out in done.written:
                    made[each.out.name] = [*_mark(each.source), *_mark(each.out)]
                rate.count(len(done.written))
            on_progress(len(planned), len(planned), str(rate))
        finally:
            write_json({**head, "made": made}, out / RECORD)
    return done


def _mark(path: Path) -> tuple[int, int]:
    """What changes where a file does: its size and its time; zeros where there is none."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _write(
    planned: PlannedPicture,
    enlarger: Enlarger,
    upscaler: RunUpscaler,
    quality: int,
    done: UpscaledPictures,
    on_progress: OnProgress | None = None,
) -> None:
    """Make one picture larger, and take note of it; one that cannot be read is left out."""
    try:
        read = read_whole(planned.source, planned.out.suffix, str(upscaler))
    except StudioError as error:
        if on_progress is not None:
            raise
        done.left_out[planned.source] = str(error)
        return
    height, width, _ = read.pixels.shape
    scale = upscaler.scale
    bands = enlarger.bands(read.pixels, *([on_progress] if on_progress else []))
    write_rows(bands, planned.out, width * scale, height * scale, quality, read.notes)
    done.written.append(planned.out)
    done.remarks += [f"{planned.out.name}: {remark}." for remark in read.remarks]
