"""评分规则: written, tried on all open leads, published, judged by the closed ones (CRM §4)."""

from __future__ import annotations

from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue
from wtforms import IntegerField, SelectField, StringField
from wtforms.validators import InputRequired, Length, Optional

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import manages
from app.core import filters
from app.core.db import uuid7
from app.core.errors import Invalid, NotFound, Refused
from app.core.filters import Tree
from app.crm.leads.lead import LEAD
from app.crm.leads.scoring import keep, publish, rules
from app.crm.leads.scoring.rules import Rule
from app.crm.records import terms
from app.web.forms import Form, as_choices
from app.web.pages import done, page

_CONDITIONS = 3  # rows of the form


class RuleForm(Form):
    name = StringField("规则名称", [InputRequired("请填规则名称"), Length(max=60, message="最多 60 个字")])
    points = IntegerField("分数", [InputRequired("请填分数")])
    family = SelectField("类别", choices=as_choices(rules.FAMILIES.items()))
    group = StringField("分组", [Length(max=20, message="最多 20 个字")])
    event = SelectField("行为", choices=as_choices((("", "不看行为，只看资料"), *rules.EVENTS.items())))
    repeat = SelectField("重复发生时", choices=as_choices(rules.REPEATS.items()))
    window_days = IntegerField("有效天数", [Optional()])
    half_life_days = IntegerField("半衰期（天）", [Optional()])
    cap_days = IntegerField("最多几天算一次", [Optional()])


@area.get("/settings/scoring")
@manages
def scoring() -> ResponseReturnValue:
    actor = me()
    return page(
        "crm/leads/scoring.html",
        draft=keep.draft(actor),
        in_force=keep.in_force(actor),
        families=rules.FAMILIES,
        events=rules.EVENTS,
        words={rule.key: condition_words(rule.when) for rule in keep.draft(actor).rules},
        backtest=publish.backtest(actor),
    )


@area.route("/settings/scoring/rules/<key>", methods=["GET", "POST"])
@manages
def scoring_rule(key: str) -> ResponseReturnValue:
    """One rule of the draft; ``new`` is one that is not there yet."""
    draft = keep.draft(me())
    rule = next((one for one in draft.rules if one.key == key), None)
    if rule is None and key != "new":
        raise NotFound
    form = RuleForm(data=rule.as_data() if rule else {"points": 10})
    conditions = _rows(rule.when if rule else {})
    if form.is_submitted():
        conditions = _typed_rows()
        if form.validate():
            try:
                _save(draft.rules, _rule(form, rule.key if rule else uuid7()[-12:], conditions))
                return done(url_for("crm.scoring"), "规则已存入草稿，发布以后生效")
            except Refused as error:
                form.refuse(error)
    known = rules.offered(terms.of(LEAD, me()))
    return page(
        "crm/leads/scoring_rule.html", form=form, rule=rule, conditions=conditions, terms=known, operators=filters.OPERATORS,
        words=filters.WORDS, match=_match(rule), status=422 if form.is_submitted() else 200,
    )  # fmt: skip


@area.post("/settings/scoring/rules/<key>/delete")
@manages
def delete_scoring_rule(key: str) -> ResponseReturnValue:
    draft = keep.draft(me())
    if all(rule.key != key for rule in draft.rules):
        raise NotFound("没有找到这条规则，它可能已被删除。")
    publish.save_draft([rule.as_data() for rule in draft.rules if rule.key != key], draft.groups, draft.threshold, me())
    return done(url_for("crm.scoring"), "规则已从草稿里删除，发布以后生效")


@area.post("/settings/scoring/limits")
@manages
def scoring_limits() -> ResponseReturnValue:
    """The line above which a lead is hot, and the least and most of each group."""
    draft = keep.draft(me())
    groups = {}
    for name in {rule.group for rule in draft.rules if rule.group}:
        low, high = request.form.get(f"low-{name}", ""), request.form.get(f"high-{name}", "")
        if low or high:
            groups[name] = [_whole(low or "-100"), _whole(high or "100")]
    publish.save_draft(
        [rule.as_data() for rule in draft.rules], groups, _whole(request.form.get("threshold", "80")), me()
    )
    return done(url_for("crm.scoring"), "已存入草稿，发布以后生效")


