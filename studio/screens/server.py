"""The web app: its tabs, and the server that shows them to browsers."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr
from markupsafe import Markup, escape

from checkpoints_index.storage.catalogue import list_runs
from studio.actions.permissions import Permissions
from studio.actions.registry import run_makers
from studio.runs.status import AT_WORK, summarise_run
from studio.screens.checkpoints.checkpoints_tab import CheckpointsScreen
from studio.screens.checkpoints.timeline.timeline_routes import TimelineRoutes
from studio.screens.compare.compare_tab import CompareScreen
from studio.screens.explore.explore_tab import ExploreScreen
from studio.screens.home.home_tab import HomeScreen
from studio.screens.jobs.job_cards import describe_light
from studio.screens.jobs.jobs_tab import JobsScreen, lay_out_light
from studio.screens.menu.city_menu import CityMenu
from studio.screens.parts.app_context import (
    EACH_TIME,
    EVENT_DEFAULTS,
    AppContext,
    RunChoice,
    Screen,
    once_soon,
    show_errors,
)
from studio.screens.parts.assets import page_head, read_asset
from studio.screens.parts.browser.address import Address
from studio.screens.parts.browser.address_book import AddressBook
from studio.screens.parts.browser.answer_order import answer_in_turn
from studio.screens.parts.browser.key_sheet import lay_out_key_sheet
from studio.screens.parts.browser.news import (
    ANYTHING,
    WorkspaceNews,
    lay_out_news,
    own_event,
)
from studio.screens.parts.browser.stored_forms import StoredForms
from studio.screens.parts.picture_cache import PictureCache
from studio.screens.parts.run_cache import RunCache
from studio.screens.parts.theme import studio_theme
from studio.screens.programs.faces import MCP_PATH, Faces
from studio.screens.render.render_tab import RenderScreen
from studio.screens.safety.allowances import OpenPages
from studio.screens.safety.gate import (
    CLEANED_S,
    KEPT_S,
    MAX_UPLOAD_MB,
    Answer,
    GuardedApp,
    Limits,
    Login,
)
from studio.screens.safety.own_pages import OwnPages
from studio.screens.safety.page import GuardedPage
from studio.screens.specimens.specimens_tab import SpecimensScreen
from studio.screens.train.train_tab import TrainScreen
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.jobs import newest_job
from studio.workspace.names import shorten
from studio.workspace.paths import Workspace

TITLE = "Latent City Studio"
NO_FACES = Faces()
BRAND = Markup(
    '<div class="brand"><b>{}</b><i>every batch kept, every city within reach</i></div>'
).format(TITLE)
SCREENS: tuple[type[Screen], ...] = (
    *(HomeScreen, TrainScreen, CheckpointsScreen, ExploreScreen),
    *(RenderScreen, SpecimensScreen, CompareScreen, JobsScreen),
)
STYLE_SHEETS = (
    *("parts/theme.css", "parts/markup.css", "parts/charts/chart.css", "parts/jobs_view.css"),
    *("parts/browser/news.css", "parts/browser/key_sheet.css"),
    *("home/home_tab.css", "train/train_tab.css"),
    *("checkpoints/storage_view.css", "checkpoints/timeline/timeline.css"),
    "explore/explore_tab.css",
    *("explore/map/map.css", "jobs/jobs_tab.css"),
    *("specimens/specimens_tab.css", "specimens/gallery/gallery.css"),
    *("compare/compare_tab.css", "render/composer.css"),
)
FIRST_PORT, PORTS = 7860, 100
TRIES = 3  # So often the app is opened at another port, where two that start want the same.
HOLD_SECONDS = 5.0  # Seconds between the signs of life that an open page is sent.
MAX_OPEN_PAGES = 100  # Each open page holds a place in Gradio's queue.
CONCURRENCY = 4  # Requests of one kind that are worked on at the same time.
MAX_QUEUE = 256  # Requests of one kind that wait for their turn.


class PortTakenError(StudioError):
    """Another program took a port between the choice of it and its use."""


def serve_app(
    permissions: Permissions,
    host: str = "127.0.0.1",
    port: int | None = None,
    auth: str | None = None,
    names: Sequence[str] = (),
    faces: Faces = NO_FACES,
) -> None:
    """Serve the studio until Ctrl-C or SIGTERM, which end this process.

    Args:
        permissions: what browsers may ask for, and the workspace.
        host: address of this machine to listen on.
        port: the first free one from 7860 on by default.
        auth: USER:PASSWORD; must be given when other machines may ask.
        names: further names under which the studio is asked for, besides `host` and the loopback.
        faces: what is offered to other programs.

    Raises:
        StudioError: a host beyond this machine without auth, a malformed auth, a taken port; or a
            package is missing.
    """
    given = parse_auth(host, auth)
    login, own_pages = Login(*given) if given else None, OwnPages.known_as(host, names)
    for tries_left in reversed(range(TRIES if port is None else 1)):
        limits = Limits()
        app = GuardedApp(own_pages, limits)
        tools = faces.add_tools(app, permissions, login, limits)
        page = build_app(permissions, limits.pages, faces)
        # The port is chosen last: while the pages are built, another program may take a free one.
        chosen = choose_port(host, port)
        kept_open = {"lifespan": tools.serving} if tools else {}
        try:
            _launch(page, permissions.workspace, host, chosen, login, app, kept_open)
            break
        except PortTakenError:
            if not tries_left:
                raise
    # What the pages are made of stays, and need not be looked through for what has become garbage.
    gc.collect()
    gc.freeze()
    address = f"http://{'[' + host + ']' if ':' in host else host}:{chosen}"
    print(f"The studio is open at {address}  (Ctrl-C closes it)", file=sys.stderr, flush=True)
    if tools:
        print(f"Its tools are at {address}{MCP_PATH}", file=sys.stderr, flush=True)
    try:
        while True:
            time.sleep(3600)
    except (KeyboardInterrupt, SystemExit):
        print("The studio is closed. Jobs go on.", file=sys.stderr)
    finally:
        page.close(verbose=False)
    # A thread that still works for a page would be ended in the midst of torch's code by an
    # interpreter that shuts down, and that aborts the process.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _launch(
    page: gr.Blocks,
    workspace: Workspace,
    host: str,
    port: int,
    login: Login | None,
    app: GuardedApp,
    kept_open: dict[str, Any] | None = None,
) -> None:
    """Let Gradio serve the app from threads of its own, without what it would offer besides.

    Args:
        kept_open: the `lifespan` of what is served beside the page, if anything is.

    Raises:
        PortTakenError: the port was taken since it was chosen.
    """
    try:
        page.launch(
            server_name=host,
            server_port=port,
            auth=login,
            allowed_paths=[str(p) for p in (workspace.runs, workspace.renders, workspace.exports)],
            blocked_paths=[str(workspace.database)],
            max_file_size=f"{MAX_UPLOAD_MB}mb",
            theme=studio_theme(),
            css=page_styles(),
            head=page_head(),
            max_threads=MAX_OPEN_PAGES,
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            # Gradio's own tools ask for no login, and a variable of the environment starts them.
            mcp_server=False,
            app_kwargs=kept_open,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            _app=app,
            # Gradio would end the app if its first page took more than three seconds, as it may
            # where the machine is busy; it has asked whether the server answers before.
            _frontend=False,
        )
    except OSError as error:
        raise PortTakenError(
            f"Port {port} on {host} was taken by another program just now. Start the app again."
        ) from error


def build_app(permissions: Permissions, pages: OpenPages, faces: Faces = NO_FACES) -> GuardedPage:
    """The app of a workspace, with one tab for each thing a person does; not served yet."""
    page: GuardedPage
    workspace, cleaning = permissions.workspace, (int(CLEANED_S), int(KEPT_S))
    own_answers: dict[str, Answer] = {}
    with GuardedPage(
        title=TITLE,
        analytics_enabled=False,
        fill_width=True,
        delete_cache=cleaning,
        own_answers=own_answers,
    ) as page:
        faces.add_endpoints(permissions)  # First, else an event of the page would have their names.
        with gr.Row(elem_id="head"):
            gr.HTML(BRAND)
            light = lay_out_light(workspace)
            lay_out_key_sheet()
            run = RunChoice(label="Run", elem_id="run", choices=[], interactive=True)
        known, awaited = gr.State([]), gr.State(None)
        shared = PictureCache(workspace), RunCache(workspace)
        own_answers.update(TimelineRoutes(workspace, shared[0]).answers)
        titles = [screen.TITLE for screen in SCREENS]
        news = lay_out_news(WorkspaceNews(workspace, pages.count), titles)
        open_tab, address, forms = gr.State(titles[0]), AddressBook(), StoredForms(workspace)
        app = AppContext(
            permissions,
            *shared,
            run,
            open_tab,
            awaited,
            news,
            address,
            forms,
            own_answers,
            stars=gr.State(0),
        )
        with gr.Tabs() as tabs:
            for screen in SCREENS:
                screen(app)
        CityMenu(app)
        _keep_runs_current(app, known, light)
        page.load(lambda: describe_light(workspace), None, light, **EVENT_DEFAULTS)
        _follow_address(page, app, tabs, known)
        page.load(forms.values, forms.place, forms.targets, js=forms.script, **EVENT_DEFAULTS)
        page.load(_hold_stream_open(pages), concurrency_limit=None, **EVENT_DEFAULTS)
    answer_in_turn(page)
    # What is asked for past the queue would have no bounds.
    page.queue(api_open=False, default_concurrency_limit=CONCURRENCY, max_size=MAX_QUEUE)
    return page


def page_styles() -> str:
    """The style sheet of the page, all tabs together."""
    return "\n".join(read_asset(__package__, path) for path in STYLE_SHEETS)


def _hold_stream_open(pages: OpenPages) -> Callable[[gr.Request], AsyncIterator[None]]:
    """Keep something under way as long as a page is open.

    Gradio ends the stream of answers when none is awaited, and what a page asks for at that very
    moment can be lost for good; with a clock on every page that moment comes every few seconds.
    """

    async def hold(request: gr.Request) -> AsyncIterator[None]:
        session, holder, began = str(request.session_hash), object(), time.monotonic()
        held = pages.hold(session, holder)
        while held:
            await asyncio.sleep(HOLD_SECONDS)
            yield
            held = pages.goes_on(session, holder, began)

    return hold


def _follow_address(page: gr.Blocks, app: AppContext, tabs: gr.Tabs, known: gr.State) -> None:
    """Open what the address of the page says, and let the address say what is looked at."""
    book = app.address

    def open_page(text: str) -> list[Any]:
        names = list_runs(app.workspace.runs)
        address = read_address(text, names)
        run = address.run or first_choice(app.workspace)
        chosen, tab = gr.Dropdown(choices=names, value=run), address.tab
        # Where no tab is asked for, a hasty person may have opened one by now.
        opened = (gr.skip(), gr.skip()) if tab is None else (gr.Tabs(selected=tab), tab)
        return [chosen, names, *opened, True, *book.values(replace(address, run=run), tab)]

    def write(opened: bool, tab: str, run: str | None, *values: Any) -> Any:
        return book.write(run, tab, values) if opened else gr.skip()

    tell = "(run) => studio.tellRun(run)"
    gr.on(
        [page.load, own_event(book.bar, "asked")],
        open_page,
        book.bar,
        [app.run, known, tabs, app.open_tab, book.opened, *book.targets],
        js="() => [location.search]",
        **EVENT_DEFAULTS,
    ).then(_pressed_tab, book.bar, app.open_tab, js="() => studio.stay()", **EVENT_DEFAULTS).then(
        None, app.run, None, js=tell, **EVENT_DEFAULTS
    )
    app.run.change(None, app.run, None, js=tell, **EVENT_DEFAULTS)
    parts = [book.opened, app.open_tab, app.run, *book.sources]
    gr.on(
        [once_soon(book.bar, "write", [part.change for part in parts])],
        show_errors(write),
        parts,
        book.bar,
        trigger_mode="always_last",
        **EVENT_DEFAULTS,
    )


def _pressed_tab(title: str) -> Any:
    """The tab that was pressed before the answer to the page's address came; it stays open."""
    return title if title in {screen.TITLE for screen in SCREENS} else gr.skip()


