"""Which generator some weights belong to: by their shapes, or by the name a person gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from checkpoints_index.errors import UnusableFileError
from checkpoints_index.generators import find_architecture
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.importing.chain_options import Hints, describe_chain, usual_activation
from checkpoints_index.importing.layers import order_layers, read_layers
from checkpoints_index.importing.named import spec_by_name
from checkpoints_index.importing.own import recognise_own

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Recognised:
    """A generator, the state dict it expects (on the device "meta"), and what was assumed."""

    spec: GeneratorSpec
    expected: Weights = field(repr=False)
    remarks: tuple[str, ...] = ()


class Recogniser(Protocol):
    """Knows generators by their weights."""

    def recognise(self, weights: Weights) -> Recognised:
        """The generator of these weights; UnusableFileError with the reason where there is none."""
        ...


def choose_recogniser(generator: str | None, options: Mapping[str, Any]) -> Recogniser:
    """By shapes, unless a generator is named with what is needed to build it.

    Args:
        generator: `package.module:Class` or the name of an architecture.
        options: of that class or architecture; without a name, those of `Hints`.

    Raises:
        CheckpointError: there is no such generator, or it does not take the options.
    """
    if generator in (None, "chain", "keras"):
        return ByShapes(Hints.read(options))
    assert generator is not None
    if ":" in generator or options:
        return ByName(spec_by_name(generator, options))
    find_architecture(generator)
    return ByShapes(Hints(), only=generator)


class ByShapes:
    """Recognises our own generators, and any whose layers follow one another.

    Args:
        only: the one architecture that is meant, if a person said so.
    """

    def __init__(self, hints: Hints, only: str | None = None) -> None:
        self._hints, self._only = hints, only
        self._known: dict[tuple[tuple[str, tuple[int, ...]], ...], Recognised | str] = {}

    def recognise(self, weights: Weights) -> Recognised:
        shapes = tuple((name, tuple(tensor.shape)) for name, tensor in weights.items())
        if shapes not in self._known:
            try:
                self._known[shapes] = self._recognise(weights)
            except UnusableFileError as reason:
                self._known[shapes] = str(reason)
        known = self._known[shapes]
        if isinstance(known, str):
            raise UnusableFileError(known)
        return known

    def _recognise(self, weights: Weights) -> Recognised:
        own = recognise_own(weights)
        if own is not None and self._only in (None, own.architecture):
            return Recognised(own, own.expected_weights())
        if self._only is not None:
            raise UnusableFileError(f"holds weights that are not those of '{self._only}'")
        steps = order_layers(read_layers(weights))
        spec = describe_chain(steps, self._hints)
        activation = self._hints.activation or usual_activation(steps)
        assumed = (
            f"Shapes do not show activations: {activation} between layers and "
            f"{self._hints.output} at the end are taken, as is usual. "
            "Others: --option activation=relu or leaky_relu, --option output=tanh or sigmoid."
        )
        return Recognised(spec, spec.expected_weights(), (assumed,))


class ByName:
    """Recognises the weights of one generator, by the names and shapes of its tensors."""

    def __init__(self, spec: GeneratorSpec) -> None:
        self._recognised = Recognised(spec, spec.expected_weights())

    def recognise(self, weights: Weights) -> Recognised:
        expected = self._recognised.expected
        extra = [name for name in weights if name not in expected and "num_batches" not in name]
        names = [*expected, *extra]
        differing = [name for name in names if _shape(weights, name) != _shape(expected, name)]
        if differing:
            name = differing[0]
            raise UnusableFileError(
                f"does not fit '{self._recognised.spec.architecture}': '{name}' is "
                f"{_shape(weights, name)} in it and {_shape(expected, name)} in the class"
            )
        return self._recognised


def _shape(weights: Weights, name: str) -> str:
    return str(list(weights[name].shape)) if name in weights else "missing"
