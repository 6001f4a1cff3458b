"""Examples that the two networks of letters make for each other (Murphy, SIGBOVIK 2021)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from checkpoints_index.generators.letters.bodies import INPUTS, OUTPUTS

QUEUE = 192  # Inversions that wait to be learned from, at most; as published.


class InversionQueue(nn.Module):
    """Examples that one network made for the other, the freshest first; the oldest are forgotten.

    They are part of the training state, as networks are.

    Args:
        numbers: where it is remembered how many there are.
        name: of that number.
    """

    inputs: Tensor
    targets: Tensor

    def __init__(self, numbers: dict[str, float], name: str) -> None:
        super().__init__()
        self.register_buffer("inputs", torch.zeros(QUEUE, INPUTS))
        self.register_buffer("targets", torch.zeros(QUEUE, OUTPUTS))
        self._numbers, self._name = numbers, name

    @property
    def count(self) -> int:
        """How many examples wait."""
        return int(self._numbers.get(self._name, 0))

    def put(self, inputs: Tensor, targets: Tensor) -> None:
        """Put examples before all others: float [n, 1296] and [n, 1322]."""
        self.inputs.copy_(torch.cat((inputs, self.inputs))[:QUEUE])
        self.targets.copy_(torch.cat((targets, self.targets))[:QUEUE])
        self._numbers[self._name] = min(QUEUE, self.count + len(inputs))

    def take(self, count: int) -> tuple[Tensor, Tensor]:
        """Take the freshest ones out, fewer where there are not so many.

        Returns:
            What is to be seen, float [n, 1296], and what ought to be made of it, float [n, 1322].
        """
        count = min(count, self.count)
        taken = self.inputs[:count].clone(), self.targets[:count].clone()
        self.inputs.copy_(self.inputs.roll(-count, 0))
        self.targets.copy_(self.targets.roll(-count, 0))
        self._numbers[self._name] = self.count - count
        return taken


def invert(network: nn.Module, letters: Tensor) -> tuple[Tensor, Tensor]:
    """What a network makes of letters that have its case already, as examples for the other one.

    What it makes is clamped to 0..1, and what is no number becomes 0, since otherwise the two
    would drive each other to infinity.

    Args:
        letters: float [E, 1296].

    Returns:
        What the other network sees, float [E, 1296], and what it ought to make of it,
        float [E, 1322]: the letter, and which letter this network took it for.
    """
    with torch.no_grad():
        made = torch.nan_to_num(network(letters).float(), nan=0.0).clamp(0, 1)
    return made[:, :INPUTS], torch.cat((letters, made[:, INPUTS:]), 1)


def replace_first(
    rows: Tensor, taken: tuple[Tensor, Tensor], inputs: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """The first examples of a batch replaced by those that were taken from a queue.

    Args:
        rows: int64 [N], the places of these examples in the batch of all processes.
        taken: float [n, 1296] and [n, 1322], for the first n places.
        inputs, targets: float [N, 1296] and [N, 1322].
    """
    count = len(taken[0])
    if not count:
        return inputs, targets
    is_replaced, source = (rows < count)[:, None], rows.clamp(max=count - 1)
    return (
        torch.where(is_replaced, taken[0][source], inputs),
        torch.where(is_replaced, taken[1][source], targets),
    )
