"""What the product needs of an SMS or mail provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class ProviderDown(Exception):
    """No answer, or a temporary failure: try again later."""


class ProviderRefused(Exception):
    """The provider will not send this message; a person must look."""


class SmsSender(Protocol):
    def send(self, message_id: str, phone: str, text: str, template: str, params: Mapping[str, str]) -> str:
        """Send one SMS to a mainland number; gives the provider's id. The same message_id is sent once."""
        ...


class WeChatSender(Protocol):
    def send(self, message_id: str, openid: str, text: str, template: str, params: Mapping[str, str]) -> str:
        """Send one template message to a follower of the official account; gives the provider's id. The same id is sent once."""
        ...


class MailSender(Protocol):
    def send(self, message_id: str, to: str, subject: str, text: str, html: str) -> str:
        """Send one e-mail with a text and an HTML part; gives the Message-ID. The same message_id is sent once."""
        ...
