"""A tenant's form as strangers see it: asked, complained about, thanked for."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge

from app.blueprints.forms import area
from app.core import clock, crypto, tenancy
from app.crm.access import tenants, terms
from app.crm.capture import doors, forms, sending, site
from app.crm.capture.models import LeadForm
from app.crm.capture.sending import Faulty, Sent
from app.customers import captcha
from app.web import lead_forms, security
from app.web.area import begin_writing, keep_changes
from app.web.pages import page
from app.web.visitor import client_address, client_network

_LARGEST = 64 * 1024
_NOT_LOOKED = ("prefetch", "prerender")


@area.get("/<token>")
def form(token: str) -> ResponseReturnValue:
    begin_writing()
    wanted = form_behind(token)
    if not is_open(wanted):
        return _closed(wanted)
    if request.method == "GET" and request.headers.get("Sec-Purpose", "").partition(";")[0] not in _NOT_LOOKED:
        forms.seen(wanted)
    return _page(wanted, lead_forms.form_of(forms.asked(wanted)))


@area.post("/<token>")
def form_sent(token: str) -> ResponseReturnValue:
    """Taken in once, however often it is sent; without a ticket it comes from the vendor's own site and is shown first."""
    if (request.content_length or 0) > _LARGEST:
        raise RequestEntityTooLarge
    wanted = form_behind(token)
    if not is_open(wanted):
        return _closed(wanted)
    filled = lead_forms.form_of(forms.asked(wanted), formdata=request.form)
    try:
        sending.send(wanted, lead_forms.values(filled), _sent())
    except Faulty as faulty:
        return _again(wanted, filled, faulty)
    if wanted.redirect:
        return redirect(wanted.redirect, 303)
    name = str(lead_forms.values(filled).get("name") or "")[:40] if wanted.mode == "checkin" else ""
    seal = crypto.keys().encrypt(f"{wanted.id}|{int(clock.now().timestamp())}|{name}") if name else None
    return redirect(url_for("forms.form_done", token=token, who=seal, embed=_embed()), 303)


@area.get("/<token>/done")
def form_done(token: str) -> ResponseReturnValue:
    wanted = form_behind(token)
    _frame(wanted)
    return page("forms/done.html", form=wanted, who=_who(wanted, request.args.get("who", "")), **_common(wanted))


def form_behind(token: str) -> LeadForm:
    """The form of an address, in the scope of its tenant from here on. Raises NotFound."""
    found = site.find() if token == site.WORD else doors.find(token, "form")
    tenancy.enter(tenancy.tenant(found.tenant_id))
    return forms.get(found.subject_id)


def is_open(form: LeadForm) -> bool:
    """Whether it takes anything in: it is switched on, and its tenant's subscription is not over."""
    tenant = tenants.by_id(form.tenant_id)
    return form.is_active and tenant is not None and terms.term(tenant, clock.now()).allows_writing


def _closed(wanted: LeadForm) -> Response:
    _frame(wanted)
    return page("forms/closed.html", status=410, form=wanted, **_common(wanted))


def _again(wanted: LeadForm, filled: lead_forms.PublicForm, faulty: Faulty) -> Response:
    """The same form with what is wrong beside its field; a first look at what came from our own site is no refusal."""
    lead_forms.mark(filled, faulty.errors)
    if "puzzle" in faulty.errors:
        keep_changes()  # a guess counts
    is_first = "ticket" not in request.form
    answer = _page(wanted, filled, faulty, request.form.get("ticket", "") if faulty.keeps_ticket else "")
    answer.status_code = 200 if is_first else 422
    return answer


def _page(wanted: LeadForm, filled: lead_forms.PublicForm, faulty: Faulty | None = None, ticket: str = "") -> Response:
    _frame(wanted)
    needs_puzzle = sending.needs_puzzle(wanted, client_network())
    return page(
        "forms/form.html",
        form=wanted,
        filled=filled,
        asked=forms.asked(wanted),
        hints=lead_forms.hints,
        ticket=ticket or sending.ticket(wanted),
        puzzle=captcha.issue() if needs_puzzle else "",
        errors=faulty.errors if faulty else {},
        message=faulty.message if faulty else "",
        agreed=_sent().agreed,
        **_common(wanted),
    )


def _common(wanted: LeadForm) -> dict[str, Any]:
    return {
        "embed": bool(_embed()),
        "asks_visits": not _embed() and (request.view_args or {})["token"] == site.WORD,
        "action": url_for("forms.form_sent", token=(request.view_args or {})["token"], embed=_embed()),
    }


def _embed() -> str | None:
    return "1" if request.args.get("embed") == "1" else None


def _frame(wanted: LeadForm) -> None:
    """Only the sites that the tenant named may show the form in a frame; where it leads afterwards is no secret."""
    security.allow_framing(*wanted.origins)
    if wanted.redirect:
        parts = urlsplit(wanted.redirect)
        security.allow_form_target(f"{parts.scheme}://{parts.netloc}")


def _sent() -> Sent:
    sent = request.form
    return Sent(
        ticket=sent.get("ticket", "")[:400], trap=sent.get("website", ""), agreed=sent.get("consent") == "1",
        network=client_network(), address=client_address(), puzzle_token=sent.get("puzzle_token", "")[:400],
        puzzle=sent.get("puzzle", "")[:20], visitor=sent.get("visitor", "")[:64], visited=sent.get("visited", "")[:8192],
        agent=request.user_agent.string,
    )  # fmt: skip


def _who(wanted: LeadForm, seal: str) -> str:
    """The name that was checked in a moment ago, from the address; "" for one that is not ours, or old."""
    try:
        form_id, moment, name = crypto.keys().decrypt(seal).split("|", 2)
        fresh = 0 <= clock.now().timestamp() - int(moment) < 900
    except ValueError:
        return ""
    return name if form_id == wanted.id and fresh else ""
