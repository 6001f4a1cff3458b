"""The actions as tools of the Model Context Protocol, by streamable HTTP."""

from __future__ import annotations

import base64
import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

import studio
from studio.actions.output import write_json
from studio.screens.programs.endpoint import Answer, Endpoint
from studio.screens.safety.gate import MAX_BODY, NOT_UNDERSTOOD
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.names import printable, shorten

log = logging.getLogger(__name__)

AT_WORK, AT_WAIT = 4, 32  # Calls that work, and calls that wait for a job, at the same time.
MAX_CALLS = 100  # Calls of one client that are under way, those included that wait for a place.
BUSY = "Too many calls are under way. Wait until some of them are answered."
INSTRUCTIONS = (
    "A studio for generative networks that keeps every checkpoint of a run. Begin with `runs` and "
    "`datasets_list`. Training, films, sheets and atlases are jobs: their tools answer at once "
    "with a number; then ask jobs_wait and, once it has ended, jobs_result, which shows pictures. "
    "`look` shows points of a run at once. Points are labels such as 16500.28, or seed:7. Files "
    "lie in the workspace; a path without a folder is taken from there."
)


class Tools:
    """An ASGI app: a server of the protocol that keeps no sessions and answers each call in JSON.

    Args:
        endpoints: one for each tool.
    """

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self._tools = [describe_tool(endpoint) for endpoint in endpoints]
        self._under_way: Counter[str] = Counter()
        self._working = anyio.CapacityLimiter(AT_WORK)
        self._waiting = anyio.CapacityLimiter(AT_WAIT)
        server: Server[Any] = Server(
            "latent-city-studio",
            title="Latent City Studio",
            version=studio.__version__,
            instructions=INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
        )
        # The gate around the app has looked at names, origins and sizes already.
        self._manager = StreamableHTTPSessionManager(
            server, json_response=True, stateless=True, max_request_body_size=MAX_BODY
        )

    @asynccontextmanager
    async def serving(self, app: Any) -> AsyncIterator[None]:
        """What has to be open while the app is served."""
        async with self._manager.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; without sessions there is no stream to listen to."""
        if scope["method"] != "POST":
            answer = JSONResponse(
                {"detail": "This address is for programs that speak MCP, which ask by POST."},
                405,
                headers={"Allow": "POST"},
            )
            await answer(scope, receive, send)
            return
        await self._manager.handle_request(scope, receive, send)

    async def _list_tools(self, context: Any, asked: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=self._tools)

    async def _call_tool(
        self, context: ServerRequestContext[Any], asked: types.CallToolRequestParams
    ) -> types.CallToolResult:
        request = context.request
        client = request.client.host if request is not None and request.client else ""
        if self._under_way[client] >= MAX_CALLS:
            return refuse(BUSY)
        self._under_way[client] += 1
        try:
            return await self._answer(asked.name, asked.arguments or {})
        except EXPECTED_ERRORS as error:
            return refuse(printable(explain(error)))
        except Exception as error:  # Foreign values raise errors of every kind.
            log.warning("A tool failed: %r", error, exc_info=log.isEnabledFor(logging.INFO))
            return refuse(NOT_UNDERSTOOD)
        finally:
            self._under_way[client] -= 1
            self._under_way += Counter()  # Only those that have some are kept.

    async def _answer(self, name: str, values: Mapping[str, Any]) -> types.CallToolResult:
        """Carry a call out in a thread of its own, once there is a place.

        Raises:
            StudioError: there is no such tool, or as `Endpoint.answer`.
        """
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            raise StudioError(f"There is no tool {shorten(name)}. Ask for the list of them.")
        places = self._waiting if endpoint.action.waits else self._working
        answer = await anyio.to_thread.run_sync(endpoint.answer, values, limiter=places)
        return tell(answer)


def describe_tool(endpoint: Endpoint) -> types.Tool:
    """A tool as the protocol lists it."""
    return types.Tool(
        name=endpoint.name,
        title=endpoint.action.summary(),
        description=endpoint.description,
        input_schema=endpoint.parameters(),
    )


def tell(answer: Answer) -> types.CallToolResult:
    """An answer in the words of the protocol: text, the document, and pictures."""
    pictures = [
        types.ImageContent(data=base64.b64encode(each.content).decode(), mime_type=each.kind)
        for each in answer.pictures
    ]
    document = types.TextContent(text=write_json(answer.document))
    text = [types.TextContent(text=answer.text)] if answer.text else []
    return types.CallToolResult(
        content=[*text, document, *pictures], structured_content={"result": answer.document}
    )


def refuse(sentence: str) -> types.CallToolResult:
    """The answer to a call that cannot be carried out."""
    return types.CallToolResult(content=[types.TextContent(text=sentence)], is_error=True)
