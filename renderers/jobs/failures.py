"""Carry an error of another process to the one that waits, with its class and its trace."""

from __future__ import annotations

import pickle
import traceback
from dataclasses import dataclass

from renderers.errors import add_place


@dataclass(frozen=True)
class ProcessFailure:
    """An error as it is sent from one process to another.

    Errors of the checkpoint source keep their class, so that whoever renders can tell them from
    errors of rendering.

    Args:
        error: the error itself; a RuntimeError that tells the same where it cannot be pickled.
        trace: the traceback in its own process.
        node: the machine, where there are several.
    """

    error: Exception
    trace: str
    node: str | None = None

    @classmethod
    def capture(cls, error: Exception, node: str | None = None) -> ProcessFailure:
        """Make an error ready to be sent.

        Args:
            error: an error that was just caught, with its traceback.
            node: the machine, where there are several.
        """
        trace = "".join(traceback.format_exception(error))
        return cls(_portable(error, trace), trace, node)

    def restore(self) -> Exception:
        """The error to raise here: it names the node, and a note holds the trace."""
        if self.node is not None:
            add_place(self.error, f"On node {self.node}")
        self.error.add_note(f"In a render process:\n{self.trace}")
        return self.error


def _portable(error: Exception, trace: str) -> Exception:
    """The error itself where it survives pickling with its class, else one with its trace."""
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(trace)
    return error if type(copy) is type(error) else RuntimeError(trace)
