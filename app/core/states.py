"""A life in one visible place: which moves a thing may make, guarded by the database and recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Index, String, update
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock, events
from app.core.db import Identified, db
from app.core.errors import Conflict


class Transition(db.Model, Identified):  # type: ignore[name-defined]
    """One move that was made: what, from, to, by whom, when."""

    __tablename__ = "transitions"
    __table_args__ = (Index("ix_transitions_subject", "subject_type", "subject_id", "created_at"),)

    subject_type: Mapped[str] = mapped_column(String(40))
    subject_id: Mapped[str] = mapped_column(String(36))
    field: Mapped[str] = mapped_column(String(20))
    action: Mapped[str] = mapped_column(String(30))
    from_state: Mapped[str] = mapped_column(String(20))
    to_state: Mapped[str] = mapped_column(String(20))
    actor: Mapped[str] = mapped_column(String(80))
    request_id: Mapped[str] = mapped_column(String(40), default="")


@dataclass(frozen=True, slots=True)
class Move:
    sources: tuple[str, ...]
    target: str
    event: str | None = None


class StateMachine:
    """The moves of one column of one model; nothing else writes that column."""

    def __init__(self, noun: str, moves: Mapping[str, Move], *, field: str = "status"):
        self.noun = noun
        self.moves = dict(moves)
        self.field = field

    def allowed(self, thing: Any) -> list[str]:
        """The actions the thing's present state allows: the buttons a page may show."""
        state = getattr(thing, self.field)
        return [action for action, move in self.moves.items() if state in move.sources]

    def allows(self, thing: Any, action: str) -> bool:
        return getattr(thing, self.field) in self.moves[action].sources

    def move(
        self, thing: Any, action: str, *, actor: str = "system", values: Mapping[str, Any] | None = None, **payload: Any
    ) -> None:
        """Make the move, or raise Conflict if the row is not (any more) in a state that allows it.

        The row is updated only where it still is in an allowed state (compare and set), with ``values`` beside;
        the transition and the move's event are written in the same transaction.
        """
        session = db.session()
        session.flush()
        move = self.moves[action]
        model = type(thing)
        before = getattr(thing, self.field)
        column = getattr(model, self.field)
        statement = (
            update(model)
            .where(model.id == thing.id, column == before, column.in_(move.sources))
            .values({self.field: move.target, **(values or {})})
            .execution_options(synchronize_session=False)
        )
        if session.execute(statement).rowcount != 1:  # type: ignore[attr-defined]
            session.refresh(thing)
            raise Conflict(
                f"这{self.noun}现在是「{getattr(thing, self.field)}」，不能再做这个操作。请刷新页面看最新状态。"
            )
        session.refresh(thing)
        session.add(
            Transition(
                subject_type=model.__tablename__,
                subject_id=thing.id,
                field=self.field,
                action=action,
                from_state=before,
                to_state=move.target,
                actor=actor,
                created_at=clock.now(),
                request_id=events.request_id.get(),
            )
        )
        if move.event:
            events.record(move.event, thing.id, actor=actor, **payload)

    def diagram(self) -> str:
        """The machine as a Mermaid state diagram; the documentation's copy is compared with it by a test."""
        lines = ["stateDiagram-v2"]
        for action, move in self.moves.items():
            lines += [f"    {source} --> {move.target}: {action}" for source in move.sources]
        return "\n".join(lines)
