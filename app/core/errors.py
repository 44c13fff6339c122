"""The refusals of the product: sentences a customer can read, with the HTTP status they become."""

from __future__ import annotations


class Refused(Exception):
    """A request we understood and will not carry out; ``message`` is Chinese and says what to do next.

    ``field`` names the form field the sentence belongs beside, where there is one.
    """

    status = 409
    keeps_changes = False  # True: what was written before the refusal stays (a wrong code counts as a try)

    def __init__(self, message: str, *, field: str | None = None):
        super().__init__(message)
        self.message = message
        self.field = field


class Invalid(Refused):
    """The input itself is wrong; nothing was changed."""

    status = 422


class NotFound(Refused):
    """There is no such thing, or it is somebody else's: the two are not told apart."""

    status = 404

    def __init__(self, message: str = "没有找到这个页面或记录。", *, field: str | None = None):
        super().__init__(message, field=field)


class Forbidden(Refused):
    """The person is known and may not do this."""

    status = 403


class TooMany(Refused):
    """Asked too often; ``retry_after`` says in how many seconds it may be tried again."""

    status = 429

    def __init__(self, message: str, *, retry_after: int, field: str | None = None):
        super().__init__(message, field=field)
        self.retry_after = retry_after


class Conflict(Refused):
    """Somebody else changed the row first, or it is in a state that does not allow this."""

    status = 409
