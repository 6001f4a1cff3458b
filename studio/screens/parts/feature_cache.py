"""A cache of features: looking at the next neighbour asks for most of them again."""

from __future__ import annotations

import threading
from collections import OrderedDict

import torch
from torch import Tensor, nn

from latent.nearness.features import Space, compute_features

TABLES = 3  # Pairs of a checkpoint and a space that are kept at most.


class FeatureCache:
    """One table of rows for each checkpoint and space; the newest few are kept."""

    def __init__(self) -> None:
        self._tables: OrderedDict[tuple[str, Space], dict[bytes, Tensor]] = OrderedDict()
        self._turn = threading.Lock()

    def describe(self, digest: str, G: nn.Module, z: Tensor, space: Space) -> Tensor:
        """Compute the features of latent points, those alone that are new.

        Args:
            digest: that of the weights of G.
            z: float32 [N, z_dim].
            space: see `latent.nearness.features`.

        Returns:
            float32 [N, D], as `compute_features` gives them.
        """
        with self._turn:
            table = self._tables.setdefault((digest, space), {})
            self._tables.move_to_end((digest, space))
            keys = [row.numpy().tobytes() for row in z]
            new = [i for i, key in enumerate(keys) if key not in table]
            if new:
                for i, row in zip(new, compute_features(G, z[new], space), strict=True):
                    table[keys[i]] = row
            while len(self._tables) > TABLES:
                self._tables.popitem(last=False)
            return torch.stack([table[key] for key in keys])
