"""What it takes to rebuild a generator: the name of its architecture and its options."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from checkpoints_index.errors import UntrustedClassError

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class GeneratorSpec:
    """An architecture by name, and the options it is built with.

    Args:
        architecture: "dcgan", "residual", "skyline", "chain", "keras", or `package.module:Class`.
        options: what it is constructed with, of JSON's types.
        trusted: whether the class may be imported; a spec that was read from a run's folder may
            name one that nobody here has named.

    Example:
        >>> import torch
        >>> spec = GeneratorSpec("dcgan", {"z_dim": 100, "image_size": 32, "width": 0.125})
        >>> spec.build()(torch.zeros(2, spec.z_dim)).shape
        torch.Size([2, 3, 32, 32])
    """

    architecture: str
    options: dict[str, Any] = field(default_factory=dict)
    trusted: bool = field(default=True, compare=False, repr=False)

    @property
    def z_dim(self) -> int:
        """Length of a latent point."""
        return int(self.options.get("z_dim", 100))

    @property
    def image_size(self) -> int:
        """Width and height of a picture in px."""
        return int(self.options.get("image_size", 64))

    @property
    def is_ours(self) -> bool:
        """Whether the architecture belongs to this package, rather than to somebody else."""
        return ":" not in self.architecture and self.architecture != "keras"

    def to_json(self) -> dict[str, Any]:
        """What a run's folder keeps of it."""
        return {"architecture": self.architecture, "options": self.options}

    def build(self) -> nn.Module:
        """The untrained generator, in eval mode: z float [N, z_dim] -> float [N, 3, H, W] in -1..1.

        Raises:
            CheckpointError: no architecture has that name, or it does not take one of the options.
            UntrustedClassError: a run's folder names a class that nobody named here.
        """
        foreign = ":" in self.architecture
        if foreign and not self.trusted and not is_loaded(self.architecture):
            raise UntrustedClassError(self.architecture)
        from checkpoints_index.generators.architectures import build_generator

        return build_generator(self.architecture, self.options).eval()

    def expected_weights(self) -> dict[str, Tensor]:
        """Names, shapes and dtypes of its state dict, as tensors without content.

        It draws no random numbers, so that a seeded training goes the same way with and without.

        Raises:
            CheckpointError: as `build`.
        """
        import torch

        with torch.random.fork_rng(devices=[]), torch.device("meta" if self.is_ours else "cpu"):
            weights = self.build().state_dict()
        return {name: tensor.to("meta") for name, tensor in weights.items()}


def is_loaded(name: str) -> bool:
    """Whether this process has imported the class `package.module:Class` already, of its own.

    Example:
        >>> is_loaded("checkpoints_index.generators.spec:GeneratorSpec"), is_loaded("evil:G")
        (True, False)
    """
    module, _, found = name.partition(":")
    return hasattr(sys.modules.get(module), found) if module and found else False
