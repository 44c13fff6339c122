"""设置 → 共享规则: records that fit a filter, shared with a role."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.crm import area, me
from app.blueprints.crm.records import conditions, state
from app.blueprints.crm.rights import manages
from app.core import filters
from app.core.errors import NotFound, Refused
from app.core.filters import Tree
from app.crm.access import people, roles
from app.crm.access.actor import Actor
from app.crm.records import rules, terms, types
from app.crm.records.rules import SharingRule
from app.crm.records.types import RecordType
from app.web.pages import done, page


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the filter's form asks of a list: its object, and who reads."""

    described: RecordType
    actor: Actor


@area.get("/settings/sharing")
@manages
def sharing_list() -> ResponseReturnValue:
    found = [(rule, types.get(rule.object), _words(rule)) for rule in rules.each() if types.find(rule.object)]
    return page(
        "crm/settings/sharing.html",
        rules=found,
        objects=list(types.each()),
        role_names={role.id: role.name for role in roles.each()},
        rights=rules.RIGHTS,
    )


@area.route("/settings/sharing/new", methods=["GET", "POST"])
@manages
def sharing_new() -> ResponseReturnValue:
    described = types.find(request.args.get("object", "lead"))
    if described is None:
        raise NotFound
    return _form(described, None)


@area.route("/settings/sharing/<rule_id>", methods=["GET", "POST"])
@manages
def sharing_edit(rule_id: str) -> ResponseReturnValue:
    rule = rules.get(rule_id)
    return _form(types.get(rule.object), rule)


@area.post("/settings/sharing/<rule_id>/delete")
@manages
def sharing_delete(rule_id: str) -> ResponseReturnValue:
    rule = rules.get(rule_id)
    rules.remove(rule, me())
    return done(url_for("crm.sharing_list"), f"「{rule.name}」已删除，从下一次操作起不再共享")


def _form(described: RecordType, rule: SharingRule | None) -> ResponseReturnValue:
    """Adding and removing rows asks by GET, with all that was typed; saving posts the same form."""
    known = terms.of(described, me())
    from_form = "n" in request.values
    rows, any_of, kept = (
        conditions._from_form(known) if from_form else conditions._from_tree(rule.tree if rule else {}, known)
    )
    asked = request.values.get("do", "")
    refusal = None
    if request.method == "POST":
        try:
            rules.write(rule, described.key, *_typed(), conditions._tree(rows, any_of, kept), _is_on(), me())
            return done(url_for("crm.sharing_list"), "共享规则已保存，从下一次操作起生效")
        except Refused as error:
            refusal = error.message
    if asked.startswith("remove-"):
        rows = [row for row in rows if f"remove-{row.place}" != asked]
    if asked == "add" or not rows:
        rows = [*rows, conditions._row(len(rows), conditions._first_new(rows, known), "", [], known)]
    fields = terms.fields(described, me())
    shown: Any = _Shown(described, me())
    return page(
        "crm/settings/sharing_rule.html",
        rule=rule,
        described=described,
        rows=[conditions._numbered(row, place, shown, fields) for place, row in enumerate(rows[:20])],
        any_of=any_of,
        kept=[(json.dumps(tree, ensure_ascii=False), conditions._words(tree, fields, shown)) for tree in kept],
        fields=[(key, term.label) for key, term in known.items()],
        spans=list(filters.SPANS.items()),
        roles=roles.each(),
        rights=rules.RIGHTS,
        name=request.values.get("name", rule.name if rule else ""),
        role_id=request.values.get("role", rule.role_id if rule else ""),
        right=request.values.get("right", rule.right if rule else "read"),
        is_active=_is_on() if from_form else (rule is None or rule.is_active),
        refusal=refusal,
        status=422 if refusal else 200,
    )


def _typed() -> tuple[str, str, str]:
    return request.form.get("name", ""), request.form.get("role", ""), request.form.get("right", "")


def _is_on() -> bool:
    return request.values.get("is_active") == "1"


def _words(rule: SharingRule) -> list[str]:
    described = types.get(rule.object)
    fields, names = terms.fields(described, me()), people.names(me())
    return [_said(leaf, fields, names) for leaf in filters.leaves(rule.tree)]


def said_of(tree: Tree) -> list[str]:
    """The conditions of a rule's filter in words, whatever object it is of: its fields are looked for in each."""
    fields = {key: one for described in types.each() for key, one in terms.fields(described, me()).items()}
    return [_said(leaf, fields, people.names(me())) for leaf in filters.leaves(tree)]


def role_name(role_id: str | None) -> str:
    """What a role is called; "" for one that is gone."""
    return next((role.name for role in roles.each() if role.id == role_id), "")


def _said(leaf: Tree, fields: Any, names: Any) -> str:
    return state.said(leaf, fields, names) if leaf.get("field") in fields else "一个已停用的字段"
