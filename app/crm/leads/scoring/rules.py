"""A scoring rule as data, checked before it is saved (CRM §4, Language)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from app.core import filters
from app.core.errors import Invalid
from app.core.filters import Terms, Tree

FAMILIES = {"fit": "匹配度", "engagement": "活跃度"}
REPEATS = {"once": "只算一次", "per_object": "每个对象一次", "each": "每次都算"}
EVENTS = {
    "form_submit": "提交表单", "page_view": "浏览网页", "price_view": "看价格页", "mail_open": "打开邮件", "mail_click": "点击邮件链接",
    "event_checkin": "线下签到", "wechat_message": "发来微信消息", "weibo_message": "发来微博私信", "contact_out": "我们联系对方",
    "contact_in": "对方主动联系", "no_answer": "电话未接", "went_well": "沟通有进展",
}  # fmt: skip
MOST_RULES = 60
_ITS_OWN = frozenset({"score", "grade"})
_BY_THE_DAY = frozenset({"within", "last_days", "next_days", "older_than_days"})


@dataclass(frozen=True, slots=True)
class Rule:
    """Points for what a lead is (``when``), or for what happened (``event``, where ``when`` must hold as well).

    ``window_days``: only events so recent count, and vanish after it; ``half_life_days``: they fade instead. The two
    exclude each other. ``cap_days``: at most one award in so many days.
    """

    key: str
    name: str
    points: int
    family: str = "fit"
    group: str = ""
    when: Tree = field(default_factory=dict)
    event: str = ""
    window_days: int | None = None
    half_life_days: int | None = None
    repeat: str = "once"
    cap_days: int | None = None

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Model:
    """All rules of one version; ``groups``: {group: [least, most]} of points."""

    rules: tuple[Rule, ...]
    groups: Mapping[str, tuple[int, int]]
    threshold: int = 80
    version: int = 0
    idle: tuple[str, ...] = ()  # names of rules over fields that are gone: they score nothing


def parse(data: Mapping[str, Any], terms: Terms) -> Rule:
    """A rule from a form or from the database. Raises Invalid naming the field."""
    rule = Rule(**{key: data[key] for key in Rule.__slots__ if key in data})
    if not rule.name or len(rule.name) > 60 or not rule.key or len(rule.key) > 40:
        raise Invalid("请填规则名称，最多 60 个字。", field="name")
    if not isinstance(rule.points, int) or not -100 <= rule.points <= 100 or rule.points == 0:
        raise Invalid("分数要在 −100 到 100 之间，不能是 0。", field="points")
    if rule.family not in FAMILIES or rule.repeat not in REPEATS:
        raise Invalid("请选择规则的类别。", field="family")
    if rule.event and rule.event not in EVENTS:
        raise Invalid("请选择行为。", field="event")
    if not rule.event and rule.family == "engagement":
        raise Invalid("活跃度规则要选一种行为。", field="event")
    if not rule.event and not filters.leaves(rule.when or filters.EVERYTHING):
        raise Invalid("请至少写一个条件。", field="when")
    _check_days(rule)
    filters.checked(rule.when or filters.EVERYTHING, offered(terms))
    return rule


def offered(terms: Terms) -> Terms:
    """The fields that a rule may ask for: all but what the score itself makes of a lead, or a score would hang on itself."""
    return {key: term for key, term in terms.items() if key not in _ITS_OWN}


def fields_of(model: Model) -> set[str]:
    """The fields that the rules of a model ask for."""
    return {leaf["field"] for rule in model.rules if rule.when for leaf in filters.leaves(rule.when)}


def follows_the_day(model: Model) -> bool:
    """Whether a rule asks for something that another day changes by itself: created in the last seven days."""
    return any(leaf.get("op") in _BY_THE_DAY for rule in model.rules if rule.when for leaf in filters.leaves(rule.when))


def parse_all(
    rows: Sequence[Mapping[str, Any]], groups: Mapping[str, Any], threshold: int, terms: Terms, version: int = 0
) -> Model:
    """The rules of one version. Raises Invalid."""
    if len(rows) > MOST_RULES:
        raise Invalid(f"规则最多 {MOST_RULES} 条。")
    parsed = tuple(parse(row, terms) for row in rows)
    if len({rule.key for rule in parsed}) != len(parsed):
        raise Invalid("有两条规则的编号相同。")
    if not 1 <= threshold <= 100:
        raise Invalid("高分线要在 1 到 100 之间。", field="threshold")
    bounds = {name: (int(low), int(high)) for name, (low, high) in groups.items()}
    if any(low > high for low, high in bounds.values()):
        raise Invalid("分组的下限不能比上限大。", field="groups")
    return Model(parsed, bounds, threshold, version)


def load(
    rows: Sequence[Mapping[str, Any]], groups: Mapping[str, Any], threshold: int, terms: Terms, version: int
) -> Model:
    """A stored version. A rule over a field that the tenant gave up since scores nothing, and stops no other."""
    there = offered(terms)
    sound = [
        row
        for row in rows
        if all(leaf["field"] in there for leaf in filters.leaves(row.get("when") or filters.EVERYTHING))
    ]
    idle = tuple(row["name"] for row in rows if row not in sound)
    return replace(parse_all(sound, groups, threshold, terms, version), idle=idle)


def _check_days(rule: Rule) -> None:
    for name, label in (("window_days", "有效天数"), ("half_life_days", "半衰期"), ("cap_days", "间隔天数")):
        days = getattr(rule, name)
        if days is not None and (not isinstance(days, int) or not 1 <= days <= 3650):
            raise Invalid(f"{label}要在 1 到 3650 天之间。", field=name)
    if rule.window_days and rule.half_life_days:
        raise Invalid("有效天数和半衰期只能选一个。", field="half_life_days")
    if (rule.window_days or rule.half_life_days) and not rule.event:
        raise Invalid("只有行为规则才有有效天数或半衰期。", field="window_days")


def _is(name: str, *values: str) -> Tree:
    return {"field": name, "op": "is_in", "value": list(values)}


# What a tenant begins with
DEFAULT = (
    Rule("phone", "留了手机号", 8, when={"field": "phone", "op": "is_not_empty"}),
    Rule("company", "写了公司", 6, when={"field": "company", "op": "is_not_empty"}),
    Rule("decides", "职位能拍板", 15, when={"any": [
        {"field": "title", "op": "contains", "value": word} for word in ("总", "老板", "负责人", "经理", "主任")
    ]}),
    Rule("high", "优先级高", 10, when=_is("priority", "high")),
    Rule("amount", "预计金额过万", 8, when={"field": "amount", "op": "gte", "value": "10000"}),
    Rule("referral", "老客户介绍", 10, when=_is("source", "referral")),
    Rule("form", "提交表单", 20, "engagement", "行为", event="form_submit", half_life_days=30, repeat="per_object"),
    Rule("price", "看价格页", 6, "engagement", "行为", event="price_view", window_days=7, repeat="each", cap_days=1),
    Rule("pages", "浏览网页", 2, "engagement", "行为", event="page_view", window_days=14, repeat="per_object"),
    Rule("wrote", "对方主动联系", 14, "engagement", "沟通", event="contact_in", half_life_days=14, repeat="each", cap_days=1),
    Rule("well", "沟通有进展", 10, "engagement", "沟通", event="went_well", half_life_days=30, repeat="each", cap_days=1),
    Rule("silent", "电话未接", -3, "engagement", "沟通", event="no_answer", window_days=14, repeat="each"),
    Rule("checkin", "线下签到", 12, "engagement", "行为", event="event_checkin", half_life_days=30, repeat="per_object"),
)  # fmt: skip
DEFAULT_GROUPS = {"行为": (0, 45), "沟通": (-15, 35)}
