"""Imports run one way: latent <- checkpoints_index, latent <- renderers, studio on top."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
ROOMS = {"latent", "checkpoints_index", "renderers", "studio", "app"}
MAY_IMPORT = {
    "latent": set(),
    "checkpoints_index": {"latent"},
    "renderers": {"latent"},
    "studio": {"latent", "checkpoints_index", "renderers"},
}


def imported_rooms(path):
    """(line, room) of every import of ours, wherever in the file it stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from ((node.lineno, name.split(".")[0]) for name in names)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_run_one_way(room):
    files = list((REPOSITORY / room).rglob("*.py"))
    assert files
    wrong = [
        f"{path.relative_to(REPOSITORY)}:{line} imports {name}"
        for path in files
        for line, name in imported_rooms(path)
        if name in ROOMS - MAY_IMPORT[room] - {room}
    ]
    assert wrong == []


def test_one_module_opens_the_database():
    users = {
        str(path.relative_to(REPOSITORY))
        for room in MAY_IMPORT
        for path in (REPOSITORY / room).rglob("*.py")
        if "sqlite3.connect" in path.read_text()
    }
    assert users == {"studio/workspace/database.py"}


def test_every_command_is_in_the_readme():
    from studio.actions.catalogue import known_actions

    readme = (REPOSITORY / "README.md").read_text()
    commands = ["demo", "app", *known_actions()]
    assert [name for name in commands if f"studio {name}" not in readme] == []
