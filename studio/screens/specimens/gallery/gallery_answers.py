"""What the gallery of a page asks for: lists, specimens, marks, exports, stacks."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import shlex
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.actions.action import Action, words_of
from studio.actions.declared.removal_actions import RenameSpecimen
from studio.actions.declared.specimen_actions import (
    SpecimenList,
    SpecimensExport,
    SpecimensMark,
    SpecimensStar,
)
from studio.actions.declared.way_actions import DuplicatesResult, SpecimensDuplicates
from studio.screens.parts import markup
from studio.screens.parts.app_context import AppContext
from studio.screens.safety.gate import NOT_UNDERSTOOD
from studio.screens.specimens.gallery.gallery_view import MAX_CHOSEN, GalleryView
from studio.screens.specimens.gallery.thumbnail_store import ThumbnailStore
from studio.specimens.specimen_pages import read_specimens
from studio.specimens.specimen_search import find_labels, list_tags
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.names import require_point_label, require_run_name, shorten

MAX_DESCRIBED = 240  # Specimens that are described at once.
MAX_LINKS = 100  # So many exported files get a link each.
PRINTED = "a2", "a3"  # Papers of print sheets.
AT_ONCE = 2000  # An action takes the labels of so many.
COMPARING = "Specimens are being compared for another page. Try again when that is over."

Answer = dict[str, Any]
log = logging.getLogger(__name__)


def answering(work: Callable[..., Answer]) -> Callable[..., Answer]:
    """Let what goes wrong be a sentence in the answer.

    What is asked comes from outside, so it may be anything: where it has not the form that the
    gallery's script gives it, the answer says that much.
    """

    @functools.wraps(work)
    def answer(asked: Any) -> Answer:
        try:
            return work(dict(asked))
        except EXPECTED_ERRORS as error:
            return {"problem": explain(error)}
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            log.warning("The gallery was asked for what it does not know: %r", error)
            return {"problem": NOT_UNDERSTOOD}

    return answer


class GalleryAnswers:
    """Answers the gallery's script; each of `functions` takes one table and gives another."""

    def __init__(self, app: AppContext, thumbnails: ThumbnailStore) -> None:
        self._app, self._thumbnails = app, thumbnails
        self._comparing = threading.Lock()

    @property
    def functions(self) -> list[Callable[..., Answer]]:
        """Those that the script calls by their names."""

        def list_view(asked: Answer) -> Answer:
            return self.list_view(asked)

        def describe(asked: Answer) -> Answer:
            return self.describe(_run_in(asked), _labels_in(asked, MAX_DESCRIBED))

        def mark(asked: Answer) -> Answer:
            return self.mark(_run_in(asked), _labels_in(asked), asked)

        def export(asked: Answer) -> Answer:
            return self.export(_run_in(asked), _labels_in(asked), asked)

        def stacks(asked: Answer) -> Answer:
            return self.stacks(_run_in(asked), asked.get("within"))

        return [answering(work) for work in (list_view, describe, mark, export, stacks)]

    def list_view(self, asked: Mapping[str, Any]) -> Answer:
        """The labels of all specimens that a view has, in its order, and the tags that there are.

        Labels alone are short: so the page knows the place of each, and the order stays as it is
        until another one is asked for.
        """
        run, view = _run_in(asked), GalleryView.read(asked.get("view"))
        workspace = self._app.workspace
        labels = find_labels(workspace, run, view.wanted)
        return {"labels": " ".join(labels), "tags": list_tags(workspace, run)}

    def describe(self, run: str, labels: Sequence[str]) -> Answer:
        """What is known of some specimens, and where their pictures are."""
        found = read_specimens(self._app.workspace, run, labels, with_paths=False)
        pictures = self._thumbnails.addresses(run, [point for _, point in found])
        rows = [
            {
                **{"label": s.label, "name": s.name, "note": s.note, "tags": list(s.tags)},
                **{"rating": s.rating, "starred": s.starred, "origin": s.origin},
                **{"kept": markup.moment(s.created_at), "picture": picture},
            }
            for (s, _), picture in zip(found, pictures, strict=True)
        ]
        return {"rows": rows}

    def mark(self, run: str, labels: Sequence[str], asked: Mapping[str, Any]) -> Answer:
        """Star, rate, tag, annotate or name specimens; what has become of the first of them.

        Raises:
            StudioError: a value does not fit, or nothing is to be marked.
        """
        done = [self._app.perform(action) for action in _read_marks(run, labels, asked)]
        if not done:
            raise StudioError("The page did not say how the specimens are to be marked.")
        return self.describe(run, labels[:MAX_DESCRIBED]) | {
            "tags": list_tags(self._app.workspace, run)
        }

    def export(self, run: str, labels: Sequence[str], asked: Mapping[str, Any]) -> Answer:
        """Write specimens as files, onto a sheet or into a ZIP; links to what was written.

        Raises:
            StudioError: nothing is chosen, or a value does not fit.
        """
        if not labels:
            raise StudioError("No specimen is chosen. Press pictures to choose them, then export.")
        action = _read_export(self._app.workspace.specimens(run), run, labels, asked)
        exported = self._app.perform(action)
        assert isinstance(exported, SpecimenList)
        files = list(dict.fromkeys(s.path for s in exported.specimens if s.path is not None))
        links = [{"name": p.name, "url": markup.file_url(p)} for p in files[:MAX_LINKS]]
        said = f"{len(exported.specimens):,} in {self._app.workspace.specimens(run)}"
        if len(files) > MAX_LINKS:
            said += f". The first {MAX_LINKS} can be saved from here:"
        return {"links": links, "said": said, "command": shlex.join(["studio", *words_of(action)])}

    def stacks(self, run: str, within: Any) -> Answer:
        """Near-duplicates among all specimens of a run: for each stack, what lies on top first.

        Raises:
            StudioError: the distance does not fit, or another page compares just now.
        """
        asked = {"run": run} if within is None else {"run": run, "within": within}
        action = SpecimensDuplicates.read(asked)
        if not self._comparing.acquire(blocking=False):
            raise StudioError(COMPARING)
        try:
            found = self._app.perform(action)
        finally:
            self._comparing.release()
        assert isinstance(found, DuplicatesResult)
        stacks = [[s.point, *(d.label for d in s.duplicates)] for s in found.stacks]
        count = "1 stack" if len(stacks) == 1 else f"{len(stacks):,} stacks"
        said = (
            f"{count} of specimens within {found.within:.3g} of each other in "
            f"{found.space}, at batch {found.batch:,}; two are {found.median:.3g} apart at the "
            "median."
        )
        return {"stacks": stacks, "within": found.within, "said": said}


