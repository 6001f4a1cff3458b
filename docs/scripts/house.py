"""The house as its source shows it: modules, their first lines, rooms, and who imports whom."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("latent", "checkpoints_index", "renderers", "studio")

# One line for each room of the picture and of the map. The tests hold that no room is missing here.
ROOMS = {
    "latent": "points, routes, trajectories, nearness, atlases",
    "checkpoints_index": "every checkpoint, stored small: batch -> generator",
    "renderers": "generator and latent points -> frames -> video",
    "studio.workspace": "paths, database, jobs, devices, progress, quantities",
    "studio.datasets": "pictures and city maps, prepared for training",
    "studio.runs": "what a run is: settings, status, events, pins, metrics",
    "studio.specimens": "cities worth keeping, passports",
    "studio.upscaling": "pictures made larger by a run",
    "studio.exploration": "directions, sums of points, and pictures led back to points",
    "studio.nearness": "what is near what, in which space; distances, routes",
    "studio.atlases": "maps of many cities, how far to believe them, posters",
    "studio.films": "time-lapses, interpolations, sheets",
    "studio.training": "one engine, recipes that read like the paper, alarms",
    "studio.upkeep": "imports, thinning, reindexing",
    "studio.publishing": "folders for the Hugging Face Hub, pages for any web server",
    "studio.actions": "what can be done, each declared once",
    "studio.command_line": "the command studio",
    "studio.screens": "the app in the browser",
}
WAYS_IN = "studio"  # studio/*.py and app.py: they put the rooms together


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, where it lies, its first line, our modules it imports."""

    name: str
    path: Path
    first_line: str
    imports: frozenset[str]


def read_modules(repository: Path = REPOSITORY) -> dict[str, Module]:
    """All modules of the four packages and `app`, by dotted name, in the order of their names."""
    paths = {
        name_of(path.relative_to(repository)): path
        for package in PACKAGES
        for path in sorted((repository / package).rglob("*.py"))
    }
    paths["app"] = repository / "app.py"
    trees = {name: ast.parse(path.read_text()) for name, path in paths.items()}
    return {
        name: Module(
            name,
            paths[name].relative_to(repository),
            (ast.get_docstring(tree) or "").partition("\n")[0],
            frozenset(find_imports(tree, paths) - {name}),
        )
        for name, tree in sorted(trees.items())
    }


def name_of(path: Path) -> str:
    """The dotted name of a source file, given relative to the repository."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def find_imports(tree: ast.Module, known: dict[str, Path]) -> set[str]:
    """The modules among `known` that a file imports, wherever in the file it does."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            submodules = {f"{node.module}.{alias.name}" for alias in node.names} & known.keys()
            found |= submodules or ({node.module} & known.keys())
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & known.keys()
    return found


def room_of(module: str) -> str:
    """The room that a module lies in: a library, a folder of `studio`, or the ways in."""
    parts = module.split(".")
    if parts[0] in PACKAGES[:-1]:
        return parts[0]
    room = ".".join(parts[:2])
    return room if room in ROOMS else WAYS_IN


def read_arrows(modules: dict[str, Module]) -> dict[str, set[str]]:
    """Who imports whom: for each room the rooms that its modules import.

    The ways in stand above all rooms: what reaches up to them is the architecture test's to refuse.
    """
    arrows: dict[str, set[str]] = {room_of(name): set() for name in modules}
    for module in modules.values():
        arrows[room_of(module.name)] |= {room_of(name) for name in module.imports}
    return {room: targets - {room, WAYS_IN} for room, targets in arrows.items()}


def drop_implied(arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """The arrows that no longer way over other rooms replaces (the transitive reduction).

    Raises:
        graphlib.CycleError: rooms import each other in a circle, which its second argument names.
    """
    reach: dict[str, set[str]] = {}
    for room in TopologicalSorter(arrows).static_order():
        reach[room] = arrows[room].union(*(reach[target] for target in arrows[room]))
    return {
        room: targets - set().union(*(reach[target] for target in targets))
        for room, targets in arrows.items()
    }


def find_floors(arrows: dict[str, set[str]]) -> dict[str, int]:
    """The floor of each room: one above the highest room that it imports; the lowest is 0.

    Raises:
        graphlib.CycleError: rooms import each other in a circle, which its second argument names.
    """
    floors: dict[str, int] = {}
    for room in TopologicalSorter(arrows).static_order():
        floors[room] = 1 + max((floors[target] for target in arrows[room]), default=-1)
    return floors


def list_subrooms(modules: dict[str, Module], room: str) -> list[str]:
    """The folders of a room, by name; none where it has only modules."""
    prefix = room + "."
    folders = {
        name.removeprefix(prefix).split(".")[0]
        for name, module in modules.items()
        if name.startswith(prefix)
        and (module.path.name == "__init__.py" or name.removeprefix(prefix).count("."))
    }
    return sorted(folders)
