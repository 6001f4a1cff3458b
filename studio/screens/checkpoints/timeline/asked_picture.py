"""What a page asks for when it wants pictures of a batch; every value is from outside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from studio.workspace.errors import StudioError
from studio.workspace.names import (
    read_whole,
    require_batch,
    require_point_label,
    require_run_name,
    require_texts,
    shorten,
)

SIZES = (512, 1024)  # Pixels along the longer side, at most: while one moves, and when one rests.
MAX_QUERY = 1000  # Characters of a request's query.
_PAGE = re.compile(r"[0-9a-z]{8,32}")
_KNOWN = {"run", "batch", "point", "page", "size", "rests"}


@dataclass(frozen=True)
class AskedPicture:
    """A picture of a run at a batch.

    Attributes:
        run: the name of the run; whether there is one is not known yet.
        batch: the wanted batch; the nearest kept one is shown.
        point: the label of the one latent point to be shown large; empty for all.
        page: what tells the page from others.
        size: one of SIZES.
        rests: whether the hand has come to rest there, so that nothing older is wanted any more.
    """

    run: str
    batch: int
    point: str
    page: str
    size: int
    rests: bool = False

    @classmethod
    def read(cls, query: Mapping[str, str]) -> AskedPicture:
        """Read the query of a request.

        Raises:
            StudioError: something is missing, unknown, or cannot be what it is given as.
        """
        given = dict(query)
        if sum(len(name) + len(value) for name, value in given.items()) > MAX_QUERY:
            raise StudioError("The question is too long for a picture.")
        require_texts(given)
        if unknown := set(given) - _KNOWN:
            raise StudioError(f"{shorten(min(unknown))} says nothing about a picture.")
        point = given.get("point", "")
        return cls(
            require_run_name(given.get("run", "")),
            require_batch(_read_whole(given.get("batch", "0"), "batch")),
            require_point_label(point) if point else "",
            _read_page(given.get("page", "")),
            _read_size(given.get("size", str(SIZES[0]))),
            given.get("rests", "") == "yes",
        )


def _read_whole(text: str, name: str) -> int:
    number = read_whole(text)
    if number is None:
        raise StudioError(f"{shorten(text)} is no {name}: write a whole number.")
    return number


def _read_page(text: str) -> str:
    if not _PAGE.fullmatch(text):
        raise StudioError(f"{shorten(text)} tells no page from others.")
    return text


def _read_size(text: str) -> int:
    size = _read_whole(text, "size")
    if size not in SIZES:
        raise StudioError(f"A size of {size} is not drawn; there are {', '.join(map(str, SIZES))}.")
    return size
