"""How a message looks to its reader, for staff: secrets are dots."""

from __future__ import annotations

from app.notifications import letters
from app.notifications.letters import Letter
from app.notifications.models import Message


def render(message: Message) -> Letter:
    """The message as it was or will be sent, without what only its reader may see."""
    return letters.compose(
        message.channel, message.template, letters.hide_secrets(message.template, message.parameters)
    )


def sample(template: str, channel: str) -> Letter:
    """A template filled with its sample data."""
    return letters.compose(channel, template, letters.sample(template))
