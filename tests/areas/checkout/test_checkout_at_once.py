"""Impatient fingers: the same form twice at the same instant."""

from __future__ import annotations

import threading

from app.core.db import db
from tests.areas.checkout.conftest import all_orders, attempts, latest_code


def at_once(app, requests):
    """Send all requests at one instant, each from a browser of its own with the same cookies; gives the answers."""
    gate = threading.Barrier(len(requests))
    answers = []

    def one(client, path, form):
        gate.wait()
        answers.append(client.post(path, data=form))
        with app.app_context():
            db.session.remove()

    threads = [threading.Thread(target=one, args=request) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def twin(buyer):
    """Another connection of the same browser."""
    client = buyer.client.application.test_client()
    cookie = buyer.client.get_cookie("yk_site")
    client.set_cookie("yk_site", cookie.value)
    return client


def test_a_double_click_with_the_code_is_one_order(app, buyer):
    buyer.choose()
    buyer.ask_code()
    form = {**buyer.details, "phone": buyer.phone, "code": latest_code()}
    db.session.remove()

    answers = at_once(app, [(twin(buyer), "/checkout/saas/info", form) for _ in range(4)])

    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.location for answer in answers}) == 1
    assert len(all_orders()) == 1 and len(attempts()) == 1


def test_a_double_click_on_replace_cancels_once_and_orders_once(app, buyer, work):
    buyer.buy("pro", 12)
    buyer.choose("basic", 1)
    form = {**buyer.details, "phone": buyer.phone, "code": "", "replace": "yes"}
    db.session.remove()

    answers = at_once(app, [(twin(buyer), "/checkout/saas/info", form) for _ in range(3)])
    work()

    assert {answer.status_code for answer in answers} == {303}
    assert [order.status for order in all_orders()] == ["cancelled", "pending"]


def test_asking_for_the_way_to_pay_many_times_is_one_attempt(app, buyer):
    path = buyer.buy()
    db.session.remove()

    at_once(app, [(twin(buyer), f"{path}/payments", {"gateway": "alipay"}) for _ in range(4)])

    assert [payment.pay_type for payment in attempts()] == ["wechat", "alipay"]