def read_address(text: str, runs: Sequence[str]) -> Address:
    """What the address of a page stands for; that of no run and no tab where it is a wrong one.

    Args:
        text: what stands behind the path, from outside.
        runs: the names of those that there are.
    """
    try:
        address = Address.read(str(text))
        _require_run(address, runs)
    except EXPECTED_ERRORS as error:
        gr.Warning(
            escape(f"This address does not fit: {explain(error)} The studio opens as usual.")
        )
        return Address()
    return address


def _require_run(address: Address, runs: Sequence[str]) -> None:
    if address.run is not None and address.run not in runs:
        raise StudioError(f"there is no run {shorten(address.run)}.")


def _keep_runs_current(app: AppContext, known: gr.State, light: gr.HTML) -> None:
    """Offer the runs that there are, whatever makes or removes them; choose an awaited one.

    The light says what is at work; an event of its own would be one more question each time.
    """

    def look(run: str | None, known: list[str], awaited: str | None, shown: str) -> list[Any]:
        told = describe_light(app.workspace)
        return [*update(run, known, awaited), gr.skip() if told == shown else told]

    def update(run: str | None, known: list[str], awaited: str | None) -> tuple[Any, ...]:
        names = list_runs(app.workspace.runs)
        if awaited is not None and awaited not in names:
            awaited = still_awaited(app.workspace, awaited)
            if awaited is None:
                return gr.skip(), gr.skip(), None
        appeared = awaited is not None and awaited in names
        if names == known and not appeared and (run is None) == (not names):
            return gr.skip(), gr.skip(), gr.skip()
        chosen = awaited if appeared else run if run in names else first_choice(app.workspace)
        return gr.Dropdown(choices=names, value=chosen), names, None if appeared else awaited

    gr.on(
        [own_event(app.news, ANYTHING)],
        show_errors(look),
        [app.run, known, app.awaited, light],
        [app.run, known, app.awaited, light],
        **EACH_TIME,
        **EVENT_DEFAULTS,
    )


