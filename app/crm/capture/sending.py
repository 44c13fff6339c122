"""A form sent by a stranger: told from a script, held to a measure, taken in once.

The page carries a sealed ticket: which form, since when, and a number of its own. It needs no cookie, so that the form works
in a frame on somebody else's site; the number makes a double click one submission.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.core import clock, crypto
from app.core.errors import Invalid, NotFound, TooMany
from app.crm.access.actor import Actor
from app.crm.capture import forms, take, visits
from app.crm.capture.models import LeadForm
from app.crm.capture.take import Consent, Taken, Way
from app.customers import captcha, quota

LEAST = timedelta(seconds=2)  # nobody reads and fills in a form faster
LIVES = timedelta(hours=12)
_WINDOW = timedelta(hours=1)
_MOST = {"form": 20, "checkin": 300}  # an hour and a network: at an event hundreds share one
_FREE = {"form": 3, "checkin": 60}  # before a picture must be read
_URL_SAFE, _FROM_URL = str.maketrans("+/", "-_"), str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class Sent:
    """What came with the form beside its fields. ``trap`` is a field that no person sees.

    ``visitor`` is the key of a browser whose user agreed to tell which pages he saw, ``visited`` those pages (visits.py).
    """

    ticket: str = ""
    trap: str = ""
    agreed: bool = False
    network: str = ""
    address: str = ""
    puzzle_token: str = ""
    puzzle: str = ""
    visitor: str = ""
    visited: str = ""
    agent: str = ""

    @property
    def tells_visits(self) -> bool:
        return visits.is_key(self.visitor)


class Faulty(Exception):
    """The form is to be shown again: ``errors`` by field, and what is wrong with it as a whole."""

    def __init__(self, errors: Mapping[str, str], message: str = "", *, keeps_ticket: bool = True) -> None:
        super().__init__(message)
        self.errors, self.message, self.keeps_ticket = dict(errors), message, keeps_ticket


def ticket(form: LeadForm) -> str:
    """The mark of one page of a form, safe in an address or a field."""
    sealed = crypto.keys().encrypt(f"{form.id}|{int(clock.now().timestamp() * 1000)}|{secrets.token_hex(12)}")
    return sealed.translate(_URL_SAFE).rstrip("=")


def needs_puzzle(form: LeadForm, network: str) -> bool:
    """Whether this network must read a picture before the next one."""
    return form.puzzle == "always" or quota.used(_key(form, network)) >= _FREE[form.mode]


def send(form: LeadForm, raw: Mapping[str, Any], sent: Sent) -> Taken | None:
    """Take the form in; None for a script, which is not told so. Raises Faulty to show it again, TooMany."""
    since, number = _opened(form, sent.ticket)
    if sent.trap:
        return None
    values, errors = forms.read(form, raw)
    if not sent.agreed:
        errors["consent"] = "请先勾选同意，我们才能联系你"
    if errors:
        raise Faulty(errors)
    if clock.now() - since < LEAST:
        raise Faulty({}, "提交得太快了，请核对一下，再点一次提交")
    _insist_on_person(form, sent)
    quota.take(_key(form, sent.network), _MOST[form.mode], _WINDOW)
    words = f"{form.consent}\n{visits.CONSENT}" if sent.tells_visits else form.consent
    taken = _take_in(form, values, number, Consent(words, form.consent_version, sent.address))
    if sent.tells_visits:
        visits.introduce(form.tenant_id, sent.visitor, taken.arrival_id, visits.earlier(sent.visited), sent.agent)
    return taken


def by_hand(form: LeadForm, raw: Mapping[str, Any], key: str, actor: Actor) -> Taken:
    """The same, typed in by a colleague at the door for somebody who asked for it. Raises Faulty, Forbidden."""
    actor.policy.insist("lead", "create")
    values, errors = forms.read(form, raw)
    if errors:
        raise Faulty(errors)
    return _take_in(form, values, key, None, actor)


def _take_in(
    form: LeadForm, values: dict[str, Any], number: str, consent: Consent | None, actor: Actor | None = None
) -> Taken:
    try:
        return take.take_in(
            form.tenant_id, Way.of_form(form), values, source=form.source, unique=f"form:{form.id}:{number}",
            campaign=form.campaign or (form.name if form.mode == "checkin" else ""), tags=tuple(form.tags), consent=consent,
            actor=actor,
        )  # fmt: skip
    except Invalid as error:
        raise Faulty({error.field or "": error.message}) from error


def _insist_on_person(form: LeadForm, sent: Sent) -> None:
    if not needs_puzzle(form, sent.network):
        return
    if not sent.puzzle:
        raise Faulty({"puzzle": "请填图片里的数字"})
    try:
        captcha.solve(sent.puzzle_token, sent.puzzle)
    except Invalid as error:
        raise Faulty({"puzzle": error.message}) from error


def _opened(form: LeadForm, given: str) -> tuple[datetime, str]:
    """Since when the page was open, and its number."""
    sealed = given.translate(_FROM_URL)
    try:
        opened = crypto.keys().decrypt(sealed + "=" * (-len(sealed.partition(":")[2]) % 4))
        form_id, moment, number = opened.split("|")
        since = datetime.fromtimestamp(int(moment) / 1000, UTC)
    except (ValueError, OverflowError):
        raise Faulty({}, "", keeps_ticket=False) from None
    if form_id != form.id or not timedelta(0) <= clock.now() - since <= LIVES:
        raise Faulty({}, "页面放得太久了，请核对一下，再点一次提交", keeps_ticket=False)
    return since, number


def _key(form: LeadForm, network: str) -> str:
    return f"lead-form:{form.id}:{network}"[:120]


__all__ = ["LEAST", "Faulty", "NotFound", "Sent", "TooMany", "by_hand", "needs_puzzle", "send", "ticket"]
