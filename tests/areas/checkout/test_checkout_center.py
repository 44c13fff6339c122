"""From the success page into the customer center: for the browser in which the buyer sits, and no other."""

from __future__ import annotations

from datetime import timedelta

from app.core import clock
from app.orders.links import access_key
from tests.areas.checkout.conftest import all_orders, attempts


def bought(private_buyer, cashier, work) -> str:
    path = private_buyer.buy("pro", 0)
    cashier.pay(attempts()[-1])
    private_buyer.client.post(f"{path}/check")
    work()
    return path


def test_the_buyer_walks_into_the_center_without_another_code(private_buyer, cashier, work):
    path = bought(private_buyer, cashier, work)
    assert f'action="{path}/center"' in private_buyer.see(path)

    door = private_buyer.client.post(f"{path}/center").location
    came = private_buyer.client.post("/my/enter", data={"ticket": door.partition("ticket=")[2]})

    assert door.startswith("/my/enter?ticket=")
    assert came.location == "/my/"
    assert "周予安" in private_buyer.client.get("/my/").text


def test_the_link_of_an_sms_shows_an_order_and_logs_nobody_in(app, private_buyer, cashier, work):
    path = bought(private_buyer, cashier, work)
    finder = app.test_client()
    finder.get(f"{path}?key={access_key(all_orders()[0])}")

    assert finder.get(path).status_code == 200
    assert finder.post(f"{path}/center").location == "/my/login?by=code"


def test_a_proof_of_this_morning_needs_a_code_again(private_buyer, cashier, work):
    path = bought(private_buyer, cashier, work)

    with clock.held(clock.now() + timedelta(hours=1)):
        assert private_buyer.client.post(f"{path}/center").location == "/my/login?by=code"


def test_a_stranger_finds_no_door(app, private_buyer, cashier, work):
    path = bought(private_buyer, cashier, work)

    assert app.test_client().post(f"{path}/center").status_code == 404
