"""A direction by example: these have it, those do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from torch import Tensor

from latent.directions.direction import Direction, unit
from latent.errors import LatentError

MIN_EXAMPLES = 4  # Of each kind: with fewer, nothing can be held out that says anything.
MAX_FOLDS, REPEATS = 5, 2


@dataclass(frozen=True)
class LearntDirection:
    """A direction that examples show, and whether it can be believed.

    Attributes:
        score: the share of held-out examples that it tells right, both kinds counting alike
            (balanced accuracy), 0..1; 0.5 is a coin's.
        spread: the standard deviation of the score from fold to fold.
        chance: the same with the kinds shuffled: the mean of `shuffles` trials.
        p: how often shuffled kinds score as well, 0..1.
    """

    direction: Direction
    score: float
    spread: float
    chance: float
    p: float


def learn_direction(
    name: str, having: Tensor, lacking: Tensor, shuffles: int = 49, seed: int = 0
) -> LearntDirection:
    """Learn the direction from points that lack something to points that have it.

    It is the normal of a linear discriminant with a shrunken covariance (Ledoit and Wolf 2004),
    which holds where there are fewer examples than numbers in z. The score is that of examples
    that were held out, over 5 folds drawn twice.

    Args:
        having, lacking: float32 [N, z_dim], at least MIN_EXAMPLES of each.

    Raises:
        LatentError: there are too few examples, or one is among both.
    """
    fewest = min(len(having), len(lacking))
    if fewest < MIN_EXAMPLES:
        raise LatentError(
            f"A direction is learnt from at least {MIN_EXAMPLES} cities with it and "
            f"{MIN_EXAMPLES} without; there are {len(having)} and {len(lacking)}."
        )
    z = torch.cat([having, lacking]).double().numpy()
    if len(np.unique(z, axis=0)) < len(z):
        raise LatentError("A city is named twice among the examples, or is on both sides.")
    has = np.repeat([1, 0], [len(having), len(lacking)])
    folds = RepeatedStratifiedKFold(
        n_splits=min(MAX_FOLDS, fewest), n_repeats=REPEATS, random_state=seed
    )
    scores = _scores(z, has, folds)
    score = float(scores.mean())
    generator = np.random.default_rng(seed)
    shuffled = [_scores(z, generator.permutation(has), folds).mean() for _ in range(shuffles)]
    normal = torch.from_numpy(_discriminant().fit(z, has).coef_[0])
    sided = unit(normal)
    sided = sided if float(torch.dot(sided.double(), normal)) >= 0 else -sided
    as_well = sum(other >= score for other in shuffled)
    return LearntDirection(
        direction=Direction(name, sided),
        score=score,
        spread=float(scores.std()),
        chance=float(np.mean(shuffled)),
        p=(1 + as_well) / (1 + shuffles),
    )


def _discriminant() -> LinearDiscriminantAnalysis:
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[0.5, 0.5])


def _scores(z: np.ndarray, has: np.ndarray, folds: RepeatedStratifiedKFold) -> np.ndarray:
    """Balanced accuracy of the held-out examples of each fold, float64 [folds]."""
    return np.asarray(
        cross_val_score(_discriminant(), z, has, cv=folds, scoring="balanced_accuracy")
    )
