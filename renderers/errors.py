"""Errors of rendering that a person can put right, and where they happened."""

from __future__ import annotations


class RenderError(Exception):
    """Something a person can put right: what happened, what was expected, what to do next."""


class UnfinishedRenderError(RenderError):
    """A render stopped before its end; its finished parts are kept and are not rendered again."""


class EncoderError(RenderError):
    """An encoder does not work here, or stopped before its video was complete."""


class FullDiskError(RenderError):
    """The disk was full before a video was complete."""


class OutputTakenError(RenderError, FileExistsError):
    """Something else is there under the name of a file that is to be written."""

    def __str__(self) -> str:
        return str(self.args[0])


class UnknownVideoError(RenderError, LookupError):
    """There is no such video."""


class UnplannedVideoError(RenderError, LookupError):
    """A video of which no finished render is known, so that there is no plan to compare with."""


class MissingPackageError(RenderError, ImportError):
    """An optional package is needed and not installed."""


class CompilationError(RenderError, RuntimeError):
    """`torch.compile` cannot compile a network on this machine.

    Args:
        network: such as `The generator`.
        reason: what the compiler said, without a full stop.
        advice: the sentence that ends the message, if the caller knows what to do.
    """

    def __init__(self, network: str, reason: str, advice: str = "") -> None:
        super().__init__(network, reason, advice)
        self.network, self.reason, self.advice = network, reason, advice

    def __str__(self) -> str:
        return f"{self.network} cannot be compiled here: {self.reason}. {self.advice}".rstrip()


def add_place(error: BaseException, place: str) -> None:
    """Say where an error happened, without changing its class.

    The place is put before the message, or in a note where the message is made of attributes.

    Args:
        error: changed in place.
        place: such as `On node a1`.

    Example:
        >>> error = KeyError("no batch 7")
        >>> add_place(error, "On node a1")
        >>> error
        KeyError('On node a1: no batch 7')
    """
    message = error.args[0] if len(error.args) == 1 else None
    if isinstance(message, str) and str(error) in (message, repr(message)):
        error.args = (f"{place}: {message}",)
    else:
        error.add_note(f"{place}.")
