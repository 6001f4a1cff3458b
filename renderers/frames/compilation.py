"""Turn the failures of `torch.compile` into one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from renderers.errors import CompilationError


@contextmanager
def compiling(network: str, advice: str = "") -> Iterator[None]:
    """Put this around the passes of a compiled network, the first of which compiles it.

    Args:
        network: begins the sentence of the error, such as `The generator`.
        advice: a sentence that ends it.

    Raises:
        CompilationError: the network cannot be compiled here, and why.
    """
    from torch._dynamo.exc import TorchDynamoException  # This import takes a second.

    try:
        yield
    except TorchDynamoException as error:
        cause = getattr(error, "inner_exception", error)  # What the compiler itself raised.
        reason = str(cause).strip().partition("\n")[0].rstrip(".")
        raise CompilationError(network, reason, advice) from error
