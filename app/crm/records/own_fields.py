"""The tenant's own fields, kept by its administrator: added, renamed, put in order, archived and brought back.

A field's key and kind never change, so that no value ever has to be guessed; an archived one keeps its values.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from app.core.db import db, uuid7
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.crm.access import policy
from app.crm.access.actor import Actor
from app.crm.records.custom import CustomField
from app.crm.records.types import RecordType

MOST = 50  # of one object
MOST_CHOICES = 100
KINDS = {"text": "文字", "number": "数字", "date": "日期", "choice": "单选", "bool": "是否", "user": "人员"}


def each(described: RecordType) -> Sequence[CustomField]:
    """Every own field of an object, archived ones last."""
    statement = select(CustomField).where(CustomField.object == described.key)
    return db.session.scalars(statement.order_by(CustomField.archived, CustomField.position, CustomField.id)).all()


def get(field_id: str) -> CustomField:
    """Raises NotFound."""
    found = db.session.scalars(select(CustomField).where(CustomField.id == field_id).with_for_update()).first()
    if found is None:
        raise NotFound("没有找到这个字段。")
    return found


def add(described: RecordType, label: str, kind: str, choices: str, required: bool, actor: Actor) -> CustomField:
    """A new field at the end. Raises Forbidden, Invalid beside what is wrong, Conflict at the fifty-first."""
    _insist(actor)
    if kind not in KINDS:
        raise Invalid("请选择类型。", field="kind")
    if db.session.scalar(select(func.count(CustomField.id)).where(CustomField.object == described.key)) >= MOST:  # type: ignore[operator]
        raise Conflict(f"每种记录最多 {MOST} 个自定义字段，归档的也算在内。")
    made = CustomField(
        tenant_id=actor.tenant_id, object=described.key, key=f"x_{uuid7().replace('-', '')[-12:]}", kind=kind,
        label=_label(described, label, ""), choices=_choices([], choices) if kind == "choice" else [],
        required=required and kind != "bool", position=_last(described) + 1,
    )  # fmt: skip
    db.session.add(made)
    _changed(made, actor, {"label": [None, made.label]})
    return made


def change(described: RecordType, field: CustomField, label: str, choices: str, required: bool, actor: Actor) -> None:
    """Another name, other choices, needed or not; a choice that is left out keeps its name where it was chosen before."""
    _insist(actor)
    before = [field.label, field.choices, field.required]
    field.label = _label(described, label, field.id)
    if field.kind == "choice":
        field.choices = _choices(field.choices, choices)
    field.required = required and field.kind != "bool"
    _changed(field, actor, {"field": [before, [field.label, field.choices, field.required]]})


def archive(field: CustomField, is_archived: bool, actor: Actor) -> None:
    """Out of every form and list, or back; the values stay."""
    _insist(actor)
    field.archived = is_archived
    _changed(field, actor, {"archived": [not is_archived, is_archived]})


def move(described: RecordType, field: CustomField, step: int, actor: Actor) -> None:
    """One place up (-1) or down (1); at the end nothing happens."""
    _insist(actor)
    living = [one for one in each(described) if not one.archived]
    place = next((at for at, one in enumerate(living) if one.id == field.id), None)
    if place is None or not 0 <= place + step < len(living):
        return
    living.insert(place + step, living.pop(place))
    for position, one in enumerate(living):
        one.position = position
    policy.changed(actor.tenant_id)


def _insist(actor: Actor) -> None:
    if not actor.policy.manages:
        raise Forbidden("只有管理员可以设置字段。")


def _changed(field: CustomField, actor: Actor, changes: dict[str, list[object]]) -> None:
    db.session.flush()
    policy.changed(actor.tenant_id)
    actor.audited("configure", "custom_field", field.id, label=field.label, changes=changes)


def _last(described: RecordType) -> int:
    statement = select(func.max(CustomField.position)).where(CustomField.object == described.key)
    found = db.session.scalar(statement)
    return -1 if found is None else found


def _label(described: RecordType, label: str, own_id: str) -> str:
    """A name that no other field of the object bears, archived ones included."""
    text = " ".join(label.split())
    if not 1 <= len(text) <= 30:
        raise Invalid("字段名称要 1 到 30 个字。", field="label")
    others = {one.label for one in each(described) if one.id != own_id} | {one.label for one in described.fields}
    if text in others:
        raise Invalid(f"已经有叫「{text}」的字段了。", field="label")
    return text


def _choices(there: list[list[str]], typed: str) -> list[list[str]]:
    """One choice a line; a known name keeps its key, and so does a line that only got another name."""
    names = list(dict.fromkeys(" ".join(line.split()) for line in typed.splitlines() if line.strip()))
    if not names:
        raise Invalid("至少写一个选项，一行一个。", field="choices")
    if len(names) > MOST_CHOICES or any(len(name) > 40 for name in names):
        raise Invalid(f"选项最多 {MOST_CHOICES} 个，每个最多 40 个字。", field="choices")
    keys = {name: key for key, name in there}
    taken = set(keys.values())
    made: list[list[str]] = []
    for place, name in enumerate(names):
        renamed = there[place][0] if place < len(there) and there[place][1] not in names else ""
        # A choice's own name is its key, so that it still reads well once it is no choice any more.
        fresh = name if name not in taken else f"{name[:29]}-{uuid7()[-10:]}"
        made.append([keys.get(name) or renamed or fresh, name])
    return made
