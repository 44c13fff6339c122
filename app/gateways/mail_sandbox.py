"""The mail provider of the sandbox: every message goes into the inbox at /sandbox/inbox and nowhere else."""

from __future__ import annotations

from pathlib import Path

from app.gateways.sandbox_inbox import inbox_of
from app.notifications.ports import MailSender


class SandboxMail(MailSender):
    """``instance_path`` absent: the folder of the present application."""

    def __init__(self, instance_path: Path | None = None):
        self._instance_path = instance_path

    def send(self, message_id: str, to: str, subject: str, text: str, html: str) -> str:
        return inbox_of(self._instance_path).deliver_mail(message_id, to, subject, text, html)
