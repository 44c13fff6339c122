"""In which order the eligible members of a rule come, and what is remembered once one of them was chosen. No database."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Player:
    """An eligible member with what he has at the moment."""

    user_id: str
    pos: int
    weight: int = 1
    open_count: int = 0
    last_assigned_at: datetime | None = None


@dataclass(slots=True)
class Turn:
    """What a rule remembers from one lead to the next."""

    last_pos: int = 0
    swrr: dict[str, int] = field(default_factory=dict)


def order(strategy: str, players: Sequence[Player], turn: Turn, lead_id: str) -> list[Player]:
    """The players, whose turn it is first; who comes behind stands in where the first one's place was just taken."""
    if strategy == "load":
        return sorted(players, key=lambda player: _by_load(player, lead_id))
    if strategy == "weighted":
        return sorted(players, key=lambda player: (-turn.swrr.get(player.user_id, 0) - player.weight, player.pos))
    by_pos = sorted(players, key=lambda player: player.pos)
    if strategy == "fixed":
        return by_pos[:1]
    # A skipped member's turn goes to the next in order, never to a fixed stand-in (PITFALLS 25).
    return [p for p in by_pos if p.pos > turn.last_pos] + [p for p in by_pos if p.pos <= turn.last_pos]


def after(strategy: str, players: Sequence[Player], turn: Turn, chosen: Player) -> Turn:
    """The turn once ``chosen`` got the lead. Smooth weighting: each gains his weight, the chosen one pays for all."""
    if strategy == "round_robin":
        return Turn(chosen.pos, turn.swrr)
    if strategy == "weighted":
        owed = dict(turn.swrr) | {p.user_id: turn.swrr.get(p.user_id, 0) + p.weight for p in players}
        owed[chosen.user_id] -= sum(player.weight for player in players)
        return Turn(turn.last_pos, owed)
    return turn


def _by_load(player: Player, lead_id: str) -> tuple[float, datetime, str]:
    """Least first; then who waited longest; then a throw of dice that nobody's age decides (PITFALLS 21)."""
    dice = hashlib.sha256(f"{lead_id}:{player.user_id}".encode()).hexdigest()
    return player.open_count / player.weight, player.last_assigned_at or _LONG_AGO, dice
