"""Pages of the site that are made when it is built: a hook of mkdocs, named in mkdocs.yml."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import house
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from option_tables import escape_cell, make_actions_page, make_settings_page

# Files at the top of the repository, and the pages that they are on the site.
TOP_FILES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "examples/README.md": "examples.md",
}
LIBRARIES = ("checkpoints_index", "latent", "renderers")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that no file under docs/ holds."""
    for path, content in make_pages():
        files.append(File.generated(config, path, content=content))
    return files


def make_pages() -> Iterator[tuple[str, str]]:
    """Each page as its path on the site and its Markdown."""
    for source, page in TOP_FILES.items():
        content = adapt_links((house.REPOSITORY / source).read_text())
        yield page, content + show_examples() if page == "examples.md" else content
    modules = house.read_modules()
    yield "house.md", make_map(modules)
    for package in LIBRARIES:
        yield f"api/{package}.md", make_library_page(package, modules)
    yield "api/studio.md", make_studio_page()
    yield "reference/actions.md", make_actions_page()
    yield "reference/settings.md", make_settings_page()


def adapt_links(markdown: str) -> str:
    """Links of a file at the top of the repository as links of a page of the site."""

    def adapt(match: re.Match[str]) -> str:
        target, anchor = match[1], match[2] or ""
        if target in TOP_FILES:
            return f"]({TOP_FILES[target]}{anchor})"
        if target.endswith(".py"):  # Its source stands on the page of examples.
            return f"](examples.md#{Path(target).stem})"
        return f"]({target.removeprefix('docs/')}{anchor})"

    return re.sub(r"\]\(([^)#:\s]+)(#[^)\s]*)?\)", adapt, markdown)


def show_examples() -> str:
    """The source of every example, under its name."""
    scripts = sorted((house.REPOSITORY / "examples").glob("[!_]*.py"))
    sections = (
        f"\n## {path.stem}\n\n```python\n{path.read_text().rstrip()}\n```\n" for path in scripts
    )
    return "".join(sections)


def make_map(modules: dict[str, house.Module]) -> str:
    """The map of the house: a heading for each room, and a line for each of its modules."""
    lines = [
        "# The map of the house",
        "",
        "Every module with the first line of its docstring. A room imports only rooms below it, "
        "and inside a room the folders are in order as well: a test holds both.",
        "",
        "![The rooms, floor by floor](pictures/house.svg)",
    ]
    rooms = [house.WAYS_IN, *sorted(house.ROOMS, key=lambda room: not room.startswith("studio"))]
    for room in rooms:
        purpose = house.ROOMS.get(room, "the ways in, and what puts the rooms together")
        lines += ["", f"## {room}", "", f"{purpose[0].upper()}{purpose[1:]}.", ""]
        lines += ["| module | what it is for |", "| --- | --- |"]
        lines += [
            f"| `{shorten(module.name, room)}` | {escape_cell(module.first_line)} |"
            for module in modules.values()
            if house.room_of(module.name) == room and module.first_line
        ]
    return "\n".join(lines) + "\n"


def shorten(name: str, room: str) -> str:
    """A module's name inside its room; a room's own `__init__` has the room's name."""
    return name.removeprefix(room + ".") if room != house.WAYS_IN else name


def make_library_page(package: str, modules: dict[str, house.Module]) -> str:
    """What a library exports, and then its modules, room by room."""
    exported = exported_names(package)
    lines = [f"# {package}", "", modules[package].first_line, ""]
    if exported:
        lines += [f"`from {package} import {', '.join(name for name, _ in exported)}`", ""]
        lines += [f"::: {path}\n" for _, path in exported]
    shown = {path.rpartition(".")[0] for _, path in exported}
    for name in modules:
        if not name.startswith(package + ".") or name in shown or not modules[name].first_line:
            continue
        options = "    options:\n      heading_level: 2\n      show_root_full_path: true\n"
        lines += [f"::: {name}\n{options}"]
    return "\n".join(lines) + "\n"


def exported_names(package: str) -> list[tuple[str, str]]:
    """The names in `__all__` of a package, each with the dotted path that defines it."""
    module = importlib.import_module(package)
    names = [name for name in getattr(module, "__all__", []) if not name.startswith("_")]
    return [(name, f"{getattr(module, name).__module__}.{name}") for name in names]


def make_studio_page() -> str:
    """The studio from Python, and what a person adds to it."""
    parts = [
        "# studio",
        "",
        "What a person does, from Python. Every action is a method of what `studio.open` gives: "
        "[commands and their options](../reference/actions.md) has them all.",
        "",
        "::: studio.open",
        "::: studio.actions.studio.Studio",
        "::: studio.actions.studio.Job",
        "",
        "## What one adds",
        "",
        "[Contributing](../contributing.md) says where each of these goes.",
        "",
        "::: studio.actions.action.Action",
        "::: studio.actions.action.Result",
        "::: studio.workspace.records.record.option",
        "::: studio.training.recipes.Recipe",
        "::: studio.workspace.errors.StudioError",
    ]
    return "\n\n".join(parts) + "\n"
