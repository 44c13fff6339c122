"""What everybody who can log in has in common; which session is whose is the web room's affair."""

from __future__ import annotations

from flask_login import UserMixin


class Identity(UserMixin):
    """What a person who can log in has in common, whichever area he is at home in.

    ``session_epoch`` is part of the session: raising it ends all sessions of the person.
    """

    kind: str
    id: str
    session_epoch: int

    def get_id(self) -> str:
        return f"{self.kind}:{self.id}:{self.session_epoch}"
