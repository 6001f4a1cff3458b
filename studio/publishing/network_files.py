"""The network of a checkpoint for those who have nothing of ours: config.json and two scripts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from checkpoints_index import GeneratorSpec
from checkpoints_index.generators.letters.letters_generator import CONV, DENSE, SPARSE
from studio.publishing.model_kinds import kind_of
from studio.workspace.errors import StudioError

FORMAT, VERSION = "latent-city-studio", 1
Describe = Callable[[GeneratorSpec, Any], dict[str, Any]]


def _describe_dcgan(spec: GeneratorSpec, G: Any) -> dict[str, Any]:
    refined = [len(G.stem_refinements or ()), *(len(block) - 3 for block in G.blocks)]
    return {
        "z_dim": spec.z_dim,
        "channels": [G.stem_norm.num_features, *(block[1].num_features for block in G.blocks)],
        "refinements": refined,
        "upsampling": spec.options.get("upsampling", "nearest"),
        "full_resolution_block": bool(spec.options.get("full_resolution_block", False)),
        "palette": int(spec.options.get("palette", 0)),
    }


def _describe_residual(spec: GeneratorSpec, G: Any) -> dict[str, Any]:
    first, *others = G.stages
    blocks = [first, *(stage[1] for stage in others)]
    return {
        "z_dim": spec.z_dim,
        "channels": [len(G.basis), *(each[0].widen.in_channels for each in blocks[1:])],
        "wide": [[block.widen.out_channels for block in each] for each in blocks],
        "group_width": int(spec.options.get("group_width", 16)),
    }


def _describe_skyline(spec: GeneratorSpec, G: Any) -> dict[str, Any]:
    first = G.blocks[0][0].in_channels
    return {
        "z_dim": spec.z_dim,
        "grid_size": G.grid_size,
        "channels": [first, *(block[0].out_channels for block in G.blocks)],
        "smooth": G.smooth.out_channels,
        "refinements": [len(block) - 2 for block in G.blocks],
    }


def _describe_chain(spec: GeneratorSpec, G: Any) -> dict[str, Any]:
    return {"layers": spec.options["layers"]}


def _describe_shufflemixer(spec: GeneratorSpec, G: Any) -> dict[str, Any]:
    mixes = G.blocks[0].net[0]
    return {
        "scale": G.scale,
        "channels": G.to_feat.out_channels,
        "kernel": mixes.spatial.kernel_size[0],
        "shuffle": mixes.mlp1.shuffles,
    }


def _describe_letters(spec: GeneratorSpec, G: Any) -> dict[str, Any]:
    body = spec.options.get("body", CONV)
    if body != CONV:  # One that is called sparse and sees all of the layer below is dense.
        body = SPARSE if any(name.endswith("mask") for name, _ in G.named_buffers()) else DENSE
    described: dict[str, Any] = {"image_size": G.image_size, "body": body}
    for case in ("lowercase", "uppercase"):
        units, deeper = G.count_layers(spec.options, case)
        described[case] = {"units": units, "deeper": deeper}
    return described


# Architecture -> what its plain network is constructed with, read off the network itself.
DESCRIBED: dict[str, Describe] = {
    "dcgan": _describe_dcgan,
    "residual": _describe_residual,
    "skyline": _describe_skyline,
    "chain": _describe_chain,
    "shufflemixer": _describe_shufflemixer,
    "letters": _describe_letters,
}


def require_plain(run: str, spec: GeneratorSpec) -> None:
    """Refuse a generator that nobody could rebuild without the code that made it.

    Raises:
        StudioError: it is one; the text says what can be done.
    """
    if spec.architecture not in DESCRIBED:
        raise StudioError(
            f"The generator of run '{run}' is '{spec.architecture}', which a stranger could not "
            f"rebuild from what is published: that can be {', '.join(DESCRIBED)}. Its weights "
            f"alone are written by: studio export-checkpoint {run} BATCH"
        )


def describe_network(spec: GeneratorSpec) -> dict[str, Any]:
    """What the plain network of a generator is constructed with, of JSON's types.

    Args:
        spec: of an architecture that `require_plain` takes.
    """
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        G: nn.Module = spec.build()
    return DESCRIBED[spec.architecture](spec, G)


def network_source(spec: GeneratorSpec) -> str:
    """The text of network.py, which needs nothing but torch."""
    folder = Path(__file__).parent / "networks"
    return (folder / f"plain_{spec.architecture}.py").read_text(encoding="utf-8")


def generate_source(spec: GeneratorSpec) -> str:
    """The text of generate.py, which fits what latent points of the generator are."""
    return kind_of(spec).script


def write_config(spec: GeneratorSpec, facts: dict[str, Any]) -> str:
    """The text of config.json: it rebuilds the network by network.py, and by this package.

    Args:
        facts: what it tells besides, of JSON's types.
    """
    document = {
        "format": FORMAT,
        "version": VERSION,
        **facts,
        "z_dim": spec.z_dim,
        "image_size": spec.image_size,
        "z_distribution": spec.z_distribution,
        "network": describe_network(spec),
        "generator": spec.to_json(),
    }
    return json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
