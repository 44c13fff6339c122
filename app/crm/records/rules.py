"""Sharing rules: records that fit a filter are shared with a role, for reading or for editing too (CRM §12).

A rule only ever adds. Its filter reads every field, whatever its reader may see; "我" in it is the reader.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Boolean, ForeignKeyConstraint, Index, String, select
from sqlalchemy.orm import Mapped, mapped_column

from app.core import filters
from app.core.db import Changing, db, uuid7
from app.core.errors import Invalid, NotFound
from app.core.filters import Reader, Terms, Tree
from app.core.tenancy import TenantOwned
from app.crm.access import actor as actors
from app.crm.access import policy as policies
from app.crm.access import sight
from app.crm.access.actor import Actor
from app.crm.access.models import Role
from app.crm.access.policy import Policy
from app.crm.records import reach, terms, types
from app.crm.records.reach import Way
from app.crm.records.types import RecordType

log = structlog.get_logger(__name__)

RIGHTS = {"read": "可以查看", "edit": "可以查看和编辑"}
MOST = 50


class SharingRule(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """Records of ``object`` that fit ``tree`` are shared with the role."""

    __tablename__ = "crm_sharing_rules"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "role_id"], ["crm_roles.tenant_id", "crm_roles.id"]),
        Index("ix_crm_sharing_rules_role", "tenant_id", "role_id"),
        Index("ix_crm_sharing_rules_object", "tenant_id", "object", "is_active"),
    )

    object: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(60))
    role_id: Mapped[str] = mapped_column(String(36))
    right: Mapped[str] = mapped_column(String(10), default="read")
    tree: Mapped[dict[str, Any]]
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)


@dataclass(frozen=True, slots=True)
class _Rule:
    words: str
    right: str
    role_id: str
    tree: Tree


@dataclass(frozen=True, slots=True)
class _Rules:
    """The rules on one object of a tenant, with what their filters may name."""

    rules: tuple[_Rule, ...]
    terms: Terms


_MOST_KEPT = 1000
_kept: OrderedDict[tuple[str, str, str], _Rules] = OrderedDict()


def each() -> Sequence[SharingRule]:
    """All rules of the scope's tenant."""
    return db.session.scalars(select(SharingRule).order_by(SharingRule.object, SharingRule.id)).all()


def get(rule_id: str) -> SharingRule:
    """Raises NotFound."""
    found = db.session.scalars(select(SharingRule).where(SharingRule.id == rule_id)).first()
    if found is None:
        raise NotFound("没有找到这条共享规则。")
    return found


def write(
    rule: SharingRule | None, thing: str, name: str, role_id: str, right: str, tree: Tree, is_active: bool, actor: Actor
) -> SharingRule:
    """Make a rule, or write one over; it holds from the next request on. Raises Invalid on a field."""
    name = " ".join(name.split())
    described = types.find(thing)
    if not name or len(name) > 60:
        raise Invalid("请填规则名称，最多 60 个字。", field="name")
    if described is None or right not in RIGHTS:
        raise Invalid("请选择对象和权限。", field="right")
    if db.session.scalar(select(Role.id).where(Role.id == role_id)) is None:
        raise Invalid("请选择角色。", field="role")
    filters.checked(tree, _all_terms(described, actor.tenant_id))
    if not filters.leaves(tree):
        raise Invalid("至少填一个条件；要共享全部记录，请改角色的权限范围。", field="filter")
    if rule is None and len(each()) >= MOST:
        raise Invalid(f"共享规则最多 {MOST} 条。", field="name")
    values = {"name": name, "role_id": role_id, "right": right, "tree": tree, "is_active": is_active}
    return _change(rule, values, actor) if rule else _add(thing, values, actor)


def remove(rule: SharingRule, actor: Actor) -> None:
    actor.audited("sharing_deleted", "sharing_rule", rule.id, label=rule.name)
    db.session.delete(rule)
    policies.changed(actor.tenant_id)


def _add(thing: str, values: dict[str, Any], actor: Actor) -> SharingRule:
    rule = SharingRule(id=uuid7(), tenant_id=actor.tenant_id, object=thing, **values)
    db.session.add(rule)
    policies.changed(actor.tenant_id)
    said = {key: [None, value] for key, value in values.items()}
    actor.audited("sharing_created", "sharing_rule", rule.id, label=rule.name, changes=said)
    if rule.is_active:
        actor.audited("sharing_widened", "sharing_rule", rule.id, label=rule.name)
    return rule


def _change(rule: SharingRule, values: dict[str, Any], actor: Actor) -> SharingRule:
    said = {key: [getattr(rule, key), value] for key, value in values.items() if getattr(rule, key) != value}
    for key, value in values.items():
        setattr(rule, key, value)
    policies.changed(actor.tenant_id)
    if said:
        actor.audited("sharing_changed", "sharing_rule", rule.id, label=rule.name, changes=said)
    if rule.is_active and said.keys() - {
        "name"
    }:  # other rows, another role, more of a right: whatever it is, look at it
        actor.audited("sharing_widened", "sharing_rule", rule.id, label=rule.name)
    return rule


def ways(described: RecordType, policy: Policy, action: str) -> list[Way]:
    """The grounds that the tenant's rules give the user of ``policy``: one for each rule that names a role of his."""
    if action not in RIGHTS or policy.is_system or not policy.role_ids:
        return []
    rules = _of(described, policy)
    found = []
    for rule in rules.rules:
        if rule.role_id in policy.role_ids and (action == "read" or rule.right == "edit"):
            try:
                condition = filters.compile_tree(rule.tree, rules.terms, Reader(me=policy.user_id))
            except Invalid as error:  # a field of the tenant's own was put away: the rule shares nothing any more
                log.warning("sharing_rule_not_read", rule=rule.words, why=error.message)
                continue
            found.append(Way(rule.words, condition))
    return found


def _of(described: RecordType, policy: Policy) -> _Rules:
    """Read once for each version of the tenant's rules."""
    key = policy.tenant_id, policy.version, described.key
    known = _kept.get(key)
    if known is None:
        known = _kept[key] = _read(described, policy.tenant_id)
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return known


def _read(described: RecordType, tenant_id: str) -> _Rules:
    statement = (
        select(SharingRule, Role.name)
        .join(Role, Role.id == SharingRule.role_id)
        .where(SharingRule.tenant_id == tenant_id, SharingRule.object == described.key, SharingRule.is_active)
        .order_by(SharingRule.id)
    )
    rules = tuple(
        _Rule(f"共享规则「{rule.name}」让角色「{role}」{RIGHTS[rule.right]}", rule.right, rule.role_id, rule.tree)
        for rule, role in db.session.execute(statement)
    )
    return _Rules(rules, _all_terms(described, tenant_id) if rules else {})


def _all_terms(described: RecordType, tenant_id: str) -> Terms:
    return terms.of(described, actors.system(tenant_id))


reach.add_ways(ways)
sight.shows(SharingRule, sight.everybody)
