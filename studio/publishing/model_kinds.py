"""What differs between published networks by what their latent points are: numbers or pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from checkpoints_index import GeneratorSpec
from studio.publishing.networks.enlarge_script import ENLARGE
from studio.publishing.networks.generate_script import GENERATE
from studio.publishing.networks.letters_script import LETTERS

INSTALL = "pip install torch safetensors numpy pillow"
NUMBERS = "`network.py` is the network in plain PyTorch, and `config.json` what it is built with. "


@dataclass(frozen=True)
class ModelKind:
    """What is told of a kind of networks, and how a stranger uses one.

    Attributes:
        script: the text of generate.py.
        pipeline: the task, as the Hub names it.
        tags: further ones for the Hub.
        thing, things: what one of its pictures is of, and several.
        begin: what it turns into what, the first half of a sentence.
        use: lines of Markdown on how it is used, of its spec and of how many points there are.
    """

    script: str
    pipeline: str
    tags: tuple[str, ...]
    thing: str
    things: str
    begin: Callable[[GeneratorSpec], str]
    use: Callable[[GeneratorSpec, int], Iterator[str]]


def _begin_drawn(spec: GeneratorSpec) -> str:
    size = f"{spec.image_size} x {spec.image_size}"
    return f"A generator that turns {spec.z_dim} random numbers into a picture of {size} pixels"


def _use_drawn(spec: GeneratorSpec, points: int) -> Iterator[str]:
    distribution = {
        "normal": "are drawn from N(0, 1)",
        "uniform": "are drawn evenly from -1..1",
        "sphere": "make a vector of length 1, of any direction",
    }[spec.z_distribution]
    yield from ("```", INSTALL, "python generate.py --seeds 0-15 --out pictures", "```")
    yield ""
    yield f"{NUMBERS}The {spec.z_dim} numbers of a latent point {distribution}. "
    if points:
        yield (
            f"`points.safetensors` holds the {points:,} latent points of specimens: "
            "`python generate.py --points all`."
        )


def _begin_enlarging(spec: GeneratorSpec) -> str:
    scale = spec.options.get("scale", 4)
    return f"A network that makes pictures of any size {scale} times as wide and as high"


def _use_enlarging(spec: GeneratorSpec, points: int) -> Iterator[str]:
    small_px = spec.image_size // int(spec.options.get("scale", 4))
    yield from ("```", INSTALL, "python generate.py --picture photo.jpg --out large.png", "```")
    yield ""
    yield (
        "A picture of any size is made larger in tiles, each of which sees as far beyond its edge "
        "as the network looks, so that no seam is left; what comes of it has at most 500,000,000 "
        "pixels. In Python:"
    )
    yield ""
    yield from ("```python", "import torch", "from generate import load_generator", "")
    yield from ("G, config = load_generator()", "small = torch.rand(1, 3, 48, 64) * 2 - 1  # RGB")
    yield from ("with torch.inference_mode():", "    large = G(small)  # In -1..1 as well.", "```")
    yield ""
    yield NUMBERS
    if points:
        yield (
            f"`points.safetensors` holds {points:,} small pictures that the run was looked at by, "
            f"each as 3 x {small_px} x {small_px} numbers in -1..1: "
            "`python generate.py --points all`."
        )


def _begin_letters(spec: GeneratorSpec) -> str:
    return (
        "Two networks, of which one makes a lower-case letter of any letter of a font, and the "
        "other an upper-case one"
    )


def _use_letters(spec: GeneratorSpec, points: int) -> Iterator[str]:
    yield from ("```", INSTALL, "python generate.py --font FILE.ttf --letter Rag", "```")
    yield ""
    yield (
        f"A picture of {spec.image_size} x {spec.image_size} pixels has the letter in black, as a "
        "lower-case letter in blue, and that as an upper-case letter in red; below it the other "
        "way round. The networks see a letter as its distance field of 36 x 36 numbers, which is "
        "0.8627 on the edge and rises by 0.0588 for each pixel into the letter. In Python:"
    )
    yield ""
    yield from ("```python", "from generate import draw_point, load_generator, open_font", "")
    yield from ("G, config = load_generator()", 'z = draw_point(open_font("FILE.ttf"), "R")[None]')
    yield from ("picture = G(z)  # Float [1, 3, height, width] in -1..1.",)
    yield from ("lower = G.to_lowercase((z + 1) / 2)  # The field of r, [1, 1296] in 0..1.", "```")
    yield ""
    yield NUMBERS
    if points:
        yield (
            f"`points.safetensors` holds {points:,} letters that the run was looked at by, each as "
            "a distance field moved to -1..1: `python generate.py --points all`."
        )


DRAWN = ModelKind(
    script=GENERATE,
    pipeline="unconditional-image-generation",
    tags=("gan", "image-generation"),
    thing="city",
    things="cities",
    begin=_begin_drawn,
    use=_use_drawn,
)
# Architecture -> its kind, where its latent points are pictures.
KINDS = {
    "shufflemixer": ModelKind(
        script=ENLARGE,
        pipeline="image-to-image",
        tags=("super-resolution", "shufflemixer"),
        thing="picture",
        things="pictures",
        begin=_begin_enlarging,
        use=_use_enlarging,
    ),
    "letters": ModelKind(
        script=LETTERS,
        pipeline="image-to-image",
        tags=("fonts", "typography"),
        thing="letter",
        things="letters",
        begin=_begin_letters,
        use=_use_letters,
    ),
}


def kind_of(spec: GeneratorSpec) -> ModelKind:
    """What is told of the network of a spec."""
    return KINDS.get(spec.architecture, DRAWN)
