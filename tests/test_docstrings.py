"""Everything public in the four packages says what it does, with shapes and errors.

Public is what a module defines without an underscore before its name: functions, classes, and their
methods. A method says as well what its class says, what the methods say that it overrides, and what
it refers to, such as "See `Detector.check`". The sources are read, nothing is imported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("latent", "checkpoints_index", "renderers", "studio")
ARRAYS = re.compile(r"\b(Tensor|ndarray|NDArray|Array)\b")
WEIGHTS = re.compile(r"\b(dict|Mapping|MutableMapping)\[str, [^\[\]]*\]")  # tensors of many shapes
# One side of a shape: N, 3, image_size, ...
SIDE = r"(?!(?:int|float|str|bool|bytes|Path|Tensor)\b)[\w *+/.-]+"
SHAPE = re.compile(rf"\[{SIDE}(, ?{SIDE})*\]|\bscalars?\b")
REFERENCE = re.compile(r"\bsee `(?:\w+\.)*?((?:[A-Z]\w*\.)?\w+)`", re.IGNORECASE)
MAKERS = ("__init__", "__post_init__")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


class Public(NamedTuple):
    """Something public: where it stands, and what it is."""

    place: str  # such as latent/routes.py:12 slerp
    node: Definition
    owner: ast.ClassDef | None  # a method's class

    @property
    def text(self) -> str:
        return ast.get_docstring(self.node) or ""


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def list_public(path: Path, text: str) -> Iterator[Public]:
    """What a module defines publicly, in the order of its lines."""
    name = path.relative_to(ROOT).as_posix() if path.is_absolute() else path.as_posix()
    for node in ast.parse(text).body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield Public(f"{name}:{node.lineno} {node.name}", node, None)
            for method in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(method, Definition) and is_public_method(method):
                    yield Public(f"{name}:{method.lineno} {node.name}.{method.name}", method, node)


def is_public_method(node: Definition) -> bool:
    """Whether a definition in a class is one that people call, and the first of its property."""
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    repeated = any(d.endswith((".setter", ".deleter", "overload")) for d in decorators)
    return not node.name.startswith("_") and not repeated


def mentions_arrays(node: Function) -> bool:
    """Whether an argument or what is returned is an array, or arrays; weights by name are not."""
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    arguments += filter(None, [node.args.vararg, node.args.kwarg])
    annotations = [argument.annotation for argument in arguments] + [node.returns]
    texts = (WEIGHTS.sub("", ast.unparse(annotation)) for annotation in annotations if annotation)
    return any(ARRAYS.search(text) for text in texts)


def raised_names(node: Function) -> set[str]:
    """The names of classes that a function raises itself."""
    raised = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Raise) and isinstance(inner.exc, ast.Call):
            raised.add(ast.unparse(inner.exc.func).rpartition(".")[2])
    return raised


@cache
def classes() -> dict[str, ast.ClassDef]:
    """All classes by name; no two have one name."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in sources())
    found = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    return {node.name: node for node in found}


@cache
def said_by() -> dict[str, str]:
    """The docstrings of all that is public, by names such as `slerp` and `Detector.check`."""
    found = (public for path in sources() for public in list_public(path, path.read_text("utf-8")))
    return {public.place.rpartition(" ")[2]: public.text for public in found}


def list_bases(node: ast.ClassDef) -> list[str]:
    """The names of the classes of ours that a class derives from, itself not included."""
    direct = [ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in node.bases]
    ours = [name for name in direct if name in classes()]
    return ours + [name for base in ours for name in list_bases(classes()[base])]


@cache
def families() -> dict[str, set[str]]:
    """The error classes that we define, each with those among ours that it derives from."""
    errors = {name: node for name, node in classes().items() if name.endswith("Error")}
    return {name: {name, *list_bases(node)} for name, node in errors.items()}


def all_text(public: Public) -> str:
    """What something says itself, and what it takes over from what it belongs or refers to."""
    texts = [public.text]
    if public.owner is not None:
        texts.append(ast.get_docstring(public.owner) or "")
        overridden = (f"{base}.{public.node.name}" for base in list_bases(public.owner))
        texts += [said_by().get(name, "") for name in overridden]
    return "\n".join([*texts, *follow_references(public.text)])


def follow_references(text: str, depth: int = 3) -> Iterator[str]:
    """What a docstring refers to says, and what that refers to."""
    for name in REFERENCE.findall(text) if depth else ():
        referred = said_by().get(name, "")
        yield referred
        yield from follow_references(referred, depth - 1)


def complaints(public: Public, errors: dict[str, set[str]]) -> Iterator[str]:
    """What is wrong with the docstring of something public."""
    node, text = public.node, public.text
    if not text:
        yield "has no docstring"
        return
    if re.search(
        r"^Raises:\n(?!\s+[\w.]*(Error|Exception|Exit|Interrupt|Iteration)\b)", text, re.M
    ):
        yield "says Raises: without the name of an error"
    text = all_text(public)
    checked = [node] if isinstance(node, Function) else []
    if isinstance(node, ast.ClassDef):
        checked = [m for m in node.body if isinstance(m, Function) and m.name in MAKERS]
        text += "".join(ast.get_docstring(maker) or "" for maker in checked)
    elif mentions_arrays(node) and not SHAPE.search(text):
        yield "takes or gives arrays without a shape such as [N, 3, H, W]"
    for name in sorted(set().union(*map(raised_names, checked)) & errors.keys()):
        if not any(re.search(rf"\b{known}\b", text) for known in errors[name]):
            yield f"raises {name} and does not say so"


def find_complaints(paths: list[Path]) -> list[str]:
    errors = families()
    return [
        f"{public.place} {complaint}"
        for path in paths
        for public in list_public(path, path.read_text(encoding="utf-8"))
        for complaint in complaints(public, errors)
    ]


def test_everything_public_says_what_it_does():
    assert find_complaints(sources()) == []


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("def draw(): ...", "draw has no docstring"),
        ("class Map:\n  'A map.'\n  def draw(self): ...", "Map.draw has no docstring"),
        ("def draw(z: Tensor):\n  'Draw int[int].'", "draw takes or gives arrays"),
        ("def draw() -> list[np.ndarray]:\n  'Draw.'", "draw takes or gives arrays"),
        ("def draw():\n  'Draw.'\n  raise LatentError('no')", "draw raises LatentError"),
        ("class Map:\n  'A.'\n  def __init__(self):\n    raise LatentError('')", "Map raises"),
        ("def draw():\n  'Draw.\\n\\nRaises:\\n    if it cannot.'", "draw says Raises:"),
    ],
)
def test_what_is_left_out_is_found(source, complaint):
    (found,) = complaints_of(source)
    assert complaint in found


@pytest.mark.parametrize(
    "source",
    [
        "def _draw(): ...",
        "class _Map:\n  def draw(self): ...",
        "def draw(z: Tensor):\n  'Draw z [N, z_dim].'",
        "def draw(weights: dict[str, Tensor]):\n  'Draw.'",
        "def draw():\n  'Draw.\\n\\nRaises:\\n    LatentError: no.'\n  raise LatentError('no')",
        "class Map:\n  'Raises LatentError.'\n  def __init__(self):\n    raise LatentError('no')",
    ],
)
def test_what_is_said_or_private_is_no_complaint(source):
    assert complaints_of(source) == []


def complaints_of(source: str) -> list[str]:
    errors = families()
    found = list_public(Path("made_up.py"), source)
    return [f"{each.place} {said}" for each in found for said in complaints(each, errors)]
