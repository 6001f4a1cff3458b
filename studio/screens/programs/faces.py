"""How other programs ask for actions: endpoints of the page, and tools at their own address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.routing import Route

from studio.screens.programs.endpoint import list_endpoints
from studio.screens.safety.basic_login import BasicLogin
from studio.screens.safety.gate import GuardedApp, Limits, Login
from studio.workspace.errors import StudioError

if TYPE_CHECKING:
    from studio.actions.permissions import Permissions
    from studio.screens.programs.tools import Tools

MCP_PATH = "/mcp"


@dataclass(frozen=True)
class Faces:
    """What the person who started the app offers to other programs.

    Attributes:
        api: endpoints of the page, for `gradio_client`.
        mcp: tools of the Model Context Protocol.
    """

    api: bool = False
    mcp: bool = False

    def add_endpoints(self, permissions: Permissions) -> None:
        """Give the page that is being built its endpoints, if it is to have any."""
        if self.api:
            from studio.screens.programs.named_endpoints import add_endpoints

            add_endpoints(list_endpoints(permissions))

    def add_tools(
        self, app: GuardedApp, permissions: Permissions, login: Login | None, limits: Limits
    ) -> Tools | None:
        """Give the app its tools, behind the same gate and the same login; None without.

        Raises:
            StudioError: the package for it is not installed.
        """
        if not self.mcp:
            return None
        try:
            from studio.screens.programs.tools import Tools
        except ModuleNotFoundError as error:
            raise StudioError(
                "MCP needs a package that is not installed: pip install 'latent-city-studio[mcp]'"
            ) from error
        tools = Tools(list_endpoints(permissions))
        guarded = BasicLogin(tools, login, limits.logins) if login else tools
        for path in (MCP_PATH, f"{MCP_PATH}/"):
            app.router.routes.append(Route(path, guarded))
        return tools
