import gradio as gr

from studio.actions.permissions import Permissions
from studio.screens.parts.browser.answer_order import answer_in_turn
from studio.screens.safety.gate import Limits
from studio.screens.server import build_app


def page_of(connect):
    """A page with three buttons, two places and a state, connected by connect(parts)."""
    with gr.Blocks() as page:
        buttons = [gr.Button(str(number)) for number in range(3)]
        places, state = [gr.HTML(), gr.HTML()], gr.State()
        connect(buttons, places, state)
    answer_in_turn(page)
    return list(page.fns.values())


def test_listeners_that_write_one_place_wait_for_each_other_and_others_do_not():
    def connect(buttons, places, state):
        buttons[0].click(lambda: "a", None, places[0])
        buttons[1].click(lambda: ("b", 1), None, [places[0], state])
        buttons[2].click(lambda: ("c", 2), None, [places[1], state])

    first, second, third = page_of(connect)
    assert first.concurrency_id == second.concurrency_id != third.concurrency_id
    assert {fn.concurrency_limit for fn in (first, second, third)} == {1}


def test_a_turn_that_was_given_reaches_all_that_write_what_its_listeners_write():
    def connect(buttons, places, state):
        buttons[0].click(lambda: 1, None, state, concurrency_id="ours")
        buttons[1].click(lambda: "b", None, places[0], concurrency_id="ours")
        buttons[2].click(lambda: "c", None, places[0])

    assert len({fn.concurrency_id for fn in page_of(connect)}) == 1


def test_what_writes_no_place_runs_beside_everything():
    def connect(buttons, places, state):
        buttons[0].click(lambda: 1, None, state)
        buttons[1].click(lambda: 2, None, state, concurrency_limit=None)

    first, second = page_of(connect)
    assert first.concurrency_id != second.concurrency_id
    assert second.concurrency_limit is None


def test_no_place_of_the_app_is_written_by_two_turns(empty_workspace):
    page = build_app(Permissions(empty_workspace), Limits().pages)
    turns = {}
    for listener in page.fns.values():
        for place in listener.outputs if listener.fn is not None else ():
            if not isinstance(place, gr.State):
                turns.setdefault(place._id, set()).add(listener.concurrency_id)
    assert len(turns) > 50
    assert [place for place, found in turns.items() if len(found) > 1] == []
