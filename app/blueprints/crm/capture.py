"""设置 → 表单: forms built from the lead's fields, their address, frame and QR code; check-in at the door."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import current_app, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import manages, right
from app.core import clock
from app.core.db import db, uuid7
from app.core.errors import Forbidden, Invalid
from app.crm.capture import forms, sending
from app.crm.capture.models import Arrival, LeadForm
from app.crm.capture.sending import Faulty
from app.crm.leads.lead import LEAD, SOURCES
from app.web import lead_forms
from app.web.pages import done, page

_PLAIN = ("mode", "name", "title", "intro", "button", "consent", "consent_link", "thanks", "redirect", "source", "campaign",
          "tags", "origins", "puzzle", "place", "day")  # fmt: skip


@area.context_processor
def _for_timeline() -> dict[str, object]:
    return {"seen_fields": lambda thing: [one.key for one in LEAD.fields if me().policy.reads(thing, one.key)]}


@area.get("/settings/forms")
@manages
def lead_forms_list() -> ResponseReturnValue:
    """All forms with how they fared in 30 days."""
    return page(
        "crm/capture/forms.html",
        forms=forms.each(),
        figures=forms.figures(),
        none_yet=forms.Figures(),
        modes=forms.MODES,
    )


@area.route("/settings/forms/new", methods=["GET", "POST"])
@manages
def lead_form_new() -> ResponseReturnValue:
    mode = request.values.get("mode", "form")
    if request.method == "GET":
        return _builder(_details(forms.starting(mode)))
    return _built(None)


@area.route("/settings/forms/<form_id>", methods=["GET", "POST"])
@manages
def lead_form(form_id: str) -> ResponseReturnValue:
    form = forms.get(form_id)
    return _builder(_details(form), form) if request.method == "GET" else _built(form)


@area.get("/settings/forms/<form_id>/share")
@manages
def lead_form_share(form_id: str) -> ResponseReturnValue:
    """Its address, the code of its frame, its QR code."""
    form = forms.get(form_id)
    told = forms.figures().get(form.id) or forms.Figures()
    return page(
        "crm/capture/share.html", form=form, address=_address(form), snippet=_snippet(form), visits=_visits_snippet(form), figures=told
    )  # fmt: skip


@area.get("/settings/forms/<form_id>/poster")
@manages
def lead_form_poster(form_id: str) -> ResponseReturnValue:
    """The QR code as large as the paper, or the screen at the door."""
    form = forms.get(form_id)
    return page("crm/capture/poster.html", form=form, address=_address(form))


@area.post("/settings/forms/<form_id>/archive")
@manages
def lead_form_archive(form_id: str) -> ResponseReturnValue:
    form = forms.get(form_id)
    forms.archive(form, me())
    return done(url_for("crm.lead_forms_list"), f"表单「{form.name}」已删除，收到的线索都还在")


@area.get("/checkin")
@right("create", "lead", record="")
def checkin_desks() -> ResponseReturnValue:
    """Which event's desk: the check-in forms that are open, the nearest day first."""
    desks = [form for form in forms.each() if form.mode == "checkin" and form.is_active]
    today = clock.today()
    desks.sort(key=lambda form: (abs((form.day or today) - today), form.id))
    return page("crm/capture/desks.html", desks=desks, today=today)


@area.route("/checkin/<form_id>", methods=["GET", "POST"])
@right("create", "lead")
def checkin(form_id: str) -> ResponseReturnValue:
    """The desk at an event: who came, and whom a colleague writes down himself."""
    form = forms.get(form_id)
    if form.mode != "checkin":
        raise Forbidden("这个表单不是用来签到的。")
    asked = forms.asked(form)
    filled, errors, key = lead_forms.form_of(asked), {}, request.form.get("key") or uuid7()
    if request.method == "POST":
        filled = lead_forms.form_of(asked, formdata=request.form)
        try:
            taken = sending.by_hand(form, lead_forms.values(filled), key[:36], me())
            words = {"created": "已签到", "known": "已签到，是认识的人", "again": "这一条已经签到过了"}[taken.outcome]
            return done(url_for("crm.checkin", form_id=form.id), words)
        except Faulty as faulty:
            errors = faulty.errors
            lead_forms.mark(filled, errors)
    return page(
        "crm/capture/checkin.html", form=form, filled=filled, asked=asked, hints=lead_forms.hints, key=key, came=_came(form),
        total=_total(form), address=_address(form), errors=errors, status=422 if errors else 200,
    )  # fmt: skip


def _came(form: LeadForm) -> list[dict[str, Any]]:
    """Those who came and whom the reader may see, the newest first; one who checked in twice stands here once."""
    statement = select(Arrival).where(Arrival.form_id == form.id).order_by(Arrival.id.desc()).limit(500)
    found: dict[str, dict[str, Any]] = {}
    for arrival in db.session.scalars(statement):
        found.pop(arrival.record_id, None)
        found[arrival.record_id] = {
            "id": arrival.record_id, "object": arrival.object, "at": arrival.created_at,
            "name": arrival.values.get("name") or "访客", "company": arrival.values.get("company", ""),
            "is_new": arrival.outcome == "created",
        }  # fmt: skip
    return list(found.values())


