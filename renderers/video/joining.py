"""Join the parts of a film into one file: videos without encoding them anew."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from renderers.destinations import require_folder, require_place
from renderers.errors import RenderError
from renderers.files import replacing, replacing_folder
from renderers.video.ffmpeg import fast_start, ffmpeg_command, pictures_pattern, run_ffmpeg
from renderers.video.formats import NUMBER, format_of
from renderers.video.rates import Rate
from renderers.video.video_reader import count_frames, count_packets

PICTURE_QUALITY = 92
PASSTHROUGH = ("-fps_mode", "passthrough")


def join_parts(
    parts: Sequence[Path],
    path: Path | str,
    frames: int,
    fps: Rate,
    quality: int = PICTURE_QUALITY,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Make a film of its parts, which have the same size, rate and encoder.

    Videos are joined without encoding them anew; other formats are converted from lossless parts,
    see `renderers.video.formats`. ffmpeg writes GIF and WebP too, because Pillow, behind imageio,
    merges equal neighbouring frames, and the number of frames has to be exact.

    Args:
        parts: in the order of the film.
        path: a file, or numbered pictures such as `city/%06d.png`, whose folder is replaced.
        frames: how many there must be in all; they are counted before path appears.
        fps: frames per second.
        quality: of JPEG and WebP, 1..100.
        tags: what the file says of itself, by name; pictures and animations say nothing.

    Raises:
        RenderError: a part cannot be read, frames are missing, or path cannot be written.
    """
    path = Path(path)
    require_film_place(path)
    if format_of(path).numbered:
        with replacing_folder(path.parent.resolve()) as folder:
            _convert(parts, folder / path.name, fps, quality, path)
            _require_frames(count_frames(folder / path.name), frames, path)
        return
    with replacing(path) as temporary:
        if format_of(path).video:
            _copy(parts, temporary, fps, path, tags or {})
            _require_frames(count_packets(temporary), frames, path)
        else:
            _convert(parts, temporary, fps, quality, path)
            _require_frames(count_frames(temporary), frames, path)


def require_film_place(path: Path) -> None:
    """See that a film may be written as path, without making anything.

    Raises:
        RenderError: the suffix is unknown, the file cannot be written, or the folder of numbered
            pictures, which would be replaced, holds something else.
    """
    if not format_of(path).numbered:
        require_place(path)
        return
    require_folder(path.parent)
    require_folder(path.parent.parent)
    if not path.parent.is_dir():
        return
    named = re.compile(re.escape(NUMBER.sub("\0", path.name)).replace("\0", r"\d+"))
    for other in path.parent.iterdir():
        if not named.fullmatch(other.name):
            raise RenderError(
                f"{path.parent} holds something else, such as {other.name}: choose a new folder "
                "for the pictures."
            )


def _copy(
    parts: Sequence[Path], temporary: Path, fps: Rate, path: Path, tags: Mapping[str, str]
) -> None:
    """Join videos; frames get fresh, even times, since a container's rounded ones would drift."""
    here, there = (f"round({frame}/({fps}*TB))" for frame in ("N", "(N+1)"))
    steady = f"setts=ts={here}:duration={there}-{here}"
    said = [*_metadata(path, tags), f"file:{temporary}"]
    _concat(parts, ["-c", "copy", "-bsf:v", steady, *said], path)


def _metadata(path: Path, tags: Mapping[str, str]) -> list[str]:
    """Arguments of ffmpeg that write tags; an MP4 keeps names of our own only if it is told to."""
    named = [word for name, text in tags.items() for word in ("-metadata", f"{name}={text}")]
    flags = fast_start(path)
    if flags and named:
        flags = [flags[0], f"{flags[1]}+use_metadata_tags"]
    return [*named, *flags]


def _convert(parts: Sequence[Path], temporary: Path, fps: Rate, quality: int, path: Path) -> None:
    """Make a GIF, a WebP or numbered pictures of lossless parts."""
    steady = f"settb={1 / Fraction(fps)},setpts=N"
    match format_of(path).codec:
        case "gif":
            _paint(parts, temporary, steady, path)
            return
        case "webp":
            filters = ["-vf", steady, "-pix_fmt", "bgra"]
            still = ["-c:v", "libwebp", "-quality", str(quality)]
            target = [*still, "-loop", "0", f"file:{temporary}"]
        case "jpeg":
            coarseness = round(1 + (100 - quality) * 30 / 99)  # ffmpeg's scale: 1 best, 31 worst
            filters = ["-vf", steady, "-pix_fmt", "yuvj444p"]
            target = ["-qmin", "1", "-q:v", str(coarseness), *_numbered(temporary)]
        case _:
            filters = ["-vf", steady, "-pix_fmt", "rgb24"]
            target = _numbered(temporary)
    _concat(parts, [*filters, *PASSTHROUGH, *target], path)


def _paint(parts: Sequence[Path], temporary: Path, steady: str, path: Path) -> None:
    """Make a GIF in the 256 colours that suit all of its frames, in two passes to spare memory."""
    palette = temporary.with_suffix(".png")  # The palette lies where `remove_leftovers` finds it.
    choose = ["-vf", "palettegen=reserve_transparent=0", "-frames:v", "1", "-update", "1"]
    graph = f"[0:v]{steady}[frames];[frames][1:v]paletteuse"
    paint = ["-i", f"file:{palette}", "-lavfi", graph, *PASSTHROUGH, "-loop", "0"]
    try:
        _concat(parts, [*choose, f"file:{palette}"], path)
        _concat(parts, [*paint, f"file:{temporary}"], path)
    finally:
        palette.unlink(missing_ok=True)


def _numbered(pattern: Path) -> list[str]:
    return ["-start_number", "0", "-f", "image2", pictures_pattern(pattern)]


def _concat(parts: Sequence[Path], arguments: list[str], path: Path) -> None:
    """Run ffmpeg on all parts, one after the other, as one input."""
    allowed = ["-safe", "0", "-protocol_whitelist", "file,pipe"]
    command = ffmpeg_command("-f", "concat", *allowed, "-i", "pipe:0", *arguments)
    run_ffmpeg(command, f"Joining {path}", "".join(map(_listed, parts)).encode())


def _listed(part: Path) -> str:
    """A line of the concat demuxer's list, quoted by its rules."""
    escaped = str(part.resolve()).replace("'", "'\\''")
    return f"file 'file:{escaped}'\n"


def _require_frames(counted: int, frames: int, path: Path) -> None:
    if counted != frames:
        raise RenderError(f"{path} would have {counted} frames instead of {frames}.")
