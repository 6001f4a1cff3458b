"""What it takes to rebuild a generator: the name of its architecture and its options."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checkpoints_index.errors import CheckpointError, UndrawnPointsError, UntrustedClassError
from checkpoints_index.generators.class_places import is_loaded
from checkpoints_index.generators.sizes import refuse_sizes

if TYPE_CHECKING:
    from torch import Tensor, nn

NORMAL, UNIFORM, SPHERE, PICTURE = "normal", "uniform", "sphere", "picture"
Z_DISTRIBUTIONS = (NORMAL, UNIFORM, SPHERE)  # Those whose points can be drawn.
# The distribution that belongs to an architecture, whoever trains it; normal for all others.
OWN_DISTRIBUTIONS = {"letters": PICTURE, "shufflemixer": PICTURE}
UNIFORM_BORDER = 2.0**-24  # The last float32 before 1 lies so far from it; 1 itself is infinity.
ROUNDING = 1e-4  # A point is on the sphere, or within the borders, but for so much.


@dataclass(frozen=True)
class GeneratorSpec:
    """An architecture by name, and the options it is built with.

    Args:
        architecture: "dcgan", "residual", "skyline", "shufflemixer", "letters", "chain", "keras",
            or `package.module:Class`.
        options: what it is constructed with, of JSON's types.
        trusted: whether the class may be imported; a spec that was read from a run's folder may
            name one that nobody here has named.
        z_distribution: how its latent points are distributed: "normal", N(0, I); "uniform", each
            number in -1..1; "sphere", of length 1 in every direction alike; "picture", pictures
            in -1..1 that somebody has, flattened, which cannot be drawn. By default that of the
            architecture.
        place: the file or folder of its package that alone may be imported; None for whatever is
            found.

    Raises:
        CheckpointError: there is no such distribution, or the architecture has another.

    Example:
        >>> import torch
        >>> spec = GeneratorSpec("dcgan", {"z_dim": 100, "image_size": 32, "width": 0.125})
        >>> spec.build()(torch.zeros(2, spec.z_dim)).shape
        torch.Size([2, 3, 32, 32])
    """

    architecture: str
    options: dict[str, Any] = field(default_factory=dict)
    trusted: bool = field(default=True, compare=False, repr=False)
    place: Path | None = field(default=None, compare=False, repr=False)
    z_distribution: str = ""

    def __post_init__(self) -> None:
        own = OWN_DISTRIBUTIONS.get(self.architecture)
        if not self.z_distribution:
            object.__setattr__(self, "z_distribution", own or NORMAL)
        if self.z_distribution not in (*Z_DISTRIBUTIONS, PICTURE):
            raise CheckpointError(
                f"z_distribution: {self.z_distribution!r:.40} is none of "
                f"{', '.join((*Z_DISTRIBUTIONS, PICTURE))}."
            )
        if own not in (None, self.z_distribution):
            raise CheckpointError(
                f"Latent points of the generator '{self.architecture}' are of the distribution "
                f"'{own}', not '{self.z_distribution}'. Leave z_distribution out."
            )

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
        kept = {"architecture": self.architecture, "options": self.options}
        is_usual = self.z_distribution == OWN_DISTRIBUTIONS.get(self.architecture, NORMAL)
        return kept if is_usual else {**kept, "z_distribution": self.z_distribution}

    @property
    def can_draw(self) -> bool:
        """Whether its latent points can be drawn by a seed, rather than being given."""
        return self.z_distribution != PICTURE

    def require_drawn(self, run: str = "") -> None:
        """Refuse to draw latent points of a generator whose points are given.

        Args:
            run: the run that somebody asked about, where there is one.

        Raises:
            UndrawnPointsError: the text says what can be done instead.
        """
        if not self.can_draw:
            raise UndrawnPointsError(run)

    @property
    def shape_drawn(self) -> Callable[[Tensor], Tensor]:
        """`shape_z` for points that are drawn.

        Raises:
            UndrawnPointsError: its points cannot be drawn.
        """
        self.require_drawn()
        return self.shape_z

    def shape_z(self, normal: Tensor) -> Tensor:
        """Latent points of the generator's distribution from those of a normal one.

        Pictures stay as they are: what lies between two of them is a picture too, though none that
        was drawn; see `shape_drawn`.

        Args:
            normal: float [..., z_dim] ~ N(0, I).

        Returns:
            float [..., z_dim]; near points stay near.

        Example:
            >>> import torch
            >>> spec = GeneratorSpec("dcgan", {"z_dim": 2}, z_distribution="sphere")
            >>> spec.shape_z(torch.tensor([3.0, 4.0])).tolist()
            [0.6000000238418579, 0.800000011920929]
        """
        shaped: Tensor = normal
        if self.z_distribution == UNIFORM:
            # The normal distribution function takes N(0, 1) to the uniform distribution.
            shaped = (normal / math.sqrt(2)).erf()
        if self.z_distribution == SPHERE:
            shaped = normal / normal.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        return shaped

    def unshape_z(self, z: Tensor) -> Tensor:
        """Points of N(0, I) that `shape_z` takes to these, so that points can be added as such.

        Args:
            z: float [..., z_dim] of the generator's distribution; numbers beyond -1..1 of a uniform
                one count as its borders, and a sphere's points are given the usual length.

        Returns:
            float [..., z_dim].

        Example:
            >>> import torch
            >>> spec = GeneratorSpec("dcgan", {"z_dim": 2}, z_distribution="sphere")
            >>> spec.unshape_z(torch.tensor([0.0, 1.0])).tolist()
            [0.0, 1.4142135381698608]
        """
        import torch

        if self.z_distribution == UNIFORM:
            inside = z.clamp(-1 + UNIFORM_BORDER, 1 - UNIFORM_BORDER)
            return torch.erfinv(inside) * math.sqrt(2)
        if self.z_distribution == SPHERE:
            return self.shape_z(z) * math.sqrt(z.shape[-1])
        return z

    def holds_z(self, z: Tensor) -> bool:
        """Whether all of these points, float [..., z_dim], are of its distribution."""
        if self.z_distribution in (UNIFORM, PICTURE):
            return bool((z.abs() <= 1 + ROUNDING).all())
        if self.z_distribution == SPHERE:
            return bool(((z.norm(dim=-1) - 1).abs() <= ROUNDING).all())
        return bool(z.isfinite().all())

    @property
    def typical_length(self) -> float:
        """The root mean square of |z| over the points of its distribution.

        Of pictures it is that of numbers that are equally often everywhere in -1..1.
        """
        third = self.z_dim / 3
        squares = {NORMAL: self.z_dim, UNIFORM: third, SPHERE: 1, PICTURE: third}
        return math.sqrt(squares[self.z_distribution])

    @classmethod
    def from_json(cls, document: Any, trusted: bool = True) -> GeneratorSpec:
        """What `to_json` gave, or somebody else wrote.

        Raises:
            ValueError: it describes no generator.
        """
        if not isinstance(document, dict) or not {"architecture", "options"} <= document.keys():
            raise ValueError("it describes no generator")
        architecture, options = document["architecture"], document["options"]
        if not isinstance(architecture, str) or not isinstance(options, dict):
            raise ValueError("its generator has no name, or no options")
        distribution = document.get("z_distribution", "")
        try:
            refuse_sizes(options)
            spec = cls(architecture, options, trusted, z_distribution=distribution)
        except CheckpointError as error:
            raise ValueError(str(error).rstrip(".")) from error
        if spec.z_dim < 1 or spec.image_size < 1:
            raise ValueError(f"its generator makes {spec.image_size} px of {spec.z_dim} numbers")
        return spec

    def build(self) -> nn.Module:
        """The untrained generator, in eval mode: z float [N, z_dim] -> float [N, 3, H, W] in -1..1.

        Raises:
            CheckpointError: no architecture has that name, or it does not take one of the options.
            UntrustedClassError: a run's folder names a class that nobody named here, or it lies
                elsewhere than it did then.
        """
        foreign = ":" in self.architecture
        if foreign and not self.trusted and not is_loaded(self.architecture):
            raise UntrustedClassError(self.architecture)
        from checkpoints_index.generators.architectures import build_generator

        return build_generator(self.architecture, self.options, self.place).eval()

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
