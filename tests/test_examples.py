"""Every example runs, as a person would run it."""

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py") if not path.stem.startswith("_"))


def run_example(name, monkeypatch, *words):
    """Run a script in this process, which has imported torch already."""
    monkeypatch.setattr(sys, "argv", [f"examples/{name}.py", *map(str, words)])
    monkeypatch.syspath_prepend(EXAMPLES)
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_runs(name, monkeypatch, tmp_path, capsys):
    run_example(name, monkeypatch, tmp_path / "folder")
    assert capsys.readouterr().out


def test_the_example_of_a_training_loop_keeps_every_batch_small(monkeypatch, tmp_path, capsys):
    run_example("own_training_loop", monkeypatch, tmp_path)
    share = float(capsys.readouterr().out.partition("bytes: ")[2].partition("%")[0])
    assert share < 10


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_is_short(name):
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) <= 50
