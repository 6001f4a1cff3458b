"""The order of answers: what was asked first is answered first, wherever two write one place.

Gradio answers the listeners of a page side by side. An answer that began with what the page knew
before a press would come after the answer to the press then, and undo it.
"""

from __future__ import annotations

import gradio as gr
from gradio.block_function import BlockFunction
from scipy.cluster.hierarchy import DisjointSet


def answer_in_turn(page: gr.Blocks) -> None:
    """Let the listeners of a page that write the same component answer one after the other.

    States are left aside, since nearly all tabs share some. Listeners that were given one turn
    (`concurrency_id`) wait for each other, too.

    Args:
        page: laid out and connected, not served yet.
    """
    listeners = [fn for fn in page.fns.values() if fn.fn is not None and fn.queue]
    turns = DisjointSet(turn for listener in listeners for turn in _turns_of(listener))
    for listener in listeners:
        first, *others = _turns_of(listener)
        for other in others:
            turns.merge(first, other)
    for listener in listeners:
        first = _turns_of(listener)[0]
        if turns.subset_size(first) > 1:  # It writes a place, or was given a turn with others.
            listener.concurrency_id = f"turn of {turns[first]}"
            listener.concurrency_limit = 1


def _turns_of(listener: BlockFunction) -> list[str]:
    """What a listener waits for: its own turn, and that of each place that it writes."""
    places = [f"place {place._id}" for place in listener.outputs if not isinstance(place, gr.State)]
    was_given = listener.concurrency_id != str(id(listener.fn))  # Otherwise Gradio's own choice.
    own = listener.concurrency_id if was_given else f"listener {listener._id}"
    return [own, *places]
