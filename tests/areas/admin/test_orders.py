"""Orders: found by whatever the caller reads out, with the whole tale on one page, and what can be done about them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from app.core import clock, events, tenancy
from app.core.db import db
from app.notifications.models import Message
from app.orders.models import Order
from app.payments.models import GatewayNotice, Payment, Refund
from app.payments.ports import GatewayPayment, TradeState
from app.payments.settle import settle
from tests.areas.admin.conftest import Browser, fresh, recorded, rows
from tests.domain.provisioning import shop

OTHER = {"phone": "13900139000", "email": None}


@pytest.fixture
def two_orders(sold: Order, app: Flask) -> tuple[Order, Order]:
    """One that was paid and delivered, and a later one that waits for money."""
    return sold, shop.place("private", "standard", 1, **OTHER)


# The list


@pytest.mark.parametrize("found_by", ["order_no", "beginning", "phone", "transaction", "attempt"])
def test_an_order_is_found_by_what_the_caller_reads_out(
    support: Browser, two_orders: tuple[Order, Order], found_by: str
) -> None:
    paid, waiting = two_orders
    payment = rows(Payment)[0]
    said = {
        "order_no": paid.order_no.lower(),
        "beginning": paid.order_no[:16],
        "phone": "+86 138 0013 8000",
        "transaction": payment.transaction_no,
        "attempt": payment.attempt_no,
    }[found_by]

    page = support.text("/admin/orders", query_string={"q": said})

    assert paid.order_no in page
    assert waiting.order_no not in page


def test_an_order_is_found_by_a_part_of_the_company(support: Browser, sold: Order) -> None:
    assert sold.order_no in support.text("/admin/orders?q=青禾")
    assert sold.order_no not in support.text("/admin/orders?q=白禾")


@pytest.mark.parametrize("sign", ["%", "_", "\\"])
def test_a_wildcard_is_a_sign_like_others(support: Browser, sold: Order, sign: str) -> None:
    assert sold.order_no not in support.text("/admin/orders", query_string={"q": sign})


@pytest.mark.parametrize(
    ("conditions", "shown"),
    [
        ({}, {"paid", "waiting"}),
        ({"view": "pending"}, {"waiting"}),
        ({"view": "paid"}, {"paid"}),
        ({"view": "late"}, set()),
        ({"view": "cancelled"}, set()),
        ({"delivery": "delivered"}, {"paid"}),
        ({"gateway": "wechat"}, {"paid"}),
        ({"gateway": "alipay"}, set()),
        ({"since": "2000-01-01"}, {"paid", "waiting"}),
        ({"until": "2000-01-01"}, set()),
        ({"view": "nonsense", "since": "tomorrow", "cursor": "broken"}, {"paid", "waiting"}),
    ],
)
def test_the_list_is_narrowed(
    support: Browser, two_orders: tuple[Order, Order], conditions: dict[str, str], shown: set[str]
) -> None:
    paid, waiting = two_orders

    page = support.text("/admin/orders", query_string=conditions)

    assert {name for name, order in (("paid", paid), ("waiting", waiting)) if order.order_no in page} == shown


def test_a_day_ends_at_midnight_in_shanghai(support: Browser) -> None:
    with clock.held(shop.NOON):
        order = shop.place()

    assert order.order_no in support.text("/admin/orders?since=2026-06-18&until=2026-06-18")
    assert order.order_no not in support.text("/admin/orders?since=2026-06-19")


def test_the_search_answers_with_the_list_alone(support: Browser, sold: Order) -> None:
    answer = support.fragment("/admin/orders?q=青禾", "order_list")

    assert answer.text.lstrip().startswith('<div id="order_list"')
    assert sold.order_no in answer.text
    assert "HX-Target" in answer.headers["Vary"]


def test_the_list_goes_on_by_key(support: Browser) -> None:
    orders = [shop.place() for _ in range(21)]
    first = support.text("/admin/orders")

    following = re.search(r'rel="next"\s+href="([^"]+)"', first)
    assert following is not None
    second = support.text(following[1].replace("&amp;", "&"))

    assert orders[-1].order_no in first
    assert orders[0].order_no not in first
    assert orders[0].order_no in second


def test_an_empty_list_says_what_will_come_and_a_narrow_one_how_to_loosen_it(support: Browser) -> None:
    assert "还没有订单" in support.text("/admin/orders")
    assert "没有符合条件的订单" in support.text("/admin/orders?q=nothing")


def test_the_list_takes_two_queries(support: Browser, two_orders: tuple[Order, Order], count_queries: Any) -> None:
    with count_queries() as queries:
        support.text("/admin/orders?q=青禾&view=paid")

    assert queries.number <= 2, queries.statements  # who is asking, and the list


# One order


def test_the_page_tells_the_whole_tale_in_order(support: Browser, sold: Order) -> None:
    page = support.text(f"/admin/orders/{sold.order_no}")

    hops = re.findall(r'<span class="font-medium leading-6">([^<]+)</span>', page)
    assert hops == [
        "创建订单",
        "选择微信支付，扫码",
        "支付入账",
        "订单置为已支付",
        "核对付款",
        "创建租户",
        "创建管理员账号",
        "启用租户",
        "开通完成",
        "短信已发出",
        "邮件已发出",
    ]
    assert re.search(r"<h1[^>]*>¥2,870\.00</h1>", page)


def test_each_hop_has_its_moment_and_the_time_since_the_one_before(app: Flask, support: Browser, work: Any) -> None:
    with clock.held(shop.NOON):
        order = shop.place()
    with clock.held(shop.NOON + timedelta(seconds=57, milliseconds=700)):
        shop.pay(order)

    page = support.text(f"/admin/orders/{order.order_no}")

    assert "12:00:00.000" in page
    assert "12:00:57.700" in page
    assert "+57.7 秒" in page


def test_a_new_day_of_the_tale_has_its_date(support: Browser, work: Any) -> None:
    with clock.held(shop.NOON):
        order = shop.buy()
        work()
    with clock.held(shop.NOON + timedelta(days=24, hours=21)):
        support.post(f"/admin/orders/{order.order_no}/resend")

    page = support.text(f"/admin/orders/{order.order_no}")

    assert "2026-07-13" in page
    assert "隔了 24 天 21 小时" in page


def test_the_arithmetic_of_the_price_is_shown(support: Browser, sold: Order) -> None:
    page = support.text(f"/admin/orders/{sold.order_no}")

    for figure in ("专业版 ¥299 × 12", "¥3,588.00", "8 折", "−¥717.60", "四舍五入到元", "−¥0.40", "¥2,870.00"):
        assert figure in page


def test_phone_and_mail_are_masked(support: Browser, sold: Order) -> None:
    page = support.text(f"/admin/orders/{sold.order_no}")

    assert "138****8000" in page
    assert "13800138000" not in page
    assert "zhou@qinghe.example" not in page


def test_what_a_gateway_sent_is_shown_escaped(support: Browser, sold: Order, written: Callable[..., Any]) -> None:
    body = '{"event_type": "<script>alert(1)</script>"}'
    written(
        GatewayNotice(
            gateway="wechat", verdict="settled", order_id=sold.id, headers={}, body=body, address="203.0.113.5"
        )
    )

    page = support.text(f"/admin/orders/{sold.order_no}")

    assert "收到支付通知，验签通过" in page
    assert "&lt;script&gt;" in page
    assert "<script>alert" not in page


def test_a_notice_that_came_fifty_times_is_one_hop(support: Browser, sold: Order, written: Callable[..., Any]) -> None:
    for _ in range(50):
        written(GatewayNotice(gateway="wechat", verdict="repeated", order_id=sold.id, headers={}, body="{}"))

    page = support.text(f"/admin/orders/{sold.order_no}")

    assert page.count("重复通知 50 次，没有再次入账") == 1


def test_an_order_under_way_asks_for_itself_until_it_is_done(support: Browser, unpaid: Order, work: Any) -> None:
    path = f"/admin/orders/{unpaid.order_no}"
    waiting = support.fragment(path, "order_story").text

    shop.pay(unpaid)
    work()

    assert 'hx-trigger="every 3s"' in waiting
    assert 'hx-trigger="every 3s"' not in support.fragment(path, "order_story").text


def test_a_private_order_shows_its_licence(support: Browser, work: Any) -> None:
    order = shop.buy("private", "standard", 1)
    work()

    page = support.text(f"/admin/orders/{order.order_no}")

    assert "PRIV-" in page
    assert "生成系统授权码" in page


def test_an_order_that_does_not_exist_is_not_found(support: Browser) -> None:
    assert support.get("/admin/orders/YK20260618000000000000").status_code == 404


def test_an_order_takes_eight_queries(admin: Browser, sold: Order, count_queries: Any) -> None:
    with count_queries() as queries:
        admin.text(f"/admin/orders/{sold.order_no}")

    assert queries.number <= 8


# What can be done


ACTIONS = ["resend", "redelivery", "check"]


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_asks_first(support: Browser, sold: Order, action: str) -> None:
    path = f"/admin/orders/{sold.order_no}/{action}"

    page = support.text(path)
    dialog = support.fragment(path, "order_action").text

    assert f'action="{path}"' in page
    assert "取消" in page
    assert dialog.lstrip().startswith('<div id="order_action"')
    assert "data-show" in dialog


def test_the_code_is_sent_again(support: Browser, sold: Order, work: Any) -> None:
    answer = support.post(f"/admin/orders/{sold.order_no}/resend")
    work()

    assert answer.location == f"/admin/orders/{sold.order_no}"
    messages = rows(Message, Message.order_id == sold.id)
    assert sorted(message.channel for message in messages) == ["mail", "mail", "sms", "sms"]
    assert {message.status for message in messages} == {"sent"}
    assert "由员工 support 操作" in support.text(f"/admin/orders/{sold.order_no}")


def test_the_code_of_an_unpaid_order_is_not_sent(support: Browser, unpaid: Order) -> None:
    answer = support.post(f"/admin/orders/{unpaid.order_no}/resend")

    assert answer.status_code == 409
    assert "还没有开通通知" in answer.text
    assert recorded("staff.resend_asked") == []


def test_a_failed_delivery_is_tried_again_once_however_often_one_presses(support: Browser, work: Any) -> None:
    order = shop.buy()
    with tenancy.scope(tenancy.everyone("a test breaks the delivery")) as session:
        session.execute(
            db.update(events.Task).where(events.Task.job == "provisioning.deliver_order").values(state="failed")
        )
        session.execute(db.update(Order).values(delivery="failed"))

    first = support.post(f"/admin/orders/{order.order_no}/redelivery")
    second = support.post(f"/admin/orders/{order.order_no}/redelivery")
    work()

    assert (first.status_code, second.status_code) == (303, 303)
    assert fresh(order).delivery == "delivered"
    assert len(recorded("order.delivery_retried")) == 1
    assert "重试开通" in support.text(f"/admin/orders/{order.order_no}")


def test_a_delivered_order_is_not_delivered_again(support: Browser, sold: Order) -> None:
    answer = support.post(f"/admin/orders/{sold.order_no}/redelivery")

    assert answer.status_code == 409
    assert "已经开通" in answer.text


def test_the_gateway_is_asked(finance: Browser, unpaid: Order) -> None:
    with tenancy.scope(tenancy.everyone("a test chooses a gateway")):
        from app.orders import queries as orders
        from app.payments.ports import Channel
        from app.payments.start import begin_payment

        begin_payment(orders.by_id(unpaid.id), "wechat", Channel.NATIVE, client_ip="203.0.113.9")

    answer = finance.post(f"/admin/orders/{unpaid.order_no}/check")

    assert answer.status_code == 303
    assert len(recorded("payment.check_wanted")) == 1
    assert recorded("staff.check_asked")[0].actor == "staff:finance"


# Money back


@pytest.fixture
def refund_path(sold: Order) -> str:
    return f"/admin/orders/{sold.order_no}/payments/{rows(Payment)[0].attempt_no}/refund"


def wish(order: Order, **change: str) -> dict[str, str]:
    return {"amount": "2,870.00", "reason": "重复购买", "confirm": order.order_no[-4:]} | change


def test_finance_gives_money_back(finance: Browser, sold: Order, refund_path: str) -> None:
    answer = finance.post(refund_path, data=wish(sold, amount="870.50"))

    assert answer.location == f"/admin/orders/{sold.order_no}"
    refund = rows(Refund)[0]
    assert (refund.amount, refund.reason, refund.requested_by) == (Decimal("870.50"), "重复购买", "staff:finance")
    assert "申请退款 ¥870.50" in finance.text(f"/admin/orders/{sold.order_no}")


def test_the_form_proposes_what_is_left(finance: Browser, sold: Order, refund_path: str) -> None:
    finance.post(refund_path, data=wish(sold, amount="2000"))

    page = finance.text(refund_path)

    assert 'value="870.00"' in page
    assert "最多可退 ¥870.00" in page


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"confirm": "0000"}, "后四位不一致"),
        ({"confirm": ""}, "请填订单号的后四位"),
        ({"amount": "2870.01"}, "最多还能退 ¥2870.00"),
        ({"amount": "0"}, "退款金额要大于 0"),
        ({"amount": "12.345"}, "最多两位小数"),
        ({"amount": "NaN"}, "请填数字"),
        ({"amount": "1e999"}, "请填数字"),
        ({"amount": "-5"}, "请填数字"),
        ({"reason": "因为"}, "有 1 处需要修改"),
    ],
)
def test_a_refund_that_does_not_fit_is_refused_beside_its_field(
    finance: Browser, sold: Order, refund_path: str, change: dict[str, str], words: str
) -> None:
    answer = finance.post(refund_path, data=wish(sold, **change))

    assert answer.status_code == 422
    assert words in answer.text
    assert rows(Refund) == []


def test_two_clicks_do_not_give_more_back_than_was_paid(finance: Browser, sold: Order, refund_path: str) -> None:
    finance.post(refund_path, data=wish(sold))
    second = finance.post(refund_path, data=wish(sold))

    assert second.status_code == 422
    assert len(rows(Refund)) == 1


def test_the_refused_form_comes_back_as_the_dialog(finance: Browser, sold: Order, refund_path: str) -> None:
    answer = finance.fragment(refund_path, "order_action", method="POST", data=wish(sold, confirm="0000"))

    assert answer.status_code == 422
    assert "data-show" in answer.text


def test_a_payment_of_another_order_is_not_given_back_here(finance: Browser, sold: Order, unpaid: Order) -> None:
    attempt_no = rows(Payment)[0].attempt_no

    answer = finance.post(f"/admin/orders/{unpaid.order_no}/payments/{attempt_no}/refund", data=wish(unpaid))

    assert answer.status_code == 409
    assert rows(Refund) == []


def test_surplus_money_and_its_way_back_are_in_the_tale(support: Browser, sold: Order, app: Flask) -> None:
    first = rows(Payment)[0]
    with tenancy.scope(tenancy.everyone("a test pays twice")) as session:
        second = Payment(
            order_id=sold.id, attempt_no=f"{sold.order_no}A02", pay_type="alipay", channel="page", amount=first.amount,
            expires_at=clock.now(), ask_at=clock.now(),
        )  # fmt: skip
        session.add(second)
        session.flush()
        news = GatewayPayment(second.attempt_no, TradeState.PAID, "2026001", second.amount, paid_at=clock.now())
        settle("alipay", news, "callback")

    page = support.text(f"/admin/orders/{sold.order_no}")

    assert "订单不需要这笔钱，开始自动退回" in page
    assert json.dumps("多付", ensure_ascii=False).strip('"') in page


@pytest.fixture
def refused(sold: Order, written: Callable[..., Any]) -> Refund:
    """A refund that the gateway refused, the merchant's balance being too low."""
    payment = rows(Payment)[0]
    return written(
        Refund(
            refund_no=f"{payment.attempt_no}R1", payment_id=payment.id, order_id=sold.id, amount=Decimal("870.50"),
            reason="重复购买", status="failed", requested_by="staff:finance", error="NOT_ENOUGH 余额不足",
        )
    )  # fmt: skip


