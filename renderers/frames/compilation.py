"""What `torch.compile` says when it fails, in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from renderers.errors import RenderError


@contextmanager
def compiling(network: str, advice: str) -> Iterator[None]:
    """Compiled passes of a network, the first of which compiles it.

    Raises:
        RenderError: it cannot be compiled here, and why; it ends with the advice.
    """
    from torch._dynamo.exc import TorchDynamoException  # takes a second

    try:
        yield
    except TorchDynamoException as error:
        cause = getattr(error, "inner_exception", error)  # what the compiler itself raised
        reason = str(cause).strip().partition("\n")[0].rstrip(".")
        raise RenderError(f"{network} cannot be compiled here: {reason}. {advice}") from error
