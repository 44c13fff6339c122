"""What everybody who can log in has in common; which session is whose is the web room's affair."""

from __future__ import annotations

from typing import Any

from flask_login import UserMixin
from sqlalchemy.orm import Mapped, mapped_column

_MOST_ENDED = 40  # log-outs that are remembered; who logs out more often in a week loses the oldest


class Identity(UserMixin):
    """What a person who can log in has in common, whichever area he is at home in.

    ``session_epoch`` is part of the session: raising it ends all sessions of the person. ``ended_sessions`` holds the
    numbers of single ones that were logged out, with the second at which they would have ended anyway: the session
    itself is a signed cookie, and a copy of it would live on.
    """

    kind: str
    id: str
    session_epoch: int
    ended_sessions: Mapped[dict[str, Any] | None] = mapped_column(default=None)

    def end_session(self, number: str, *, until: int, now: int) -> None:
        """Let nobody in any more with the session ``number``, which lasts until the second ``until`` at most."""
        lasting = {kept: end for kept, end in (self.ended_sessions or {}).items() if end > now}
        newest = sorted({**lasting, number: until}.items(), key=lambda ended: ended[1])[-_MOST_ENDED:]
        self.ended_sessions = dict(newest)

    def has_ended(self, number: str) -> bool:
        return number in (self.ended_sessions or {})

    def get_id(self) -> str:
        return f"{self.kind}:{self.id}:{self.session_epoch}"
