"""The route by which a browser sees the small picture of a film, which is made where it is not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from studio.films.film_posters import find_poster, make_poster
from studio.screens.parts.picture_cache import FOR_GOOD
from studio.screens.render.film_list import find_film
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.names import require_run_name, require_texts
from studio.workspace.paths import Workspace

NO_PICTURE = "There is no such film, or none that can be read."


class PosterRoute:
    """Makes one picture at a time, however many are asked for."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._turn = workspace, Lock()

    def answer(self, request: Request) -> Response:
        """The picture of the film that the query names; 404 with a sentence where there is none."""
        try:
            poster = self._find(request.query_params)
        except EXPECTED_ERRORS as error:
            return JSONResponse({"detail": explain(error)}, 404)
        if poster is None:
            return JSONResponse({"detail": NO_PICTURE}, 404)
        return FileResponse(poster, headers={"Cache-Control": FOR_GOOD})

    def _find(self, asked: Mapping[str, str]) -> Path | None:
        require_texts(dict(asked))
        film = find_film(
            self._workspace, require_run_name(asked.get("run", "")), asked.get("film", "")
        )
        if film is None:
            return None
        with self._turn:  # Whoever waited for this finds what was made meanwhile.
            return find_poster(self._workspace, film) or make_poster(self._workspace, film)
