"""A new object is its fields and nothing else: 供应商 in under 80 lines, walked through the pages that all objects share."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.core import tenancy
from app.core.db import db, uuid7
from app.crm.access import policy
from app.crm.access.models import Role
from app.crm.records import types
from tests.company import Company, CrmBrowser, working

pytestmark = pytest.mark.database

SOURCE = Path(__file__).with_name("supplier.py")
EVERYTHING = ("read", "create", "edit", "delete", "export", "transfer", "merge", "unmask", "share")


@pytest.fixture
def supplier(app: Flask, ours: Company) -> Iterator[ModuleType]:
    """The room with its table, for one test; afterwards nobody knows that it was there."""
    spec = importlib.util.spec_from_file_location(f"supplier_{uuid7()[-8:]}", SOURCE)
    assert spec is not None and spec.loader is not None
    room = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(room)
    room.describe()
    table = room.Supplier.__table__
    with db.engine.begin() as connection:
        table.create(connection)
    with working(ours):
        for role in db.session.scalars(select(Role).where(Role.key.in_(["admin", "sales"]))):
            scope = "all" if role.key == "admin" else "own"
            role.rights = {**role.rights, "supplier": dict.fromkeys(EVERYTHING, scope)}
        policy.changed(ours.id)
    yield room
    db.session.remove()
    with db.engine.begin() as connection:
        table.drop(connection)
    types.forget("supplier")
    db.metadata.remove(table)
    tenancy._owned_tables.pop(table)
    tenancy._models.pop(table)
    registry: Any = db.Model.registry
    registry._managers.pop(room.Supplier.__mapper__.class_manager, None)
    del sys.modules[spec.name]


def test_it_takes_fewer_than_eighty_lines_and_the_guide_shows_them() -> None:
    code = SOURCE.read_text(encoding="utf-8")
    guide = (Path(__file__).parents[4] / "docs" / "new-object.md").read_text(encoding="utf-8")

    assert len(code.splitlines()) < 80
    assert code.split('"""', 2)[2].strip() in guide


def test_an_object_lives_by_its_description_alone(
    ours: Company, supplier: ModuleType, browser: Callable[..., CrmBrowser], work: Callable[..., list[str]]
) -> None:
    admin, sales = browser(ours, "admin"), browser(ours, "sales1")

    # created, with what is wrong said beside its field
    refused = sales.post("/crm/suppliers/new", data={"name": "", "phone": "138001380"})
    assert refused.status_code == 422 and "请填公司。" in refused.text and "少了 2 位" in refused.text
    made = sales.post(
        "/crm/suppliers/new",
        data={"name": "义乌华信包装有限公司", "phone": "13800138000", "tags": "纸箱", "level": "A"},
    )
    other = admin.post("/crm/suppliers/new", data={"name": "绍兴顺达物流", "level": "B"})
    key = made.location.rsplit("/", 1)[1]

    # listed, each to whom it belongs; masked, revealed with a reason
    page = sales.get("/crm/suppliers").text
    assert "义乌华信包装有限公司" in page and "138****8000" in page and "绍兴顺达物流" not in page
    assert sales.get(other.location).status_code == 404
    assert "138 0013 8000" in sales.post(f"{made.location}/reveal/phone", data={"quick": "核对信息"}).text

    # edited, whole and in place, with a history
    sales.post(f"{made.location}/edit", data={"name": "义乌华信包装有限公司", "contact_name": "方总"})
    sales.post(f"{made.location}/facts/level", data={"level": "B"})
    page = sales.get(made.location).text
    assert "方总" in page and '等级从 <span class="text-muted">战略</span> 改为 <b class="font-medium">常用</b>' in page

    # searched and filtered
    for q in ("华信", "hxbz", "8000", "13800138000", "方总"):
        assert key in admin.get(f"/crm/suppliers?q={q}").text, q
    tree = json.dumps(
        {
            "all": [
                {"field": "level", "op": "is_in", "value": ["B"]},
                {"field": "tags", "op": "has_any", "value": ["纸箱"]},
            ]
        }
    )
    found = admin.get("/crm/suppliers", query_string={"f": tree}).text
    assert key in found and "绍兴顺达物流" not in found

    # deleted in bulk, in the bin, taken back
    admin.post("/crm/suppliers/bulk/run", data={"action": "delete", "ids": [key, other.location.rsplit("/", 1)[1]]})
    assert "义乌华信" in admin.get("/crm/suppliers/bin").text and sales.get(made.location).status_code == 404
    undo = re.search(r'action="(/crm/operations/[^"]+/undo)"', admin.get("/crm/operations").text)
    assert undo is not None
    admin.post(undo[1])
    assert sales.get(made.location).status_code == 200

    # commented, shared, exported
    sales.post(f"{made.location}/comments", data={"body": "@陈嘉禾 账期谈到 60 天"})
    assert "账期谈到 60 天" in admin.get(made.location).text
    admin.post("/crm/suppliers/export", data={"format": "csv"})
    work()
    file = re.search(r'href="(/crm/suppliers/export/[^"?]+)"', admin.get("/crm/suppliers/export").text)
    assert file is not None
    with admin.get(file[1]) as answer:
        text = answer.get_data().decode("utf-8-sig")
    assert "义乌华信包装有限公司" in text and "绍兴顺达物流" in text and "13800138000" not in text


def test_its_twins_are_noticed_and_merged(
    ours: Company, supplier: ModuleType, browser: Callable[..., CrmBrowser]
) -> None:
    admin = browser(ours, "admin")
    first, second = (
        admin.post("/crm/suppliers/new", data={"name": name, "anyway": "1", "phone": "13800138000"}).location
        for name in ("义乌华信包装", "义乌华信包装有限公司")
    )
    page = admin.get(f"{first}/twins").text
    assert "电话相同" in page and "公司相同" in page
    ids = [path.rsplit("/", 1)[1] for path in (first, second)]

    admin.post("/crm/suppliers/merge", data={"ids": ids, "survivor": ids[0]})

    assert admin.get(second).location.endswith(first)