def _run_in(asked: Mapping[str, Any]) -> str:
    run = asked.get("run")
    if not isinstance(run, str):
        raise StudioError("There is no run yet. Train one first.")
    return require_run_name(run)


def _labels_in(asked: Mapping[str, Any], most: int = MAX_CHOSEN) -> list[str]:
    labels = str(asked.get("labels", "")).split()
    if len(labels) > most:
        raise StudioError(
            f"{len(labels):,} specimens are too many at once; choose at most {most:,}."
        )
    return [require_point_label(label) for label in labels]


def _parts(labels: Sequence[str]) -> Iterable[tuple[str, ...]]:
    return (tuple(labels[i : i + AT_ONCE]) for i in range(0, len(labels), AT_ONCE))


def _read_marks(run: str, labels: Sequence[str], asked: Mapping[str, Any]) -> list[Action]:
    """The actions that mark specimens as it is asked for.

    Raises:
        StudioError: a value does not fit.
    """
    marks = {name: asked[name] for name in ("rating", "note", "tag", "untag") if name in asked}
    actions: list[Action] = []
    for some in _parts(labels):
        each: dict[str, Any] = {"run": run, "labels": some}
        if "star" in asked:
            actions.append(SpecimensStar.read({**each, "undo": asked["star"] is not True}))
        if marks:
            actions.append(SpecimensMark.read({**each, **marks}))
    if "name" in asked:
        if len(labels) != 1:
            raise StudioError(f"{len(labels):,} specimens cannot have one name. Choose one.")
        actions.append(RenameSpecimen.read({"run": run, "label": labels[0], "new": asked["name"]}))
    return actions


def _read_export(
    folder: Path, run: str, labels: Sequence[str], asked: Mapping[str, Any]
) -> SpecimensExport:
    """The action that exports specimens; what is asked for again takes the place of its file."""
    names = ("format", "size", "quality")
    fields = {name: asked[name] for name in names if asked.get(name) not in (None, "")}
    kind = asked.get("into", "files")
    mark = hashlib.blake2b(json.dumps([labels, fields]).encode(), digest_size=4).hexdigest()
    name = f"{run}-{len(labels)}-specimens-{mark}"
    if kind == "zip":
        fields |= {"zip_path": folder / f"{name}.zip", "overwrite": True}
    elif kind == "sheet":
        suffix = "jpg" if fields.get("format", "jpg") == "jpg" else "png"  # No sheet is a WebP.
        fields |= {"sheet": folder / f"{name}.{suffix}", "overwrite": True}
    elif kind in PRINTED:
        fields |= {"sheet": folder / f"{name}-{kind}.pdf", "paper": kind, "overwrite": True}
    elif kind != "files":
        known = ", ".join(("files", "sheet", *PRINTED, "zip"))
        raise StudioError(f"{shorten(str(kind))} is none of {known}.")
    return SpecimensExport.read({"run": run, "labels": labels, **fields})