def test_a_failed_refund_is_tried_again_under_its_own_number(finance: Browser, sold: Order, refused: Refund) -> None:
    path = f"/admin/orders/{sold.order_no}/refunds/{refused.refund_no}/retry"
    shown = [finance.text(f"/admin/orders/{sold.order_no}"), finance.text("/admin/payments/refunds")]
    question = finance.text(path)

    answer = finance.post(path)

    assert all(f'href="{path}"' in page for page in shown)
    assert refused.refund_no in question
    assert "余额不足" in question
    assert answer.location == f"/admin/orders/{sold.order_no}"
    [refund] = rows(Refund)
    assert (refund.refund_no, refund.status, refund.error) == (refused.refund_no, "requested", None)
    assert [event.actor for event in recorded("refund.requested")] == ["staff:finance"]


def test_a_refund_is_tried_again_once_however_often_it_is_clicked(
    finance: Browser, sold: Order, refused: Refund
) -> None:
    path = f"/admin/orders/{sold.order_no}/refunds/{refused.refund_no}/retry"

    answers = [finance.post(path, follow_redirects=True).text for _ in range(2)]

    assert "已经在处理" in answers[1]
    assert len(recorded("refund.requested")) == 1


def test_a_refund_whose_money_is_gone_is_not_tried_again(
    finance: Browser, sold: Order, refused: Refund, refund_path: str
) -> None:
    finance.post(refund_path, data=wish(sold))

    answer = finance.post(f"/admin/orders/{sold.order_no}/refunds/{refused.refund_no}/retry")

    assert answer.status_code == 409
    assert "只剩 ¥0.00 可退" in answer.text
    assert rows(Refund, Refund.id == refused.id)[0].status == "failed"


def test_support_sees_no_retry_of_a_refund(support: Browser, sold: Order, refused: Refund) -> None:
    path = f"/admin/orders/{sold.order_no}/refunds/{refused.refund_no}/retry"

    assert path not in support.text(f"/admin/orders/{sold.order_no}")
    assert support.post(path).status_code == 403


def test_a_refund_of_another_order_is_not_tried_again_here(finance: Browser, unpaid: Order, refused: Refund) -> None:
    assert finance.post(f"/admin/orders/{unpaid.order_no}/refunds/{refused.refund_no}/retry").status_code == 404
