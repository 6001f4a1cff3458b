"""What the points of a group have in common that the others lack, and whether that is chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import hypergeom, norm

LEAST_EFFECT = 0.8  # Cohen (1988) calls this a large effect; smaller ones are not told.
LEVEL = 0.01  # How often chance may tell anything of any group.
MOST = 3  # So many traits of a group are told.


@dataclass(frozen=True)
class Commonality:
    """A trait in which a group differs from the other points.

    Args:
        trait: its name.
        effect: by how many standard deviations the group's mean lies above that of the others
            (Cohen's d); below 0 where it is less. Of a label, the share of its points that lie in
            the group over the group's share of all.
        inside, outside: the means, or the shares of points with the label.
    """

    trait: str
    effect: float
    inside: float
    outside: float


def find_commonalities(
    members: np.ndarray, traits: Mapping[str, np.ndarray]
) -> list[list[Commonality]]:
    """Find in which measured traits each group lies apart from all other points.

    A trait is told where its effect is large and beyond what chance would give with so many groups
    and traits (a normal bound for Cohen's d, Hedges and Olkin 1985, after Bonferroni). Groups that
    were found by the traits themselves would pass more easily: measure other ones.

    Args:
        members: int [N], the group of each point, -1 where it is in none.
        traits: name -> float [N].

    Returns:
        For each group from 0 on the traits that are told, the largest effect first, MOST at most.
    """
    groups = int(members.max(initial=-1)) + 1
    bound = float(norm.isf(LEVEL / 2 / max(1, groups * len(traits))))
    found = []
    for group in range(groups):
        inside = members == group
        measured = [_compare(name, values, inside, bound) for name, values in traits.items()]
        told = [each for each in measured if each is not None]
        found.append(sorted(told, key=lambda each: -abs(each.effect))[:MOST])
    return found


def _compare(name: str, values: np.ndarray, inside: np.ndarray, bound: float) -> Commonality | None:
    here, there = values[inside].astype(np.float64), values[~inside].astype(np.float64)
    if len(here) < 2 or len(there) < 2:
        return None
    freedom = len(values) - 2
    spread = np.sqrt((here.var() * len(here) + there.var() * len(there)) / freedom)
    if not spread > 0:
        return None
    effect = float((here.mean() - there.mean()) / spread)
    error = np.sqrt(1 / len(here) + 1 / len(there) + effect**2 / (2 * len(values)))
    if abs(effect) < max(LEAST_EFFECT, bound * error):
        return None
    return Commonality(name, effect, float(here.mean()), float(there.mean()))


def find_common_labels(
    members: np.ndarray, labels: Mapping[str, Sequence[int]], marked: Sequence[int]
) -> list[list[Commonality]]:
    """Find which labels that somebody gave to some points gather in each group.

    Only points that somebody looked at count: the others lack labels because nobody gave them any.
    A label is told where so many of it in one group would be chance in fewer than LEVEL of all
    cases, over all groups and labels (the hypergeometric test, after Bonferroni).

    Args:
        members: int [N], as `find_commonalities` takes them.
        labels: label -> numbers of the points that have it.
        marked: numbers of all points that were looked at.
    """
    groups, looked_at = int(members.max(initial=-1)) + 1, sorted(set(marked))
    level = LEVEL / max(1, groups * len(labels))
    found: list[list[Commonality]] = [[] for _ in range(groups)]
    for group, told in enumerate(found):
        size = int((members[looked_at] == group).sum()) if looked_at else 0
        for name, numbers in labels.items():
            here, count = int((members[list(numbers)] == group).sum()), len(numbers)
            if here and hypergeom.sf(here - 1, len(looked_at), count, size) < level:
                outside = (count - here) / max(1, len(looked_at) - size)
                effect = (here / count) / (size / len(looked_at))
                told.append(Commonality(name, effect, here / size, outside))
    return found
