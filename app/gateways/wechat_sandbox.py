"""WeChat's template messages in the sandbox: every one goes into the inbox at /sandbox/inbox and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.gateways.sandbox_inbox import inbox_of
from app.notifications.ports import WeChatSender


class SandboxWeChat(WeChatSender):
    """``instance_path`` absent: the folder of the present application."""

    def __init__(self, instance_path: Path | None = None):
        self._instance_path = instance_path

    def send(self, message_id: str, openid: str, text: str, template: str, params: Mapping[str, str]) -> str:
        return inbox_of(self._instance_path).deliver_wechat(message_id, openid, text, template)
