"""Which files a render may write: free ones, and those that it made itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from renderers.destinations import require_free
from renderers.files import note_path, noted_path, read_json, write_json
from renderers.plan.render_plan import RenderPlan
from renderers.video.formats import format_of

CLAIM = "claim.json"  # What a render has begun to write: its digests, and the paths.


def refuse_foreign(folder: Path, paths: Sequence[Path], overwrite: bool) -> None:
    """Refuse to replace files that no render in this folder made.

    Args:
        folder: where the render keeps its plan and its parts.
        paths: of the videos.
        overwrite: somebody asked for them to be replaced, whatever they are.

    Raises:
        OutputTakenError: something else is there.
    """
    _require_free(folder, paths, _own_paths(folder), overwrite)


def claim(folder: Path, plan: RenderPlan, paths: Sequence[Path], overwrite: bool) -> None:
    """Refuse to replace files that are not of this plan, and remember that it writes them now.

    Args:
        folder, paths, overwrite: see `refuse_foreign`.
        plan: what is rendered; a render that goes on, or that has grown by further parts, may
            replace what it wrote before.

    Raises:
        OutputTakenError: something else is there.
    """
    digests = {plan.digest, plan.parts[0].digest}
    _require_free(folder, paths, _own_paths(folder, digests), overwrite)
    document = {
        "digests": sorted(digests),
        "paths": [note_path(folder, path) for path in paths],
    }
    if read_json(folder / CLAIM) != document:
        write_json(document, folder / CLAIM)


def release(folder: Path) -> None:
    """Forget the claim of a render whose videos are recorded."""
    (folder / CLAIM).unlink(missing_ok=True)


def _own_paths(folder: Path, digests: set[str] | None = None) -> set[str]:
    """The files that a render in this folder made or began; those of some digests, if given."""
    claimed = read_json(folder / CLAIM) or {"digests": [], "paths": []}
    finished = read_json(folder / "videos.json") or {"digest": "", "videos": []}
    begun = set(claimed["paths"]) if digests is None or digests & {*claimed["digests"]} else set()
    made = {entry["path"] for entry in finished["videos"]}
    own = begun | (made if digests is None or finished["digest"] in digests else set())
    return {str(noted_path(folder, text)) for text in own}


def _require_free(folder: Path, paths: Sequence[Path], own: set[str], overwrite: bool) -> None:
    for path in paths:
        file = path.resolve()
        if str(file) not in own and not file.is_relative_to(folder.resolve()):
            require_free(path.parent if format_of(path).numbered else path, overwrite)
