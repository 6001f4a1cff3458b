"""The way into the web app: `studio app`."""

from __future__ import annotations

from pathlib import Path

from studio.actions.action import Action, Done
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.record import option

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
    allow_host: tuple[str, ...] = option(
        (), "Another name by which browsers ask for the studio; may be repeated.", metavar="NAME"
    )
    open: tuple[Path, ...] = option(
        (), "A folder that browsers may read and write besides the workspace; may be repeated."
    )
    allow_commands: bool = option(
        False, "Let browsers name commands, addresses and classes, whose code then runs here."
    )
    api: bool = option(False, "Let other programs ask for actions by name, with gradio_client.")
    mcp: bool = option(False, "Offer the actions as tools by the Model Context Protocol, at /mcp.")

    def perform(self, workspace: Workspace, reporter: Reporter) -> Done:
        """Serve the app until Ctrl-C or SIGTERM, which end this process."""
        from studio.actions.permissions import Permissions
        from studio.screens.programs.faces import Faces
        from studio.screens.server import serve_app

        permissions = Permissions(workspace, self.open, self.allow_commands)
        faces = Faces(self.api, self.mcp)
        serve_app(permissions, self.host, self.port, self.auth, self.allow_host, faces)
        return Done()
