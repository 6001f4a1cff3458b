"""Benchmarks are run by hand and seldom, and have to be there when somebody wants to measure."""

import importlib
import pkgutil

import pytest

import benchmarks
from benchmarks.hostile import PARTS

NOT_RUN = "made_up_atlas"  # It makes for others what they measure.
NAMES = [
    module.name
    for module in pkgutil.iter_modules(benchmarks.__path__)
    if not module.ispkg and module.name != NOT_RUN
]


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_can_be_run_as_it_says(name):
    module = importlib.import_module(f"benchmarks.{name}")
    assert callable(module.main)
    assert f"python -m benchmarks.{name}" in module.__doc__


def test_each_kind_of_attack_can_be_made():
    for part in PARTS:
        assert callable(importlib.import_module(f"benchmarks.hostile_parts.{part}").attack)
