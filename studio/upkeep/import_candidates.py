"""What shapes leave open of a network: each possibility drawn beside the one that is proposed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.representative import representative_z
from checkpoints_index.generators.spec import Z_DISTRIBUTIONS, GeneratorSpec
from checkpoints_index.importing.chains.fitting import EPSES
from checkpoints_index.importing.chains.hints import ACTIVATIONS, CHOICES, USUAL_EPS
from checkpoints_index.importing.finder import FoundGenerator, GeneratorFinder
from checkpoints_index.importing.plan import ImportPlan
from checkpoints_index.importing.refusals import AssumedActivations, ToldByStatistics
from renderers.frames.frame_renderer import FrameRenderer
from renderers.pictures.picture_file import save_picture
from renderers.pictures.sheets import Sheet
from renderers.progress import OnProgress
from studio.upkeep.imports import ImportRequest

POINTS, CELL_PX, MAX_SIZES = 6, 128, 3
SEED = 0  # Seeds the latent points.
# Statistics of batch norm tell these, where they tell anything.
TOLD = ("activation", "slope")


@dataclass(frozen=True)
class Candidate:
    """A network that the files may be.

    Attributes:
        option: the words that choose it on the command line; "" for the one that is proposed.
        found: the network, with the weights of one file.
    """

    option: str
    found: FoundGenerator


def find_candidates(plan: ImportPlan, request: ImportRequest) -> list[Candidate]:
    """The proposed network and those that its shapes allow as well, told by no option or statistic.

    Returns:
        None but the proposed one where nothing was assumed.

    Raises:
        UnusableFileError: the last file has changed since the plan was made.
    """
    path = plan.files[-1].path
    proposed = Candidate("", _find(request, path))
    candidates = [proposed]
    if not any(isinstance(remark, AssumedActivations) for remark in proposed.found.remarks):
        return candidates  # Only chains are assumed; other generators say themselves what they are.
    known = _state(proposed.found.spec)
    for words, options, z_distribution in _variations(request, proposed.found):
        try:
            z_distribution = z_distribution or proposed.found.spec.z_distribution
            found = _find(request, path, {**known, **options}, z_distribution)
        except CheckpointError:
            continue  # Its kernels cannot do what the option says.
        if all(found.spec != other.found.spec for other in candidates):
            candidates.append(Candidate(words, found))
    return candidates


def draw_candidates(candidates: list[Candidate], path: Path, on_progress: OnProgress) -> None:
    """Write a picture of candidates: one a row, labelled with its option, the same points across.

    Args:
        path: FILE.png or FILE.jpg, which is replaced.
    """
    sheet = Sheet(
        len(candidates),
        POINTS,
        CELL_PX,
        CELL_PX,
        row_labels=[candidate.option or "as proposed" for candidate in candidates],
        title="Which of these looks right?",
    )
    renderer = FrameRenderer()
    for row, candidate in enumerate(candidates):
        spec = candidate.found.spec
        z = representative_z(spec, POINTS, SEED)
        G = spec.build()
        G.load_state_dict(candidate.found.weights)
        frames = renderer.render(G, z)
        for column, frame in enumerate(frames):
            sheet.add(row * POINTS + column, frame)
        on_progress(row + 1, len(candidates))
    path.parent.mkdir(parents=True, exist_ok=True)
    save_picture(sheet.picture, path)


def _state(spec: GeneratorSpec) -> dict[str, Any]:
    """The options of a chain that statistics would otherwise have to tell once more."""
    layers = spec.options["layers"]
    epses = [layer.get("eps", USUAL_EPS) for layer in layers if "BatchNorm" in layer["layer"]]
    names = [name for name, layer in ACTIVATIONS.items() if layer in layers[:-1]]
    return {
        **({"norm_eps": epses} if epses else {}),
        **({"activation": names[0]} if names else {}),
    }


def _find(
    request: ImportRequest,
    path: Path,
    options: dict[str, Any] | None = None,
    z_distribution: str | None = None,
) -> FoundGenerator:
    said = {**(options or {}), **request.options}
    distribution = z_distribution or request.z_distribution
    return GeneratorFinder(request.generator, said, distribution).find(path)


def _variations(
    request: ImportRequest, proposed: FoundGenerator
) -> Iterator[tuple[str, dict[str, Any], str | None]]:
    """Words of the command line, the options that they are, and the distribution of z."""
    is_told = any(isinstance(remark, ToldByStatistics) for remark in proposed.remarks)
    for name, values in CHOICES.items():
        if name not in request.options and not (is_told and name in TOLD):
            yield from ((f"--option {name}={value}", {name: value}, None) for value in values)
    if "norm_eps" not in request.options:
        # Nothing behind the last norm tells its eps; those before it are told or all alike.
        told = _state(proposed.spec).get("norm_eps", [])[:-1] if is_told else []
        for eps in EPSES:
            epses = [*told, eps] if told else eps
            words = ",".join(f"{each:g}" for each in [*told, eps])
            yield f"--option norm_eps={words}", {"norm_eps": epses}, None
    for remark in proposed.remarks:
        sizes = remark.other_sizes if isinstance(remark, AssumedActivations) else ()
        for size in sizes[:MAX_SIZES]:
            yield f"--option image_size={size}", {"image_size": size}, None
    if request.z_distribution is None and not is_told:
        yield from ((f"--z-distribution {name}", {}, name) for name in Z_DISTRIBUTIONS)
