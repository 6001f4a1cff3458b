"""What the cities of each cluster of an atlas share: in their pictures, and in their tags."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from latent.maps.commonalities import find_common_labels, find_commonalities
from studio.atlases.atlas_files import AtlasTrait
from studio.atlases.picture_traits import measure_traits, name_trait
from studio.specimens.points import TAG
from studio.specimens.specimens import list_specimens
from studio.workspace.paths import Workspace


def find_shared(
    workspace: Workspace,
    run: str,
    labels: Sequence[str],
    members: np.ndarray,
    thumbnails: np.ndarray,
) -> list[list[AtlasTrait]]:
    """Find what sets each cluster apart from all other cities.

    Args:
        labels: of the cities, N of them.
        members: int [N], the cluster of each, -1 where it is in none.
        thumbnails: uint8 [N, S, S, 3].

    Returns:
        For each cluster its traits; none where nothing that was looked at is beyond chance.
    """
    number = {label: n for n, label in enumerate(labels)}
    tagged: dict[str, list[int]] = {}
    marked = [s for s in list_specimens(workspace, run) if s.label in number and s.tags]
    for specimen in marked:
        for tag in specimen.tags:
            tagged.setdefault(f"{TAG}{tag}", []).append(number[specimen.label])
    by_tags = find_common_labels(members, tagged, [number[s.label] for s in marked])
    by_pictures = find_commonalities(members, measure_traits(thumbnails))
    return [
        [
            AtlasTrait(
                each.trait,
                _say(each.trait, each.effect),
                *(round(value, 4) for value in (each.effect, each.inside, each.outside)),
            )
            for each in (*pictures, *tags)
        ]
        for pictures, tags in zip(by_pictures, by_tags, strict=True)
    ]


def _say(trait: str, effect: float) -> str:
    if trait.startswith(TAG):
        return f"tagged {trait.removeprefix(TAG)}"
    return name_trait(trait, effect)
