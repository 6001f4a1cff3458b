"""Style sheets and scripts are there, also where the studio is installed, and belong together."""

import re
import tomllib
from pathlib import Path

import pytest

from studio.screens import server
from studio.screens.parts.assets import read_asset
from studio.screens.render.film_list import film_styles

SCREENS = Path(server.__file__).parent
PROJECT = SCREENS.parents[1] / "pyproject.toml"
SHEETS, SCRIPTS = sorted(SCREENS.rglob("*.css")), sorted(SCREENS.rglob("*.js"))


def test_the_wheel_takes_style_sheets_and_scripts_along():
    project = tomllib.loads(PROJECT.read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["*"]
    assert {"*.css", "*.js", "*.html"} <= set(patterns)
    assert all((path.parent / "__init__.py").exists() for path in SHEETS + SCRIPTS)


def test_every_style_sheet_is_used_once():
    page = server.page_styles()
    scoped = [film_styles(), read_asset("studio.screens.compare", "players.css")]
    for path in SHEETS:
        text = path.read_text()
        assert (text in page) != (text in scoped), path.name


@pytest.mark.parametrize("path", SHEETS, ids=lambda path: path.name)
def test_every_class_of_a_style_sheet_is_named_in_the_code(path):
    sheet = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    selectors = " ".join(re.findall(r"([^{}]*)\{", sheet))
    written = [*SCREENS.rglob("*.py"), *SCREENS.rglob("*.html"), *SCREENS.rglob("*.svg"), *SCRIPTS]
    code = "".join(p.read_text() for p in written)
    gradios = {
        "gradio-container",
        "prose",
        "html-container",
        "wrap",
        "contain",
        "form",
        "container",
        "fillable",
    }
    gradios |= {
        "tab-wrapper",
        "tab-container",
        "selected",
        "tabitem",
        "icon-wrap",
        "label-wrap",
        "dark",
        "toast-wrap",
    }
    named = set(re.findall(r"\.([a-z][\w-]*)", selectors)) - gradios
    statuses = {"queued", "running", "training", "finished", "done", "failed", "damaged"}
    statuses |= {"interrupted", "paused", "alarm", "changed", "rolled_back"}
    assert {name for name in named - statuses if not re.search(rf"\b{name}\b", code)} == set()