def still_awaited(workspace: Workspace, run: str) -> str | None:
    """The run that is being made, or None once its job has failed; the page is told why."""
    job = newest_job(workspace, *run_makers(), run=run)
    if job is None or job.status != "failed":
        return run
    gr.Warning(escape(f"Run {run} was not made: {job.note}"))
    return None


def first_choice(workspace: Workspace) -> str | None:
    """The run that is shown at first: one at work, paused or not, else the longest."""
    names = list_runs(workspace.runs)
    return max(names, key=lambda name: _prominence(workspace, name), default=None)


def _prominence(workspace: Workspace, name: str) -> tuple[bool, int]:
    try:
        run = summarise_run(workspace, name)
    except EXPECTED_ERRORS:  # The tab Train says what is wrong with a damaged run.
        return False, -1
    return run.status in AT_WORK, run.checkpoints


def parse_auth(host: str, auth: str | None) -> tuple[str, str] | None:
    """Split USER:PASSWORD; the password may contain further colons.

    Args:
        host: the address that is served.
        auth: None for no login.

    Returns:
        (user, password), or None where no login is asked for.

    Raises:
        StudioError: it is not of that form, or missing although other machines may ask.
    """
    if auth is None:
        if host not in ("127.0.0.1", "localhost", "::1"):
            raise StudioError(
                f"On {host} other machines can open the studio, so it needs a password: "
                "--auth USER:PASSWORD"
            )
        return None
    user, _, password = auth.partition(":")
    if not user or not password:
        raise StudioError("The login is not of the form USER:PASSWORD. Use --auth USER:PASSWORD")
    return user, password


def choose_port(host: str, port: int | None) -> int:
    """The wanted port, or the first free one from 7860 on.

    Raises:
        StudioError: the wanted port is taken or out of range, or no address of that name.
    """
    if port is not None and not 1 <= port <= 65535:
        raise StudioError(f"Port {port} is out of range: use 1 to 65535.")
    for candidate in [port] if port is not None else range(FIRST_PORT, FIRST_PORT + PORTS):
        if _is_free(host, candidate):
            return candidate
    if port is not None:
        raise StudioError(f"Port {port} on {host} is taken or not allowed. Leave --port out.")
    raise StudioError(f"No port from {FIRST_PORT} to {FIRST_PORT + PORTS - 1} is free on {host}.")


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except socket.gaierror as error:
            raise StudioError(
                f"'{host}' is no address of this machine: {error.strerror}."
            ) from error
        except OSError:
            return False
    return True
