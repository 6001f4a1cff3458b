"""Small pictures of films, by which one finds them in a list; made once and kept."""

from __future__ import annotations

import hashlib
from pathlib import Path

from renderers.errors import RenderError
from renderers.files import replacing
from renderers.video.video_reader import read_late_picture
from studio.workspace.paths import Workspace

WIDTH_PX = 128


def find_poster(workspace: Workspace, film: Path) -> Path | None:
    """The small picture of a film as it is now; None where none was made yet."""
    path = _poster_path(workspace, film)
    return path if path.exists() else None


def make_poster(workspace: Workspace, film: Path) -> Path | None:
    """Make the small picture of a film, of a frame at its end; None where it cannot be read."""
    path = _poster_path(workspace, film)
    try:
        picture = read_late_picture(film, WIDTH_PX)
    except RenderError:
        return None
    with replacing(path) as temporary:
        temporary.write_bytes(picture)
    return path


def _poster_path(workspace: Workspace, film: Path) -> Path:
    written = film.stat().st_mtime_ns if film.exists() else 0
    place = workspace.recorded(film)
    mark = hashlib.blake2b(f"{place} {written}".encode(), digest_size=12).hexdigest()
    return workspace.posters / f"{mark}.jpg"
