"""The model card of a published checkpoint, made from its run: README.md with the Hub's header."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from checkpoints_index import GeneratorSpec
from studio.publishing.escaping import escape_markdown, quote_yaml, without_places
from studio.publishing.model_kinds import kind_of
from studio.publishing.run_facts import RunFacts
from studio.workspace.records.quantities import format_bytes

TAG = "latent-city-studio"
SHOWN_EVENTS = 30  # Of more, the last ones; alarms are shown all the same.
# What scores are: what is better, and of what.
MEANINGS = {
    "swd": "sliced Wasserstein distance to the dataset, lower is better",
    "edges": "distance to the dataset in streets, corners and flat areas, lower is better",
    "fid": "Fréchet inception distance to the dataset, lower is better",
    "kid": "kernel inception distance to the dataset, lower is better",
    "diversity": "how far pictures are from each other, higher is more varied",
    "psnr": "dB of brightness on held-out pictures, higher is better",
    "psnr_bicubic": "the same of bicubic enlargement, to compare with",
    "ssim": "likeness in structure on held-out pictures, up to 1, higher is better",
    "ssim_bicubic": "the same of bicubic enlargement, to compare with",
    "held_out_lower": "error of lower-case letters of held-out fonts, lower is better",
    "average_lower": "the same of always the average letter, to compare with",
    "held_out_upper": "error of upper-case letters of held-out fonts, lower is better",
    "average_upper": "the same of always the average letter, to compare with",
    "letters_known": "share of letters of held-out fonts that are recognised",
}


@dataclass(frozen=True)
class CardContent:
    """What a card tells of a checkpoint beside its run.

    Attributes:
        to: the repository of the Hub, as USER/NAME.
        batch: the checkpoint.
        spec: its generator.
        parameters: how many numbers its weights are.
        weights_bytes: size of model.safetensors.
        specimens: labels on the sheet of specimens; none where there is no sheet.
        film: what film.mp4 is, in a sentence; empty where there is none.
        has_curves: whether there is curves.png.
        points: how many latent points are in points.safetensors.
        held_out: whether these are pictures that the training never saw.
    """

    to: str
    batch: int
    spec: GeneratorSpec
    parameters: int
    weights_bytes: int
    specimens: Sequence[str]
    film: str
    has_curves: bool
    points: int
    held_out: bool = False


def write_card(facts: RunFacts, content: CardContent) -> str:
    """The text of README.md; whatever somebody wrote is text in it, and no markup."""
    sections = (
        _header(content),
        _beginning(facts, content),
        _use(content),
        _dataset(facts),
        _training(facts, content),
        _events(facts),
        _scores(facts),
        _lineage(facts, content),
        _sizes(facts, content),
    )
    return "\n".join(line for section in sections for line in section) + "\n"


def _header(content: CardContent) -> Iterator[str]:
    """The YAML that the Hub reads."""
    kind = kind_of(content.spec)
    yield "---"
    yield f"library_name: {quote_yaml('pytorch')}"
    yield f"pipeline_tag: {quote_yaml(kind.pipeline)}"
    yield f"license: {quote_yaml('other')}"
    yield "tags:"
    yield from (f"- {quote_yaml(tag)}" for tag in (*kind.tags, TAG))
    yield "---"
    yield ""


def _beginning(facts: RunFacts, content: CardContent) -> Iterator[str]:
    yield f"# {escape_markdown(facts.run)}, batch {content.batch:,}"
    yield ""
    yield (
        f"{kind_of(content.spec).begin(content.spec)}: one checkpoint of the training run "
        f"{escape_markdown(facts.run)}."
    )
    yield ""
    if content.specimens:
        yield f"![Specimens at batch {content.batch:,}](specimens.jpg)"
        yield ""
        if content.held_out:
            things = kind_of(content.spec).things
            yield f"They are made of {things} that were held out: the training never saw them."
            yield ""
    if content.film:
        yield f"[The film](film.mp4): {content.film}"
        yield ""


def _use(content: CardContent) -> Iterator[str]:
    yield "## How to use it"
    yield ""
    yield "Without any package of ours, in a folder with these files:"
    yield ""
    yield from kind_of(content.spec).use(content.spec, content.points)
    yield ""
    yield "With Latent City Studio, as a run of its own whose weights are equal bit for bit:"
    yield ""
    yield from ("```", f"studio import hub:{content.to} --run NAME", "```")
    yield ""


def _dataset(facts: RunFacts) -> Iterator[str]:
    yield "## Dataset and licence"
    yield ""
    manifest = facts.manifest
    if manifest is None:
        yield (
            "What it was trained on is not known here, nor under which licence. Ask whoever "
            "published it before you use its pictures."
        )
        yield ""
        return
    yield f"- Dataset: {escape_markdown(manifest.name)}, {manifest.describe()}"
    if manifest.source:
        yield f"- Source: {escape_markdown(without_places(manifest.source))}"
    if facts.attribution:
        yield f"- Attribution and licence: **{escape_markdown(facts.attribution)}**"
        yield "- It has to stand wherever pictures of this model are shown."
    else:
        yield "- Its licence is not known here. Ask whoever published it."
    yield ""


def _training(facts: RunFacts, content: CardContent) -> Iterator[str]:
    yield "## Training"
    yield ""
    yield from _table(("", ""), facts.tell_numbers())
    if settings := facts.tell_settings():
        yield "Settings with which it began, but for defaults:"
        yield ""
        yield from _table(("setting", "value"), settings)
    if content.has_curves:
        yield "![Curves of the training](curves.png)"
        yield ""


def _events(facts: RunFacts) -> Iterator[str]:
    if not facts.events:
        return
    yield "## Alarms and events"
    yield ""
    alarms = len(facts.alarms)
    yield f"{alarms:,} alarms." if alarms != 1 else "1 alarm."
    yield ""
    late = facts.events[-SHOWN_EVENTS:]
    shown = [event for event in facts.events if event.kind == "alarm" or event in late]
    rows = [
        ("" if event.batch is None else f"{event.batch:,}", event.kind, event.text)
        for event in shown
    ]
    yield from _table(("batch", "what", ""), rows)


def _scores(facts: RunFacts) -> Iterator[str]:
    if not facts.scores:
        return
    yield "## Scores"
    yield ""
    rows = [
        (
            score.metric,
            f"{score.value:.4g}",
            f"{score.batch:,}",
            "" if score.count is None else f"{score.count:,}",
            MEANINGS.get(score.metric, ""),
        )
        for score in facts.scores
    ]
    yield from _table(("score", "value", "at batch", "pictures", ""), rows)


def _lineage(facts: RunFacts, content: CardContent) -> Iterator[str]:
    yield "## Lineage"
    yield ""
    if facts.ancestors:
        chain = " -> ".join(map(escape_markdown, reversed(facts.ancestors)))
        yield f"- Began from: {chain}"
    else:
        yield "- Began from networks that were not trained before."
    yield f"- This checkpoint: {escape_markdown(facts.run)}, batch {content.batch:,}"
    for run, batch in facts.children:
        yield f"- From batch {batch:,} began: {escape_markdown(run)}"
    yield ""


def _sizes(facts: RunFacts, content: CardContent) -> Iterator[str]:
    yield "## Sizes, and how faithful the weights are"
    yield ""
    yield f"- Architecture: {escape_markdown(content.spec.architecture)}"
    yield f"- Weights: {content.parameters:,} numbers, {format_bytes(content.weights_bytes)}"
    yield f"- {facts.tell_faithfulness()}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """A table of Markdown whose cells are text."""
    written = [[escape_markdown(str(cell)) for cell in row] for row in rows]
    if not written:
        return
    yield "| " + " | ".join(heads) + " |"
    yield "|" + " --- |" * len(heads)
    yield from ("| " + " | ".join(row) + " |" for row in written)
    yield ""
