"""Leads in numbers, for measurement: one large tenant beside many small ones, made by a seed as fast as the database takes.

They bear what lists, searches and figures read, and no history. Nothing of it belongs into a real tenant.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import insert

from app.core import clock, crypto, search, tenancy
from app.core.db import uuid7
from app.crm.leads.lead import NEVER
from app.crm.leads.models import Lead
from app.crm.records import phones, words
from app.crm.records.tags import RecordTag
from app.demo.company import stories
from app.demo.names import Namer

CHUNK = 2000
_STATES = (("new", 30), ("contacting", 26), ("qualified", 12), ("converted", 9), ("closed", 23))
_REACHED = {"new": 0, "contacting": 1, "qualified": 2, "converted": 3, "closed": 1}


def fill(tenant_id: str, owner_ids: list[str], count: int, *, seed: int = 1) -> Iterator[int]:
    """Write ``count`` leads of a tenant, a chunk a transaction; yields how many are there so far."""
    names, made = Namer(seed), 0
    sealed = crypto.keys().encrypt("+8613800000000")  # one seal serves all: nobody reads these numbers
    began = clock.now() - timedelta(days=730)
    while made < count:
        size = min(CHUNK, count - made)
        leads = [
            _lead(tenant_id, owner_ids, names, sealed, began, seed * 10_000_000 + made + n, count) for n in range(size)
        ]
        with tenancy.scope(tenancy.tenant(tenant_id)) as session:
            session.execute(insert(Lead), leads)
            session.execute(insert(search.SearchEntry), [_entry(lead) for lead in leads])
            session.execute(insert(RecordTag), [row for lead in leads for row in _tags(lead)])
        made += size
        yield made


def _lead(
    tenant_id: str, owner_ids: list[str], names: Namer, sealed: str, began: datetime, number: int, count: int
) -> dict[str, Any]:
    dice = names.random
    state = stories.pick(_STATES, dice)
    created = began + timedelta(days=730) * ((number % 10_000_000) / count)
    changed = min(created + timedelta(days=dice.uniform(0, 60)), clock.now())
    # Numbers that no network has, so that a million of them are there
    phone = f"+861{number % 10_000_000_000:010d}"
    index = phones.index(tenant_id, phone)
    is_open = state not in {"converted", "closed"}
    due = changed + timedelta(days=dice.uniform(-5, 20)) if is_open and dice.random() < 0.6 else None
    company = f"{dice.choice(_CITIES)}{dice.choice(_BRANDS)}{dice.choice(_TRADES)}有限公司"
    name = names.person()
    return {
        "id": uuid7(), "tenant_id": tenant_id, "created_at": created, "updated_at": changed, "name": name, "company": company,
        "owner_id": dice.choice(owner_ids) if dice.random() < 0.93 else None, "version": 1, "extra": {}, "name_key": _key(name),
        "company_key": words.company_key(company), "status": state, "reached": _REACHED[state], "title": dice.choice(stories.TITLES),
        "phone": sealed, "phone_index": index, "phone_last4": phones.last4_index(tenant_id, phone),
        "phone_masked": f"{phone[3:6]}****{phone[-4:]}", "phone_live": index if is_open else None, "region": "", "wechat": "",
        "source": stories.pick(stories.SOURCES, dice), "campaign": "", "tags": dice.sample(stories.TAGS, dice.choice((0, 1, 1, 2))),
        "priority": dice.choice(("high", "medium", "medium", "low")), "remark": "", "step": "", "score": dice.randrange(101), "grade": "B2",
        "next_follow_at": due, "next_key": due or NEVER, "last_contact_at": changed if state != "new" else None,
        "converted_at": changed if state == "converted" else None, "closed_at": changed if state == "closed" else None,
        "close_reason": stories.pick(stories.LOST, dice) if state == "closed" else "", "convert_reason": "",
    }  # fmt: skip


def _entry(lead: dict[str, Any]) -> dict[str, Any]:
    mark = search.mark(lead["tenant_id"], "lead")
    found = [*_terms(lead["name"]), *_company_terms(lead["company"]), *_terms(lead["title"])]
    stored = " ".join(f"{mark}{term}" for term in dict.fromkeys(found))
    return {
        "id": uuid7(), "created_at": lead["created_at"], "tenant_id": lead["tenant_id"], "object": "lead",
        "record_id": lead["id"], "terms": stored,
    }  # fmt: skip


def _tags(lead: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"id": uuid7(), "created_at": lead["created_at"], "tenant_id": lead["tenant_id"], "object": "lead", "record_id": lead["id"], "tag": tag}
        for tag in lead["tags"]
    ]  # fmt: skip


@lru_cache(100_000)
def _key(name: str) -> str:
    return words.name_key(name)


@lru_cache(200_000)
def _terms(text: str) -> tuple[str, ...]:
    return tuple(search.terms([text]))


@lru_cache(200_000)
def _company_terms(text: str) -> tuple[str, ...]:
    return tuple(search.terms([text]))


_CITIES = (
    "杭州",
    "宁波",
    "苏州",
    "南京",
    "上海",
    "广州",
    "深圳",
    "成都",
    "重庆",
    "武汉",
    "长沙",
    "西安",
    "青岛",
    "厦门",
    "北京",
    "天津",
)
_BRANDS = tuple(
    f"{one}{two}"
    for one in "青远锦蜀穗海榕山橘庐燕泉江中金长云星沐北"
    for two in "禾帆程味光纳城洲阳赵印汇原陵安岭澜辰行石"
)
_TRADES = (
    "跨境电商", "家居", "食品", "照明", "机电", "医疗器械", "装饰", "水产", "物流", "教育咨询", "印务", "服饰", "文旅", "新材料", "自动化",
    "包装", "建材", "网络科技", "户外用品", "茶业",
)  # fmt: skip