def _total(form: LeadForm) -> int:
    """How many came in all, whoever looks after them: a number gives nobody away."""
    counted = select(func.count(func.distinct(Arrival.record_id))).where(Arrival.form_id == form.id)
    return db.session.scalar(counted.execution_options(whole_tenant=True)) or 0


# ── the builder ──


def _built(form: LeadForm | None) -> ResponseReturnValue:
    """Save, or move and add fields: without a script each is a round trip, with one only the builder is drawn again."""
    details = _sent()
    action = request.form.get("action", "save")
    if action != "save":
        details["fields"] = _moved(details["fields"], action, request.form.get("add", ""))
        return _builder(details, form)
    try:
        if form is None:
            form = forms.add(details, me())
        else:
            forms.change(form, details, me())
    except Invalid as error:
        return _builder(details, form, {error.field or "": error.message})
    return done(url_for("crm.lead_form_share", form_id=form.id), "表单已保存，立即生效")


def _builder(
    details: dict[str, Any], form: LeadForm | None = None, errors: Mapping[str, str] | None = None
) -> ResponseReturnValue:
    offered = forms.offered(me())
    details["fields"] = [row for row in details["fields"] if row["key"] in offered]
    shown = LeadForm(tenant_id=me().tenant_id, mode=details["mode"], title=details["title"], intro=details["intro"])
    shown.fields = [{**row, "options": _lines(row["options"])} for row in details["fields"]]
    asked = forms.asked(shown)
    return page(
        "crm/capture/builder.html", fragments=("builder",), form=form, details=details, errors=errors or {}, offered=offered,
        free=[one for key, one in offered.items() if key not in {row["key"] for row in details["fields"]}],
        asked=asked, filled=lead_forms.form_of(asked), hints=lead_forms.hints, modes=forms.MODES, puzzles=forms.PUZZLES,
        sources=SOURCES, status=422 if errors else 200,
        path=url_for("crm.lead_form", form_id=form.id) if form else url_for("crm.lead_form_new"),
    )  # fmt: skip


def _details(form: LeadForm) -> dict[str, Any]:
    """A form as the builder shows it."""
    rows = [{**row, "options": "\n".join(row.get("options", ()))} for row in form.fields]
    return {
        **{key: getattr(form, key) or "" for key in _PLAIN}, "tags": "、".join(form.tags), "origins": "\n".join(form.origins),
        "day": form.day.isoformat() if form.day else "", "is_active": form.is_active, "fields": rows,
    }  # fmt: skip


def _sent() -> dict[str, Any]:
    sent = request.form
    rows = [
        {
            "key": key, "label": sent.get(f"label-{key}", ""), "required": sent.get(f"required-{key}") == "1",
            "help": sent.get(f"help-{key}", ""), "options": sent.get(f"options-{key}", ""),
        }
        for key in dict.fromkeys(sent.getlist("field"))
    ]  # fmt: skip
    mode = sent.get("mode", "") if sent.get("mode") in forms.MODES else "form"
    return {
        **{key: sent.get(key, "") for key in _PLAIN},
        "mode": mode,
        "is_active": sent.get("is_active") == "1",
        "fields": rows,
    }


def _moved(rows: list[dict[str, Any]], action: str, add: str) -> list[dict[str, Any]]:
    """The fields after one press: ``add``, ``drop:<key>``, ``up:<key>`` or ``down:<key>``."""
    verb, _, key = action.partition(":")
    if verb == "add" and add in forms.offered(me()) and all(row["key"] != add for row in rows):
        field = forms.offered(me())[add]
        return [*rows, {"key": add, "label": field.label, "required": False, "help": "", "options": ""}]
    place = next((place for place, row in enumerate(rows) if row["key"] == key), None)
    if place is None:
        return rows
    row = rows.pop(place)
    if verb == "drop":
        return rows
    rows.insert(max(place - 1, 0) if verb == "up" else place + 1, row)
    return rows


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.replace(",", "\n").replace("，", "\n").split("\n") if line.strip()]


def _address(form: LeadForm) -> str:
    return f"{current_app.extensions['settings'].public_url}{url_for('forms.form', token=form.token)}"


def _snippet(form: LeadForm) -> str:
    """What a web site's author pastes: a frame that works alone, and a script that gives it the height of its content."""
    public = current_app.extensions["settings"].public_url
    title = form.title.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return (
        f'<iframe src="{_address(form)}?embed=1" title="{title}" width="100%" height="640" '
        f'style="border:0" loading="lazy"></iframe>\n<script src="{public}/f/embed.js" async></script>'
    )


def _visits_snippet(form: LeadForm) -> str:
    """What goes on every page of the site, so that whoever fills in the form brings along which pages he saw."""
    public = current_app.extensions["settings"].public_url
    return f'<script src="{public}/f/visits.js" data-form="{form.token}" data-price="/price,/pricing" defer></script>'
