"""Every door of the back office, tried by every role."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask

from app.notifications.models import Message
from app.orders.models import Order
from app.payments.models import Payment
from app.staff import policy
from tests.areas.admin.conftest import Browser, rows


def doors(app: Flask) -> list[tuple[str, str, str]]:
    """(method, path, right) of every guarded route, with numbers that lead nowhere."""
    return [
        (method, re.sub(r"<[^>]+>", "nowhere", rule.rule), app.view_functions[rule.endpoint].right)  # type: ignore[attr-defined]
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("admin.") and not getattr(app.view_functions[rule.endpoint], "is_open", False)
        for method in sorted((rule.methods or set()) & {"GET", "POST"})
    ]


@pytest.mark.parametrize("role", policy.ROLES)
def test_each_door_opens_to_the_roles_of_its_right_and_to_nobody_else(
    app: Flask, as_role: Callable[[str], Browser], role: str
) -> None:
    browser = as_role(role)

    wrong = []
    for method, path, right in doors(app):
        status = browser.open(path, method=method).status_code
        if (status == 403) != (role not in policy.RIGHTS[right]) or status >= 500:
            wrong.append(f"{method} {path} ({right}): {status}")

    assert wrong == []
    assert len(doors(app)) > 25


@pytest.mark.parametrize(("role", "closed"), [("admin", []), ("support", []), ("finance", ["/admin/messages"])])
def test_the_navigation_shows_no_door_that_is_closed(
    as_role: Callable[[str], Browser], role: str, closed: list[str]
) -> None:
    page = as_role(role).text("/admin/")

    assert [
        path for path in ("/admin/orders", "/admin/payments", "/admin/messages") if f'href="{path}"' not in page
    ] == closed


def test_support_sees_no_refund_button_and_gets_no_refund(support: Browser, sold: Order) -> None:
    payment = rows(Payment)[0]

    assert "/refund" not in support.text(f"/admin/orders/{sold.order_no}")
    assert support.post(f"/admin/orders/{sold.order_no}/payments/{payment.attempt_no}/refund").status_code == 403


def test_finance_sees_no_resend_button_and_no_letter(finance: Browser, sold: Order) -> None:
    message = rows(Message)[0]

    page = finance.text(f"/admin/orders/{sold.order_no}")

    assert "重发授权码" not in page
    assert "/admin/messages/" not in page
    assert finance.get(f"/admin/messages/{message.id}").status_code == 403
