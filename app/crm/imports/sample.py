"""The file to fill in: one column for each field that the importer may write, and a row that shows how."""

from __future__ import annotations

from app.crm.access.actor import Actor
from app.crm.imports import mapping
from app.crm.records.fields import Field
from app.crm.records.types import RecordType

_SHOWN = {
    "name": "李牧之", "company": "北京优远科技有限公司", "contact_name": "李牧之", "title": "采购经理", "phone": "13800138000",
    "email": "li@example.com", "wechat": "limuzhi", "region": "北京", "address": "海淀区中关村大街 1 号", "campaign": "秋季展会",
    "external_id": "K-1001", "remark": "想看企业版的演示",
}  # fmt: skip
_BY_KIND = {
    "date": "1990-06-18", "datetime": "2026-06-18 14:30", "money": "12800.00", "number": "10", "bool": "是", "tags": "API、专业版",
    "phone": "13800138000", "email": "li@example.com",
}  # fmt: skip


def table(described: RecordType, actor: Actor) -> list[list[str]]:
    """The head row and one example; nothing that the product itself keeps (PITFALLS 42)."""
    fields = list(mapping.importable(described, actor).values())
    return [[field.label for field in fields], [_example(described, field, actor) for field in fields]]


def _example(described: RecordType, field: Field, actor: Actor) -> str:
    if field.key == "name" and described.company_field == "name":
        return "北京优远科技有限公司"
    if field.kind == "choice":
        return field.choices[0][1] if field.choices else ""
    if field.kind == "user":
        return actor.policy.name
    if field.kind == "record":
        return "北京优远科技有限公司"
    return _SHOWN.get(field.key, _BY_KIND.get(field.kind, ""))
