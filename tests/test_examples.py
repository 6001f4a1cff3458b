"""Every example runs, as a person would run it; and so does the Python of the README."""

import re
import runpy
import shutil
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from studio.training.recipes import RECIPES

REPOSITORY = Path(__file__).parents[1]
EXAMPLES = REPOSITORY / "examples"
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("[!_]*.py"))
SLOW = {"atlas"}  # UMAP is compiled first, which takes most of the time.


def run_example(name, monkeypatch, folder):
    """Run a script in this process, which has imported torch already."""
    monkeypatch.setattr(sys, "argv", [f"examples/{name}.py", str(folder)])
    monkeypatch.syspath_prepend(EXAMPLES)
    with patch.dict(RECIPES):  # A recipe that an example makes known is forgotten afterwards.
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")


@pytest.fixture(scope="module")
def example_workspace(tmp_path_factory):
    """The workspace that examples make where there is none: it is trained once for all of them."""
    folder = tmp_path_factory.mktemp("example") / "workspace"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(sys, "argv", ["example", str(folder)])
        monkeypatch.syspath_prepend(EXAMPLES)
        runpy.run_path(str(EXAMPLES / "_workspace.py"))["open_workspace"]()
    return folder


@pytest.mark.parametrize(
    "name", [pytest.param(s, marks=[pytest.mark.slow] * (s in SLOW)) for s in SCRIPTS]
)
def test_an_example_runs(name, example_workspace, monkeypatch, tmp_path, capsys):
    folder = tmp_path / "folder"
    if "open_workspace" in (EXAMPLES / f"{name}.py").read_text():
        shutil.copytree(example_workspace, folder)
    run_example(name, monkeypatch, folder)
    printed = capsys.readouterr().out
    assert printed
    if name == "own_training_loop":  # keeps every batch in a fraction of the space
        assert float(printed.partition("bytes: ")[2].partition("%")[0]) < 10


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_is_short_and_listed_with_its_first_line(name):
    source = (EXAMPLES / f"{name}.py").read_text()
    assert len(source.splitlines()) <= 45
    first_line = source.partition('"""')[2].partition("\n")[0]
    assert f"| [{name}.py]({name}.py) | {first_line} |" in (EXAMPLES / "README.md").read_text()


def python_of_the_readme():
    return re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)


def test_the_training_loop_of_the_readme_runs(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    loop, reading, *_ = python_of_the_readme()
    short = loop.replace("20_000", "2"), reading.replace("16_500", "1")
    names = {"train_one_batch": lambda G: None}
    for block in short:
        exec(block, names)
    assert names["run"].batches == [0, 1]
    names["run"].close()


@pytest.mark.slow
def test_the_studio_of_the_readme_trains_and_films(monkeypatch, tmp_path):
    import studio

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES)
    pictures = runpy.run_path(str(EXAMPLES / "_workspace.py"))["draw_streets"](tmp_path / "streets")
    studio.open("workspace").datasets_add(folder=pictures, name="mine", image_size=64)
    block = python_of_the_readme()[2].replace("batches=100", "batches=2")
    names = {}
    exec(block, names)
    assert names["job"].status == "done"
    assert [video.frames for video in names["films"].videos] == [2]
