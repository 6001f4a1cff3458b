"""The routes by which a page gets the pictures of its timeline, beside Gradio's queue.

Somebody who drags along the timeline asks for a picture ten times a second and more. A page has one
picture drawn at a time; what it asks for meanwhile waits, and only the newest of that is drawn. A
picture at work is finished, so that something moves under the hand, until the hand comes to rest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from checkpoints_index.errors import UnknownRunError
from studio.screens.checkpoints.timeline.asked_picture import AskedPicture
from studio.screens.checkpoints.timeline.axis_thumbnails import AxisThumbnails
from studio.screens.checkpoints.timeline.page_turns import (
    BusyPagesError,
    PageTurns,
    StaleRequestError,
)
from studio.screens.checkpoints.timeline.picture_painter import PaintedPicture, PicturePainter
from studio.screens.parts.picture_cache import PictureCache
from studio.screens.safety.gate import Answer
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace

PICTURE_ROUTE = "/studio/timeline/picture"
MAX_THREADS = 2  # One draws, and one finds that a picture is known already.
STALE = 204  # Nothing is wrong with it, which a browser would say of an error on its console.
# The browser asks each time whether its copy is still right, which costs no drawing; and pictures
# are not compressed once more.
HEADERS = {"Cache-Control": "private, no-cache", "Content-Encoding": "identity"}


class TimelineRoutes:
    """Pictures of a batch, and the small ones along the axis.

    Attributes:
        answers: path -> what answers a GET of it.
    """

    def __init__(self, workspace: Workspace, picture_cache: PictureCache) -> None:
        self._painter = PicturePainter(workspace, picture_cache)
        self._thumbnails = AxisThumbnails(workspace, picture_cache, self._painter.points)
        self._turns = PageTurns()
        self._threads: anyio.CapacityLimiter | None = None  # It belongs to the server's loop.
        self.answers: dict[str, Answer] = {
            PICTURE_ROUTE: _in_words(self._answer_picture),
            "/studio/timeline/thumbnails": _in_words(self._answer_thumbnails),
        }

    async def _answer_picture(self, request: Request) -> Response:
        asked = AskedPicture.read(request.query_params)
        async with self._turns.take(asked.page, asked.rests) as is_wanted:
            if await request.is_disconnected():
                return Response(status_code=STALE)
            self._thumbnails.rest()
            known = request.headers.get("if-none-match", "")
            painted = await self._in_thread(lambda: self._paint(asked, known, is_wanted))
        if painted is None:
            raise StaleRequestError("A newer picture was asked for.")
        headers = {**HEADERS, **_headers_of(painted)}
        if not painted.content:
            return Response(status_code=304, headers=headers)
        return Response(painted.content, media_type="image/jpeg", headers=headers)

    def _paint(
        self, asked: AskedPicture, known: str, is_wanted: Callable[[], bool]
    ) -> PaintedPicture | None:
        """The picture; without its content where the browser knows it."""
        plan = self._painter.plan(asked)
        if known == f'"{plan.mark}"':
            return PaintedPicture(plan.batch, plan.mark, b"", 0, 0)
        return self._painter.paint(asked, plan, is_wanted)

    async def _answer_thumbnails(self, request: Request) -> Response:
        asked = AskedPicture.read(request.query_params)
        sheet = await self._in_thread(lambda: self._thumbnails.look(asked.run, asked.point))
        headers = {
            **HEADERS,
            "ETag": f'"{sheet.mark}"',
            "X-Batches": " ".join(map(str, sheet.batches)),
            "X-Lacking": str(sheet.lacking),
        }
        if request.headers.get("if-none-match") == f'"{sheet.mark}"':
            return Response(status_code=304, headers=headers)
        return Response(sheet.content, media_type="image/jpeg", headers=headers)

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(MAX_THREADS)
        return await anyio.to_thread.run_sync(work, limiter=self._threads)


def _headers_of(painted: PaintedPicture) -> dict[str, str]:
    told = {"ETag": f'"{painted.mark}"', "X-Batch": str(painted.batch)}
    # A browser takes the size from the answer that it knows where this one says nothing of it.
    size = {"X-Size": f"{painted.width} {painted.height}"} if painted.content else {}
    return {**told, **size}


def _in_words(answer: Callable[[Request], Awaitable[Response]]) -> Answer:
    """Refuse in one sentence."""

    async def answer_in_words(request: Request) -> Response:
        try:
            return await answer(request)
        except StaleRequestError:
            return Response(status_code=STALE)
        except BusyPagesError as error:
            return _refuse(503, str(error))
        except UnknownRunError as error:
            return _refuse(404, explain(error))
        except EXPECTED_ERRORS as error:
            return _refuse(400, explain(error))

    return answer_in_words


def _refuse(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"detail": sentence}, status, headers={"Cache-Control": "no-store"})
