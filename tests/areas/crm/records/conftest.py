"""What the tests of records ask for beside the cast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from app.core.db import db
from app.crm.access import policy
from app.crm.access.models import Role
from tests.company import Company, working


@pytest.fixture
def set_fields(ours: Company) -> Callable[[str, dict[str, Any]], None]:
    """Give a role of ``ours`` other field rights, e.g. ``set_fields("sales", {"lead": {"amount": "read"}})``."""

    def change(role: str, fields: dict[str, Any]) -> None:
        with working(ours):
            db.session.scalars(select(Role).where(Role.key == role)).one().fields = fields
            policy.changed(ours.id)

    return change
