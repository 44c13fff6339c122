"""The documentation shows the lives that the state machines allow."""

from __future__ import annotations

from app.core.states import Move, StateMachine
from tests.architecture import diagrams


def test_the_documented_lives_are_the_real_ones() -> None:
    assert diagrams.PAGE.read_text("utf-8") == diagrams.page()


def test_every_machine_is_on_the_page() -> None:
    assert {"orders.life", "orders.delivery", "payments.attempt", "payments.refund"} <= set(diagrams.machines())


def test_a_new_move_changes_the_page() -> None:
    before = StateMachine("x", {"pay": Move(("pending",), "paid")}).diagram()
    after = StateMachine("x", {"pay": Move(("pending",), "paid"), "cancel": Move(("pending",), "cancelled")}).diagram()

    assert before != after


def test_no_state_leads_back_to_where_it_came_from() -> None:
    """States move forwards (SPEC §3); only what failed may be tried again."""
    for name, machine in diagrams.machines().items():
        for action, move in machine.moves.items():
            assert move.target not in move.sources, f"{name}.{action}"
