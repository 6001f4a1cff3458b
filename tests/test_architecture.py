"""The house: rooms in their order, imports that run one way, names that stand once.

A room is a folder of modules, or a module that lies beside folders. Within every folder, the things
that lie in it (modules and folders) import each other without a circle, and in the order below
where it is written down.
"""

import ast
import re
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGES = ("latent", "checkpoints_index", "renderers", "studio")
MAX_MODULES = 14
# Each line of rooms, separated by spaces, stands on the lines before it alone.
ORDER = {
    "": [["latent", "checkpoints_index"], ["renderers"], ["studio"]],
    "checkpoints_index": [
        *(["errors"], ["generators"], ["storage"], ["codec"], ["reading"], ["writing"]),
        *(["upkeep"], ["run"], ["index"], ["importing"]),
    ],
    "renderers": [
        *(
            ["errors", "progress"],
            ["files"],
            ["destinations"],
            ["frames"],
            ["pictures"],
            ["compositions"],
            ["video"],
            ["upscaling"],
            ["plan"],
        ),
        ["jobs"],
    ],
    "studio": [
        *(
            ["workspace"],
            ["datasets"],
            ["runs"],
            ["specimens"],
            ["upscaling"],
            ["atlases"],
            ["exploration"],
            ["nearness"],
            ["training"],
            ["upkeep"],
        ),
        *(
            ["films"],
            ["publishing"],
            ["actions"],
            ["command_line", "screens"],
            ["app"],
            ["demo"],
            ["main"],
        ),
        ["__main__"],
    ],
    "studio.training": [
        *(["machine"], ["data", "discriminators", "scores"], ["recipes"], ["monitor"]),
        *(["loop"], ["setup"]),
        ["surgery"],
    ],
    "studio.screens": [
        *(["safety"], ["parts", "programs"], ["menu"]),
        ["train", "checkpoints", "explore", "render", "specimens", "compare", "jobs"],
        *(["home"], ["server"]),
    ],
}
NOT_OF_EACH_OTHER = [("checkpoints_index", "latent"), ("renderers", "checkpoints_index")]
OLD_NAMES = (
    *("sitting", "surroundings", "material", "chances", "descent", "teach_d", "teach_g"),
    *("surety", "follow_with_average", "nulls", "promise", "hop", "crew", "lanes", "desk"),
    *("telling", "quietly", "dial", "holdings", "wishes", "rig", "cast", "plate", "canvas"),
    *("alone", "team", "draft", "leg", "judge", "inventory", "visit"),
)


def modules():
    """Every module of ours by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            parts = path.relative_to(REPOSITORY).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imported_modules(path):
    """The modules of ours that a module imports, wherever in the file it does."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in MODULES or node.module in MODULES:
                    yield inner if inner in MODULES else node.module


IMPORTS = {name: set(imported_modules(path)) - {name} for name, path in MODULES.items()}
FOLDERS = ["", *sorted(name for name, path in MODULES.items() if path.name == "__init__.py")]


def edges_within(folder):
    """What lies in a folder -> what of the same folder it imports, with the modules that do."""
    start = f"{folder}." if folder else ""
    edges = defaultdict(lambda: defaultdict(set))
    for name, imported in IMPORTS.items():
        if not name.startswith(start):
            continue
        own = name[len(start) :].split(".")[0]
        for other in imported:
            if other.startswith(start) and (target := other[len(start) :].split(".")[0]) != own:
                edges[own][target].add(f"{name} imports {other}")
    return edges


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_lies_in_a_folder_imports_each_other_without_a_circle(folder):
    TopologicalSorter(
        {room: set(others) for room, others in edges_within(folder).items()}
    ).prepare()


@pytest.mark.parametrize("folder", ORDER)
def test_rooms_know_only_the_rooms_below_them(folder):
    floors = {room: floor for floor, rooms in enumerate(ORDER[folder]) for room in rooms}
    edges = edges_within(folder)
    start = f"{folder}." if folder else ""
    there = {name[len(start) :].split(".")[0] for name in MODULES if name.startswith(start)}
    assert there == set(floors), "every room has its place in the order"
    wrong = [
        reason
        for room, others in edges.items()
        for other, reasons in others.items()
        if floors[other] >= floors[room]
        for reason in reasons
    ]
    assert wrong == []


@pytest.mark.parametrize(("package", "other"), NOT_OF_EACH_OTHER)
def test_libraries_do_not_know_each_other(package, other):
    edges = edges_within("")
    assert not edges[package][other]
    assert not edges[other][package]


def test_no_folder_holds_more_modules_than_one_can_look_over():
    count = defaultdict(int)
    for path in MODULES.values():
        count[path.parent] += path.name != "__init__.py"
    assert {str(f): n for f, n in count.items() if n > MAX_MODULES} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_two_modules_of_a_package_have_one_name(package):
    places = defaultdict(list)
    for name, path in MODULES.items():
        if name.split(".")[0] == package and path.name != "__init__.py":
            places[path.name].append(name)
    assert [names for names in places.values() if len(names) > 1] == []


def test_no_two_public_classes_have_one_name():
    places = defaultdict(list)
    for name, path in MODULES.items():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(name)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def names_in(path):
    """The words of every name that a module gives: classes, functions, arguments, variables."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            given = node.name
        elif isinstance(node, ast.arg):
            given = node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            given = node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            given = node.attr
        else:
            continue
        yield node.lineno, given


def test_no_name_is_of_the_words_that_were_given_up():
    old = re.compile(rf"(?:^|_)(?:{'|'.join(OLD_NAMES)})s?(?:_|$)", re.IGNORECASE)
    found = [
        f"{path.relative_to(REPOSITORY)}:{line} {name}"
        for path in MODULES.values()
        for line, name in names_in(path)
        if old.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name))
        or re.match(r"(MOST|FEWEST|LARGEST)_", name)
    ]
    assert found == []


def test_one_module_opens_the_database():
    users = {name for name, path in MODULES.items() if "sqlite3.connect" in path.read_text()}
    assert users == {"studio.workspace.database"}


def test_every_command_is_in_the_readme():
    from studio.actions.catalogue import known_actions

    readme = (REPOSITORY / "README.md").read_text()
    commands = ["demo", "app", *known_actions()]
    assert [name for name in commands if f"studio {name}" not in readme] == []
