"""What is installed: typed packages, no more dependencies than are imported, light imports."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("latent", "checkpoints_index", "renderers", "studio")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# The names under which libraries are installed, where they are imported under others.
INSTALLED_AS = {"PIL": "pillow", "sklearn": "scikit-learn", "umap": "umap-learn"}
BROUGHT_BY = {"llvmlite": "numba", "starlette": "gradio", "fastapi": "gradio", "uvicorn": "gradio"}
BROUGHT_BY |= {"mcp-types": "mcp", "anyio": "gradio", "httpx2": "huggingface-hub"}


def name_of(requirement: str) -> str:
    """The library of a requirement such as `ray>=2.52,<3`."""
    return re.split(r"[\[<>=~!; ]", requirement)[0].lower()


def imported_libraries() -> set[str]:
    """The libraries that the packages import anywhere, named as they are installed."""
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found.update(alias.name.split(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    found.add(node.module.split(".")[0])
    found -= {*PACKAGES, *sys.stdlib_module_names}
    named = (INSTALLED_AS.get(name, name.replace("_", "-")) for name in found)
    return {BROUGHT_BY.get(name, name) for name in named}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    base = {name_of(requirement) for requirement in PROJECT["dependencies"]}
    extras = PROJECT["optional-dependencies"]
    optional = {
        name_of(requirement)
        for extra in ("cluster", "demo", "keras", "mcp", "scores", "tensorboard")
        for requirement in extras[extra]
    }
    imported = imported_libraries()
    assert imported - base - optional == set()
    assert base <= imported


def test_packages_say_that_they_have_types():
    assert [name for name in PACKAGES if not (ROOT / name / "py.typed").is_file()] == []


@pytest.mark.parametrize(
    "imports",
    [
        "from checkpoints_index import CheckpointIndex, GeneratorSpec",
        "from renderers.jobs.rendering import render_film",
    ],
)
def test_what_others_build_on_imports_no_screen_and_no_atlas(imports):
    program = (
        f"import sys; {imports}\n"
        "heavy = {'gradio', 'umap', 'sklearn', 'ray', 'tensorboard', 'studio'}\n"
        "sys.exit(', '.join(heavy & sys.modules.keys()) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True)
    assert (ended.returncode, ended.stderr.decode()) == (0, "")
