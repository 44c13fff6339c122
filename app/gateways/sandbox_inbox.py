"""The door from the notification adapters to the sandbox's inbox; the sandbox itself is imported on first use only."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from flask import current_app

from app.core import clock

if TYPE_CHECKING:
    from app.gateways.sandbox.inbox import Inbox


def inbox_of(instance_path: Path | None) -> Inbox:
    """The inbox in ``instance_path``, or in the folder of the present application."""
    return _opened(instance_path or Path(current_app.instance_path))


@lru_cache(maxsize=16)
def _opened(instance_path: Path) -> Inbox:
    from app.gateways.sandbox.inbox import Inbox
    from app.gateways.sandbox.store import Store

    return Inbox(Store(instance_path / "sandbox.db"), clock.now)
