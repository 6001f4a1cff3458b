"""Which of several runs is the best, by the scores that their recipes judge them by."""

from __future__ import annotations

import math
from collections.abc import Sequence

from studio.runs.comparison import RunProgress
from studio.runs.status import read_config
from studio.training.recipes import RECIPES
from studio.workspace.paths import Workspace


def best_first(workspace: Workspace, runs: Sequence[RunProgress]) -> list[RunProgress]:
    """Runs by the error that the score of their recipe is, the least first.

    Those without a score come last. Errors of different recipes cannot be held against each other,
    so that runs of a recipe stand together.
    """
    recipes = [read_config(workspace, run.name).recipe for run in runs]

    def rank(position: int) -> tuple[int, float]:
        run, recipe = runs[position], RECIPES.get(recipes[position])
        score = recipe.score if recipe else None
        value = run.figures.get(score.metric) if score else None
        error = math.inf if score is None or value is None else score.to_error(value)
        return recipes.index(recipes[position]), error

    return [runs[position] for position in sorted(range(len(runs)), key=rank)]
