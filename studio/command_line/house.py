"""studio demo, app."""

from __future__ import annotations

from typing import Annotated

import typer

from studio.command_line.context import AsJson, print_json, reporter_of, workspace_of

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port; the first free one from 7860 on by default.")]


def register(app: typer.Typer) -> None:
    app.command()(demo)
    app.command("app")(serve)


def demo(
    context: typer.Context,
    serve: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Open the app at the end, or end there.")
    ] = True,
    batches: Annotated[
        int | None, typer.Option(help="Train to this batch, rather than the tuned one.", min=10)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The whole way on real city maps: train, film, explore, export."""
    from studio.demo import run_demo, show_products

    workspace = workspace_of(context)
    products = run_demo(workspace, reporter_of(context), batches)
    if as_json:
        print_json([product._asdict() for product in products])
    else:
        show_products(workspace, products)
    if serve:
        from studio.screens.server import serve_app

        serve_app(workspace)


def serve(
    context: typer.Context,
    host: Host = "127.0.0.1",
    port: Port = None,
    auth: Annotated[
        str | None, typer.Option(help="USER:PASSWORD; asked for when not only this machine may.")
    ] = None,
) -> None:
    """Open the studio in the browser."""
    from studio.screens.server import serve_app

    serve_app(workspace_of(context), host, port, auth)
