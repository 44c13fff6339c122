"""支付流水: attempts, what came in at the gateways' doors (forgeries too), refunds, and cases for a person."""

from __future__ import annotations

from typing import Any

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.admin import area, words
from app.blueprints.admin.reads import payments as reads
from app.blueprints.admin.rights import actor, needs
from app.notifications import alerts
from app.payments import cases
from app.web import tables
from app.web.pages import done, page
from app.web.tables import Page


@area.get("/payments")
@needs("payments.see")
def payments() -> ResponseReturnValue:
    q, status, cursor = _asked(words.PAYMENT)
    return _shown("attempts", reads.attempts(q, status, cursor), words.PAYMENT, q, status)


@area.get("/payments/notices")
@needs("payments.see")
def notices() -> ResponseReturnValue:
    q, verdict, cursor = _asked(words.NOTICE)
    return _shown("notices", reads.notices(q, verdict, cursor), words.NOTICE, q, verdict)


@area.get("/payments/refunds")
@needs("payments.see")
def refunds() -> ResponseReturnValue:
    states = {"stuck": ("没有按时完成", "bad"), **words.REFUND}
    q, status, cursor = _asked(states)
    return _shown("refunds", reads.refunds(q, status, cursor), states, q, status)


@area.get("/payments/cases")
@needs("payments.see")
def payment_cases() -> ResponseReturnValue:
    states = {"resolved": ("已处理", "ok")}
    _q, status, cursor = _asked(states)
    return _shown("cases", reads.cases(not status, cursor), states, "", status)


@area.get("/cases")
@needs("payments.see")
def cases_by_their_short_name() -> ResponseReturnValue:
    """Where alerts point to."""
    return redirect(url_for("admin.payment_cases"), 302)


@area.post("/payments/cases/<case_id>/resolution")
@needs("payments.resolve")
def resolve_case(case_id: str) -> ResponseReturnValue:
    case = reads.case(case_id)
    cases.resolve(case, actor=actor())
    alerts.settle(f"payment_{case.kind}", case.subject)
    return done(url_for("admin.payment_cases"), "已标记为处理完")


def _asked(states: dict[str, tuple[str, str]]) -> tuple[str, str, str | None]:
    status = request.args.get("status", "")
    return _text(), status if status in states else "", request.args.get(tables.CURSOR)


def _text() -> str:
    return request.args.get("q", "").replace("\x00", "").strip()[:100]


def _shown(tab: str, found: Page[Any], states: dict[str, tuple[str, str]], q: str, status: str) -> ResponseReturnValue:
    previous, following = tables.paths(found)
    endpoints = {"attempts": "payments", "notices": "notices", "refunds": "refunds", "cases": "payment_cases"}
    return page(
        "admin/payments.html",
        fragments=("payment_list",),
        tab=tab,
        tabs=[(name, url_for(f"admin.{endpoints[key]}"), None, key == tab) for key, name in reads.TABS.items()],
        rows=found.rows,
        states={key: word for key, (word, _kind) in states.items()},
        q=q,
        chosen=status,
        previous=previous,
        following=following,
        clear=request.path,
    )
