"""Recognising the generator of some weights: by shapes, or by the name that a person gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from torch import Tensor

from checkpoints_index.errors import UnusableFileError
from checkpoints_index.generators.architectures import find_architecture
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.importing.chain_options import DescribedChain, describe_chain
from checkpoints_index.importing.chains.fitting import KINDS, NORMS, Fit, fit_chain
from checkpoints_index.importing.chains.hints import (
    ACTIVATIONS,
    OUTPUTS,
    Hints,
    say_epses,
    say_layer,
)
from checkpoints_index.importing.formats.folded_norms import fold_norms
from checkpoints_index.importing.layers import order_layers, read_layers
from checkpoints_index.importing.named import find_noise, spec_by_name
from checkpoints_index.importing.own import recognise_own
from checkpoints_index.importing.refusals import AssumedActivations, ToldByStatistics

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Recognised:
    """What some weights were recognised as.

    Args:
        spec: the generator.
        expected: the state dict that it expects, on the device "meta".
        remarks: sentences about what was assumed.
    """

    spec: GeneratorSpec
    expected: Weights = field(repr=False)
    remarks: tuple[str, ...] = ()


class Recogniser(Protocol):
    """Knows generators by their weights."""

    def prepare(self, weights: Weights) -> Weights:
        """The weights as the generator takes them; the factors of norms may be folded."""
        ...

    def recognise(self, weights: Weights) -> Recognised:
        """The generator of some weights.

        Raises:
            UnusableFileError: there is none; the text is the reason.
        """
        ...


def are_finite(weights: Weights) -> bool:
    """Whether all weights are numbers."""
    return all(bool(tensor.isfinite().all()) for tensor in weights.values())


def choose_recogniser(
    generator: str | None, options: Mapping[str, Any], z_distribution: str | None = None
) -> Recogniser:
    """By shapes, unless a generator is named with what is needed to build it.

    Args:
        generator: `package.module:Class` or the name of an architecture.
        options: those of that class or architecture; without a name, those of `Hints`.
        z_distribution: how its latent points are distributed; None: as it is told, or normal.

    Raises:
        CheckpointError: there is no such generator, or it does not take the options.
    """
    if generator in (None, "chain", "keras"):
        return ByShapes(Hints.read(options), z_distribution)
    assert generator is not None
    if ":" in generator or options:
        return ByName(distribute(spec_by_name(generator, options), z_distribution))
    find_architecture(generator)
    return ByShapes(Hints(), z_distribution, generator)


def distribute(spec: GeneratorSpec, z_distribution: str | None) -> GeneratorSpec:
    """The generator with what a person said of its latent points; None for nothing.

    Raises:
        CheckpointError: there is no such distribution.
    """
    return replace(spec, z_distribution=z_distribution or spec.z_distribution)


class ByShapes:
    """Recognises the generators of this package, and any whose layers follow one another.

    Args:
        hints: what a person said about what shapes do not show.
        z_distribution: how its latent points are distributed; None: as it is told, or normal.
        only: the one architecture that is meant, if a person said so.
    """

    def __init__(
        self, hints: Hints, z_distribution: str | None = None, only: str | None = None
    ) -> None:
        self._hints, self._z_distribution, self._only = hints, z_distribution, only
        self._known: dict[
            tuple[tuple[str, tuple[int, ...]], ...], Recognised | UnusableFileError
        ] = {}

    def prepare(self, weights: Weights) -> Weights:
        """The weights with the factors of spectral norm and weight norm folded into them."""
        return fold_norms(weights)

    def recognise(self, weights: Weights) -> Recognised:
        """The generator of some weights; equal shapes are looked into once.

        Weights that are not finite tell nothing of others.

        Raises:
            UnusableFileError: there is none; the text is the reason.
        """
        shapes = tuple((name, tuple(tensor.shape)) for name, tensor in weights.items())
        if shapes not in self._known:
            try:
                recognised = self._recognise(weights)
                if not are_finite(weights):
                    return recognised
                self._known[shapes] = recognised
            except UnusableFileError as reason:
                self._known[shapes] = reason
        known = self._known[shapes]
        if isinstance(known, UnusableFileError):
            raise known.with_traceback(None)
        return known

    def _recognise(self, weights: Weights) -> Recognised:
        own = recognise_own(weights, self._hints.image_size)
        if own is not None and self._only in (None, own.architecture):
            own = distribute(own, self._z_distribution)
            return Recognised(own, own.expected_weights(), tuple(_say_enlargement(own)))
        if self._only is not None:
            raise UnusableFileError(f"holds weights that are not those of '{self._only}'")
        steps = order_layers(read_layers(weights))
        chain = describe_chain(steps, self._hints)
        fit = fit_chain(chain.spec.options["layers"], weights, self._hints, self._z_distribution)
        options = {**chain.spec.options, "layers": fit.layers}
        spec = GeneratorSpec("chain", options, z_distribution=fit.z_distribution)
        remarks = tuple(_say_assumptions(chain, fit, self._hints))
        return Recognised(spec, spec.expected_weights(), remarks)


def _say_enlargement(spec: GeneratorSpec) -> Iterator[str]:
    """A sentence about a network for pictures of any size, of which a run shows one size."""
    if spec.architecture == "shufflemixer":
        scale, size = spec.options["scale"], spec.image_size
        yield (
            f"It makes pictures of any size {scale} times as wide; the run shows pictures of "
            f"{size} px made of {size // scale} px, unless the option image_size says otherwise."
        )


def _say_assumptions(chain: DescribedChain, fit: Fit, hints: Hints) -> Iterator[str]:
    """Everything that shapes do not show, with what told it or how to say it."""
    if fit.say():
        yield ToldByStatistics(fit.say())
    inside = fit.layers[:-1]
    assumed = list(dict.fromkeys(say_layer(x) for x in inside if x["layer"] in KINDS))
    assumed = [f"{', '.join(assumed) or 'nothing'} between layers"]
    norms = [x for x in inside if x["layer"] in NORMS]
    assumed += [f"batch norm's eps {say_epses(norms)}"] if norms else []
    modes = {x.get("mode", "nearest") for x in inside if x["layer"] == "Upsample"}
    assumed += [f"{mode} upsampling" for mode in modes]
    if chain.guessed_norm is not None:
        kind = {"none": "no", "instance": "instance", "pixel": "pixel"}[chain.guessed_norm]
        assumed.append(f"{kind} normalisation where positions leave room for one without weights")
    if chain.geometry.others:
        sizes = ", ".join(map(str, chain.geometry.others))
        assumed.append(f"pictures of {chain.geometry.image_size} px (its kernels can make {sizes})")
    assumed.append(f"{hints.output or 'tanh'} at the end")
    assumed.append(f"latent points of the distribution '{fit.z_distribution}'")
    remark = AssumedActivations(
        f"Shapes do not show all: {'; '.join(assumed)}. What was not told is the usual. "
        f"Options say otherwise: activation ({', '.join(ACTIVATIONS)}), slope, norm_eps (one "
        f"number, or one for each batch norm), norm (none, instance, pixel), "
        f"upsampling (nearest, bilinear), image_size, output ({', '.join(OUTPUTS)})."
    )
    remark.other_sizes = chain.geometry.others
    yield remark


class ByName:
    """Recognises the weights of one generator, by the names and shapes of its tensors.

    Args:
        spec: the generator.

    Raises:
        CheckpointError: its pictures are no function of the latent point.
    """

    def __init__(self, spec: GeneratorSpec) -> None:
        noise = find_noise(spec.build(), spec.z_dim)
        self._recognised = Recognised(spec, spec.expected_weights(), (noise,) if noise else ())

    def prepare(self, weights: Weights) -> Weights:
        """The weights as they are, or with norms folded where the generator has none."""
        return (
            weights if self._recognised.expected.keys() <= weights.keys() else fold_norms(weights)
        )

    def recognise(self, weights: Weights) -> Recognised:
        """That generator, where it fits.

        Raises:
            UnusableFileError: the weights are those of another one; the text is the reason.
        """
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
