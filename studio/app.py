"""The way into the web app: `studio app`."""

from __future__ import annotations

from studio.actions.action import Action, Done
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.record import option

SECTION = "Begin here"


class App(Action):
    """Open the studio in the browser."""

    command = "app"
    makes_workspace = True
    section = SECTION
    is_job = False
    is_remote = False

    host: str = option("127.0.0.1", "Address to listen on.")
    port: int | None = option(None, "Port; the first free one from 7860 on by default.")
    auth: str | None = option(None, "USER:PASSWORD; needed when other machines may ask.")

    def perform(self, workspace: Workspace, reporter: Reporter) -> Done:
        """Serve the app until Ctrl-C or SIGTERM, which end this process."""
        from studio.screens.server import serve_app

        serve_app(workspace, self.host, self.port, self.auth)
        return Done()