@area.get("/settings/scoring/preview")
@manages
def scoring_preview() -> ResponseReturnValue:
    draft = keep.draft(me())
    return page(
        "crm/leads/scoring_preview.html", tried=publish.preview(draft, me()), draft=draft, in_force=keep.in_force(me())
    )


@area.post("/settings/scoring/publish")
@manages
def publish_scoring() -> ResponseReturnValue:
    version = publish.publish(me())
    return done(url_for("crm.scoring"), f"已发布 v{version}，全部线索正在后台重新评分")


def condition_words(tree: Tree) -> list[str]:
    """The conditions of a rule in Chinese."""
    known = terms.of(LEAD, me())
    return [_words_of(leaf, known) for leaf in filters.leaves(tree or filters.EVERYTHING)]


def _words_of(leaf: Tree, known: Any) -> str:
    term = known.get(leaf["field"])
    value = leaf.get("value", "")
    field = LEAD.by_key.get(leaf["field"])
    shown = [field.labels.get(one, one) if field else one for one in (value if isinstance(value, list) else [value])]
    label = term.label if term else "已删除的字段"
    return f"{label} {filters.WORDS[leaf['op']]} {'、'.join(str(one) for one in shown if one != '')}".strip()


def _save(present: tuple[Rule, ...], rule: Rule) -> None:
    kept = [one.as_data() for one in present if one.key != rule.key]
    place = next((number for number, one in enumerate(present) if one.key == rule.key), len(kept))
    kept.insert(place, rule.as_data())
    draft = keep.draft(me())
    publish.save_draft(kept, draft.groups, draft.threshold, me())


def _rule(form: RuleForm, key: str, rows: list[dict[str, str]]) -> Rule:
    data = {name: value for name, value in form.data.items() if name in Rule.__slots__}
    return rules.parse({**data, "key": key, "group": data["group"] or "", "when": _tree(rows)}, terms.of(LEAD, me()))


def _rows(tree: Tree) -> list[dict[str, str]]:
    """A tree of plain conditions as rows of the form; one that is more than that is shown as it is."""
    found = []
    for leaf in filters.leaves(tree) if tree else []:
        value = leaf.get("value", "")
        found.append(
            {
                "field": leaf["field"],
                "op": leaf["op"],
                "value": "、".join(value) if isinstance(value, list) else str(value),
            }
        )
    return found + [{"field": "", "op": "", "value": ""}] * max(_CONDITIONS - len(found), 1)


def _typed_rows() -> list[dict[str, str]]:
    columns = [request.form.getlist(name)[:20] for name in ("field", "op", "value")]
    return [dict(zip(("field", "op", "value"), row, strict=True)) for row in zip(*columns, strict=False)]


def _match(rule: Rule | None) -> str:
    return request.form.get("match") or ("any" if rule and "any" in rule.when else "all")


def _tree(rows: list[dict[str, str]]) -> Tree:
    known = terms.of(LEAD, me())
    leaves = [_leaf(row, known) for row in rows if row["field"]]
    match = "any" if request.form.get("match") == "any" else "all"
    return {match: leaves} if leaves else {}


def _leaf(row: dict[str, str], known: Any) -> Tree:
    term = known.get(row["field"])
    if term is None:
        raise Invalid("条件里的字段不存在。", field="filter")
    op = row["op"] if row["op"] in filters.OPERATORS[term.kind] else filters.OPERATORS[term.kind][0]
    if op in {"is_empty", "is_not_empty", "is_true", "is_false"}:
        return {"field": term.key, "op": op}
    if op in filters.CHOICE or op in filters.TAGS:
        labels = {label: key for key, label in LEAD.by_key[term.key].choices} if term.key in LEAD.by_key else {}
        parts = [
            part.strip() for part in row["value"].replace("，", "、").replace(",", "、").split("、") if part.strip()
        ]
        return {"field": term.key, "op": op, "value": [labels.get(part, part) for part in parts]}
    return {"field": term.key, "op": op, "value": row["value"].strip()}


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise Invalid("请填整数。", field="threshold") from error
