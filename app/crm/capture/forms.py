"""Forms for strangers: what is asked, in which words, where they may stand, and how they fare (seed C §1.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from app.core import clock
from app.core.db import db, uuid7
from app.core.errors import Invalid, NotFound
from app.crm.access import actor as actors
from app.crm.access.actor import Actor
from app.crm.capture import doors
from app.crm.capture.models import Arrival, FormDay, LeadForm
from app.crm.leads.lead import LEAD, SOURCES
from app.crm.records import custom
from app.crm.records.fields import Field

BUILT_IN = ("name", "phone", "email", "wechat", "company", "title", "region", "tags", "remark")
REACHES = ("phone", "email", "wechat")  # by one of these somebody can be answered
MODES = {"form": "收集线索", "checkin": "活动签到"}
PUZZLES = {"auto": "提交频繁时才要（推荐）", "always": "每次都要"}
CONSENT = "我同意将以上信息用于与我联系"
_HELD_BACK = {"user", "record", "datetime", "tags"}  # kinds that a stranger has no use for
_MOST_FIELDS = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """One field as the form asks it. ``options`` are the tags to choose from, of the kind "tags"."""

    field: Field
    label: str
    required: bool
    help: str = ""
    options: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return self.field.key


@dataclass(frozen=True, slots=True)
class Figures:
    """How a form fares. ``rate`` is submits by views, None without a view."""

    views: int = 0
    submits: int = 0
    created: int = 0

    @property
    def rate(self) -> float | None:
        return min(self.submits / self.views, 1.0) if self.views else None


def offered(actor: Actor) -> dict[str, Field]:
    """The fields that a form may ask: those of a lead that its sender knows, and the tenant's own."""
    fields = custom.fields(LEAD, actor)
    own = {key: one for key, one in fields.items() if one.is_custom and one.kind not in _HELD_BACK}
    return {key: fields[key] for key in BUILT_IN} | own


def asked(form: LeadForm) -> list[Asked]:
    """What the form asks, in order; a field that the tenant gave up is left out."""
    there = offered(actors.system(form.tenant_id))
    return [_asked(row, there[row["key"]]) for row in form.fields if row["key"] in there]


def _asked(row: Mapping[str, Any], field: Field) -> Asked:
    return Asked(
        field, row.get("label") or field.label, bool(row.get("required")), row.get("help", ""), tuple(row.get("options", ()))
    )  # fmt: skip


