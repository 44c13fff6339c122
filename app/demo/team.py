"""The vendor's people."""

from __future__ import annotations

from app.core import tenancy
from app.staff.accounts import create_staff

PEOPLE = [
    ("admin", "顾云深", "admin", "运营负责人"),
    ("support", "苏晚", "support", "客户成功"),
    ("finance", "何景行", "finance", "财务"),
]


def take_on(password_hash: str) -> None:
    with tenancy.scope(tenancy.everyone("demo staff")):
        for username, name, role, title in PEOPLE:
            create_staff(username, name, role, title, "replaced-at-once", rounds=4).password = password_hash