def read(form: LeadForm, sent: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """(values, errors) of what was sent, each by field; what the form does not ask is passed over."""
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for one in asked(form):
        try:
            value = _read(one, sent.get(one.key))
            if one.required and value in (None, "", [], False):
                raise Invalid(f"请{'选择' if one.field.kind in {'choice', 'tags'} else '填'}{one.label}")
            if value not in (None, ""):
                values[one.key] = value
        except Invalid as error:
            errors[one.key] = error.message
    if not errors and not any(values.get(key) for key in REACHES):
        errors[_first_reach(form)] = "请至少留下一种联系方式"
    return values, errors


def _read(one: Asked, raw: Any) -> Any:
    """What is handed on, as typed: the verb parses it again."""
    if one.field.kind == "tags":
        chosen = [raw] if isinstance(raw, str) else list(raw or [])
        if any(tag not in one.options for tag in chosen):
            raise Invalid("请从列出的选项里选")
        return chosen
    parsed = one.field.parse(raw)
    return None if parsed is None else raw


def _first_reach(form: LeadForm) -> str:
    return next((one.key for one in asked(form) if one.key in REACHES), "")


# ── made and changed ──


def starting(mode: str = "form") -> LeadForm:
    """What a new form begins with, not yet in the database."""
    is_form = mode != "checkin"
    return LeadForm(
        mode="form" if is_form else "checkin", name="", title="留下联系方式，我们联系你" if is_form else "活动签到", intro="",
        button="提交" if is_form else "签到", thanks="已收到，我们会在一个工作日内联系你。" if is_form else "欢迎参加。",
        consent=CONSENT, consent_link="", redirect="", source="website" if is_form else "event", campaign="", tags=[],
        origins=[], puzzle="auto", place="", day=None, is_active=True,
        fields=[
            {"key": "name", "label": "姓名", "required": True, "help": "", "options": []},
            {"key": "phone", "label": "手机", "required": True, "help": "", "options": []},
            {"key": "company", "label": "公司", "required": False, "help": "", "options": []},
        ],
    )  # fmt: skip


def get(form_id: str) -> LeadForm:
    """A form of the scope's tenant. Raises NotFound."""
    found = db.session.scalars(select(LeadForm).where(LeadForm.id == form_id, LeadForm.archived_at.is_(None))).first()
    if found is None:
        raise NotFound("没有找到这个表单。")
    return found


def each() -> Sequence[LeadForm]:
    """All forms of the scope's tenant, the newest first."""
    return db.session.scalars(select(LeadForm).where(LeadForm.archived_at.is_(None)).order_by(LeadForm.id.desc())).all()


def add(details: Mapping[str, Any], actor: Actor) -> LeadForm:
    """A new form with an address of its own. Raises Invalid on a field of the builder."""
    checked = check(details, actor)
    form = LeadForm(id=uuid7(), tenant_id=actor.tenant_id, token=doors.token(), **checked)
    db.session.add(form)
    doors.open_(form.token, "form", actor.tenant_id, form.id)
    db.session.flush()
    actor.audited("form_created", "lead_form", form.id, label=form.name)
    return form


def change(form: LeadForm, details: Mapping[str, Any], actor: Actor) -> None:
    """Write a form over; other words of consent are another version of it. Raises Invalid on a field of the builder."""
    checked = check(details, actor)
    said = {key: [getattr(form, key), value] for key, value in checked.items() if getattr(form, key) != value}
    if "consent" in said or "consent_link" in said:
        form.consent_version += 1
    for key, value in checked.items():
        setattr(form, key, value)
    db.session.flush()
    if said:
        actor.audited("form_changed", "lead_form", form.id, label=form.name, changes=_plain(said))


def archive(form: LeadForm, actor: Actor) -> None:
    """Take a form away: its address answers no more; what came in by it stays."""
    form.archived_at = clock.now()
    form.is_active = False
    doors.close(form.id)
    actor.audited("form_deleted", "lead_form", form.id, label=form.name)


def _plain(said: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {
        key: [value.isoformat() if isinstance(value, date) else value for value in pair] for key, pair in said.items()
    }


def check(details: Mapping[str, Any], actor: Actor) -> dict[str, Any]:
    """What the builder sent, fit to be kept. Raises Invalid on the field of the builder that is wrong."""
    mode = details["mode"] if details["mode"] in MODES else "form"
    checked = {
        "mode": mode,
        "name": _text(details["name"], "name", "请填表单名称", 100),
        "title": _text(details["title"], "title", "请填标题", 100),
        "intro": str(details["intro"] or "").strip()[:500],
        "button": _text(details["button"], "button", "请填按钮文字", 20),
        "fields": _fields(details["fields"], actor),
        "consent": _text(details["consent"], "consent", "请写明收集信息做什么用，这是法律要求的", 300),
        "consent_link": address(details["consent_link"], "consent_link"),
        "thanks": _text(details["thanks"], "thanks", "请填提交以后显示的话", 500),
        "redirect": address(details["redirect"], "redirect"),
        "source": details["source"] if details["source"] in dict(SOURCES) else "website",
        "campaign": str(details["campaign"] or "").strip()[:100],
        "tags": LEAD.by_key["tags"].parse(details["tags"]) or [],
        "origins": origins(details["origins"]),
        "puzzle": details["puzzle"] if details["puzzle"] in PUZZLES else "auto",
        "place": str(details["place"] or "").strip()[:100],
        "day": Field("day", "日期", "date").parse(details["day"]),
        "is_active": bool(details["is_active"]),
    }
    if mode == "checkin" and checked["day"] is None:
        raise Invalid("请填活动日期", field="day")
    return checked


def _text(raw: Any, field: str, complaint: str, most: int) -> str:
    text = str(raw or "").strip()
    if not text:
        raise Invalid(complaint, field=field)
    if len(text) > most:
        raise Invalid(f"最多 {most} 个字", field=field)
    return text


def _fields(rows: Iterable[Mapping[str, Any]], actor: Actor) -> list[dict[str, Any]]:
    there, kept = offered(actor), {}
    for row in rows:
        if row["key"] in there:
            kept[row["key"]] = {
                "key": row["key"], "label": str(row["label"]).strip()[:40] or there[row["key"]].label,
                "required": bool(row["required"]), "help": str(row["help"]).strip()[:100], "options": _options(row, there),
            }  # fmt: skip
    if not any(key in kept for key in REACHES):
        raise Invalid("手机、邮箱、微信至少要问一样，否则联系不上", field="fields")
    if len(kept) > _MOST_FIELDS:
        raise Invalid(f"最多 {_MOST_FIELDS} 个字段", field="fields")
    return list(kept.values())


def _options(row: Mapping[str, Any], there: Mapping[str, Field]) -> list[str]:
    if there[row["key"]].kind != "tags":
        return []
    options = there[row["key"]].parse(str(row["options"]).replace("\n", ",")) or []
    if not options:
        raise Invalid(f"请写出「{row['label']}」可以选哪些，一行一个", field="fields")
    return list(options)


def address(raw: Any, field: str) -> str:
    """A link to elsewhere: http or https and nothing that a browser would run. Raises Invalid."""
    text = str(raw or "").strip()
    if not text:
        return ""
    parts = _split(text)
    if (
        parts is None
        or parts.scheme not in {"http", "https"}
        or not parts.hostname
        or len(text) > 300
        or not _SAFE.fullmatch(text)
    ):
        raise Invalid("要填完整的网址，例如 https://www.example.com/privacy", field=field)  # fmt: skip
    return text


_SAFE = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")


def _split(text: str) -> Any:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return parts


def origins(raw: Any) -> list[str]:
    """The sites on which the form may stand in a frame, one a line; a path behind them is cut off. Raises Invalid."""
    found = []
    for line in str(raw or "").replace(",", "\n").split("\n"):
        text = line.strip()
        if not text:
            continue
        parts = _split(text if "://" in text else f"https://{text}")
        if parts is None or parts.scheme not in {"http", "https"} or not _HOST.fullmatch(parts.hostname or ""):
            raise Invalid(f"「{text[:40]}」不是网站地址，例如 https://www.example.com", field="origins")
        found.append(f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}")
    if len(found) > 20:
        raise Invalid("最多 20 个网站", field="origins")
    return list(dict.fromkeys(found))


_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?")


# ── how it fares ──


def seen(form: LeadForm) -> None:
    """Count one look at a form, on its day."""
    today = clock.today()
    statement = update(FormDay).where(FormDay.form_id == form.id, FormDay.day == today)
    counted = db.session.execute(statement.values(views=FormDay.views + 1).execution_options(synchronize_session=False))
    if counted.rowcount:  # type: ignore[attr-defined]
        return
    try:
        with db.session.begin_nested():
            db.session.add(FormDay(tenant_id=form.tenant_id, form_id=form.id, day=today, views=1))
    except IntegrityError:
        seen(form)  # another was the first today


def figures(days: int = 30) -> dict[str, Figures]:
    """{form id: its figures} of the last so many days, for all forms of the scope's tenant."""
    since = clock.today() - timedelta(days=days - 1)
    views = db.session.execute(
        select(FormDay.form_id, func.sum(FormDay.views)).where(FormDay.day >= since).group_by(FormDay.form_id)
    )
    looked = {form_id: int(number) for form_id, number in views}
    sent = select(Arrival.form_id, Arrival.outcome, func.count(Arrival.id)).where(
        Arrival.form_id.is_not(None), Arrival.created_at >= clock.end_of_day(since - timedelta(days=1))
    )
    grouped = sent.group_by(Arrival.form_id, Arrival.outcome).execution_options(whole_tenant=True)
    counts: dict[str, dict[str, int]] = {}
    for form_id, outcome, number in db.session.execute(grouped):
        counts.setdefault(str(form_id), {})[outcome] = number
    return {
        key: Figures(looked.get(key, 0), sum(counts.get(key, {}).values()), counts.get(key, {}).get("created", 0))
        for key in {*looked, *counts}
    }
