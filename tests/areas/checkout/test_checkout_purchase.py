"""From a package to a product, without JavaScript, and everything that may happen on the way."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import pytest

from app.core import clock, tenancy
from app.core.db import db
from app.customers.models import Acceptance, Person
from app.orders.links import access_key
from app.orders.models import Order
from app.payments import registry
from app.payments.models import Payment
from app.payments.ports import GatewayRefused
from app.provisioning.models import License, Tenant
from tests.areas.checkout.conftest import HTMX, all_orders, attempts, latest_code, poll, poll_path


def test_a_stranger_buys_a_subscription_and_reads_his_code(buyer, cashier, work):
    path = buyer.buy("pro", 12)
    waiting = buyer.see(path)
    cashier.pay(attempts()[-1])
    buyer.client.post(f"{path}/check")
    work()

    done = buyer.see(path)

    tenant = row(Tenant)
    assert "等待付款" in waiting and "weixin" not in waiting.split("<svg")[0]
    assert "开通好了" in done and tenant.code.replace("-", "-<wbr>") in done
    assert tenant.first_password in done and "138****8000" in done and "13800138000" not in done
    assert "¥2,870.00" in done


def test_a_stranger_buys_a_licence_and_finds_what_to_do_next(private_buyer, cashier, work):
    path = private_buyer.buy("pro", 0)
    cashier.pay(attempts()[-1])
    private_buyer.client.post(f"{path}/check")
    work()

    done = private_buyer.see(path)

    assert row(License).code.replace("-", "-<wbr>") in done
    assert "下载安装包" in done and "激活" in done and "¥19,800.00" in done


def test_alipay_is_one_click_from_the_order(buyer, cashier, work):
    path = buyer.buy()
    answer = buyer.client.post(f"{path}/payments", data={"gateway": "alipay"})
    work()

    payment = attempts()[-1]
    cashier.pay(payment)
    buyer.client.post(f"{path}/check", data={"pay": "alipay"})
    work()

    assert answer.status_code == 303 and answer.location == payment.redirect_url
    assert "开通好了" in buyer.see(path)


def test_from_the_cart_to_the_code_to_scan_it_takes_five_requests(buyer, work):
    requests = [
        buyer.client.get("/checkout/saas?package=pro&months=12"),
        buyer.choose("pro", 12),
        buyer.ask_code(),
        buyer.register(latest_code()),
    ]
    work()
    requests.append(buyer.client.get(requests[-1].location))

    assert [answer.status_code for answer in requests] == [200, 200, 200, 303, 200]
    assert 'aria-label="微信支付二维码' in requests[-1].text


def test_the_price_page_s_choice_is_preselected(client):
    html = client.get("/checkout/saas?package=enterprise&months=6").text

    assert re.search(r'value="enterprise"[^>]*\bchecked', html) and re.search(r'value="6"[^>]*\bchecked', html)
    assert "¥3,055" in html and "¥599 × 6 个月" in html


@pytest.mark.parametrize("query", ["?package=gold&months=7", "?months=abc", "?package=<script>", ""])
def test_a_made_up_address_shows_what_we_recommend(client, query):
    answer = client.get(f"/checkout/saas{query}")

    assert answer.status_code == 200 and "¥2,870" in answer.text and "<script>alert" not in answer.text


@pytest.mark.parametrize(("package", "months"), [("gold", 12), ("standard", 12), ("pro", 5), ("", 0), ("pro", -12)])
def test_what_is_not_on_sale_can_not_be_chosen(buyer, package, months):
    answer = buyer.choose(package, months)

    assert answer.status_code == 422 and 'role="alert"' in answer.text
    assert buyer.client.get("/checkout/saas/info").status_code == 303


def test_the_summary_follows_the_choice_as_a_fragment(client):
    answer = client.get("/checkout/saas?package=basic&months=3", headers={**HTMX, "HX-Target": "order_summary"})

    assert answer.text.lstrip().startswith("<aside") and "<html" not in answer.text
    assert "¥267" in answer.text and "−¥30" in answer.text
    assert {"HX-Request", "HX-Target"} <= set(answer.vary)


def test_a_price_from_the_browser_is_not_read(buyer):
    buyer.choose("pro", 12, price="0.01", actual_price="0.01", unit_price="0.01")
    buyer.ask_code()
    buyer.register(price="0.01", actual_price="0.01", total="0.01")

    assert [order.actual_price for order in all_orders()] == [Decimal("2870.00")]


def test_without_a_choice_the_form_leads_back_to_the_packages(client):
    assert client.get("/checkout/saas/info").location == "/checkout/saas"
    assert client.post("/checkout/saas/info", data={}).location == "/checkout/saas"


def test_the_accepted_versions_and_the_owner_are_written_down(buyer):
    buyer.buy()

    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        person = session.scalars(db.select(Person)).one()
        accepted = {(a.document, bool(a.version)) for a in session.scalars(db.select(Acceptance))}
    assert (person.phone, person.role, person.password) == ("13800138000", "owner", None)
    assert accepted == {("terms", True), ("privacy", True)}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"company_name": " "}, "请填企业名称"),
        ({"contact_name": ""}, "请填联系人"),
        ({"email": "zhou@qinghe"}, "邮箱不完整"),
        ({"phone": "1380013800"}, "少了一位"),
        ({"agree": ""}, "请先阅读并同意"),
        ({"code": ""}, "6 位验证码"),
    ],
)
def test_each_mistake_is_named_beside_its_field_and_nothing_is_lost(buyer, changed, words):
    buyer.choose()
    buyer.ask_code()

    answer = buyer.register(**{"code": latest_code(), **changed})

    assert answer.status_code == 422 and words in answer.text
    assert all_orders() == []
    assert changed.get("contact_name") == "" or 'value="周予安"' in answer.text


def test_a_mistake_elsewhere_does_not_use_up_the_code(buyer):
    buyer.choose()
    buyer.ask_code()
    code = latest_code()
    buyer.register(code, agree="")

    assert buyer.register(code).status_code == 303


def test_a_wrong_code_is_counted_and_five_of_them_void_it(buyer):
    buyer.choose()
    buyer.ask_code()
    right = latest_code()
    wrong = f"{(int(right) + 1) % 10**6:06d}"

    words = [buyer.register(wrong).text for _ in range(5)]

    assert "还可以试 4 次" in words[0] and "错了 5 次" in words[4]
    assert "失效" in buyer.register(right).text and all_orders() == []


def test_an_old_code_asks_for_a_new_one(buyer):
    with clock.held(clock.now()):
        buyer.choose()
        buyer.ask_code()
        code = latest_code()
    with clock.held(clock.now() + timedelta(minutes=6)):
        answer = buyer.register(code)

    assert answer.status_code == 422 and "验证码已失效" in answer.text


def test_the_form_sent_twice_is_one_order(buyer):
    buyer.choose()
    buyer.ask_code()
    code = latest_code()
    second_tab = buyer.client.application.test_client()
    second_tab.get("/checkout/saas/info?package=pro&months=12")

    first = buyer.register(code)
    again = second_tab.post("/checkout/saas/info", data={**buyer.details, "phone": buyer.phone, "code": code})
    replayed = buyer.register(code)

    assert len(all_orders()) == 1
    assert first.location == again.location == replayed.location


def test_a_phone_with_an_account_buys_into_it(buyer, work):
    buyer.buy()
    with clock.held(clock.now() + timedelta(minutes=40)):
        other = buyer.client.application.test_client()
        other.get("/checkout/private/info?package=standard")
        other.post("/checkout/private/code", data={"phone": buyer.phone})
        form = {"company_name": "别的名字", "contact_name": "别人", "agree": "y", "phone": buyer.phone}
        other.post("/checkout/private/info", data={**form, "code": latest_code()})

    assert len({order.customer_id for order in all_orders()}) == 1
    assert {order.company_name for order in all_orders()} == {"杭州青禾商贸有限公司"}


def test_a_new_choice_replaces_the_unpaid_order_after_a_word_of_warning(buyer, work):
    first = buyer.buy("pro", 12)
    buyer.choose("basic", 1)

    warned = buyer.register("")
    agreed = buyer.register("", replace="yes")
    work()

    assert warned.status_code == 422 and "还有没付款的订单" in warned.text
    assert first in warned.text
    assert agreed.status_code == 303 and agreed.location != first
    assert [order.status for order in all_orders()] == ["cancelled", "pending"]


def test_the_packages_page_warns_of_an_order_that_waits(buyer):
    path = buyer.buy()

    html = buyer.see("/checkout/saas")

    assert "待支付的订单" in html and path in html


def test_the_same_choice_again_leads_to_the_same_order(buyer):
    path = buyer.buy("pro", 12)
    buyer.choose("pro", 12)

    assert buyer.register("").location == path
    assert len(all_orders()) == 1


def test_an_order_is_a_stranger_s_404_until_he_has_the_key_of_the_sms(app, buyer):
    path = buyer.buy()
    stranger = app.test_client()
    order = all_orders()[0]

    assert stranger.get(path).status_code == 404
    assert stranger.get(f"{path}?key=wrong").status_code == 404
    assert stranger.get("/checkout/orders/YK20260101NONE").status_code == 404
    for action in ("payments", "check", "cancel"):
        assert stranger.post(f"{path}/{action}", data={"gateway": "wechat"}).status_code == 404

    let_in = stranger.get(f"{path}?key={access_key(order)}")
    assert (let_in.status_code, let_in.location) == (303, path)
    assert stranger.get(path).status_code == 200


def test_only_the_browser_that_bought_shows_the_initial_password(app, buyer, cashier, work):
    path = buyer.buy()
    cashier.pay(attempts()[-1])
    buyer.client.post(f"{path}/check")
    work()
    other = app.test_client()
    other.get(f"{path}?key={access_key(all_orders()[0])}")

    html = other.get(path).text

    assert row(Tenant).code.replace("-", "-<wbr>") in html
    assert row(Tenant).first_password not in html and "在短信里" in html


def test_a_cancelled_order_offers_to_buy_again(buyer, work):
    path = buyer.buy("basic", 3)

    buyer.client.post(f"{path}/cancel")
    closing = buyer.see(path)
    work()
    closed = buyer.see(path)

    assert "最后核对" in closing
    assert "已经取消" in closed and "/checkout/saas?package=basic&amp;months=3" in closed


def test_an_overdue_order_is_no_longer_offered_for_payment(buyer, work):
    path = buyer.buy()
    with clock.held(clock.now() + timedelta(minutes=31)):
        html = buyer.see(path)
        refused = buyer.client.post(f"{path}/payments", data={"gateway": "wechat"})
        after = buyer.client.get(refused.location).text

    assert "最后核对" in html and "去支付宝" not in html and "data-left" not in html
    assert refused.status_code == 303 and "重新下单" in after


def test_money_that_comes_while_the_order_is_being_closed_opens_it(buyer, cashier, work):
    path = buyer.buy()
    buyer.client.post(f"{path}/cancel")
    cashier.pay(attempts()[-1])
    work()

    assert "开通好了" in buyer.see(path)


def test_the_waiting_element_stays_quiet_and_turns_into_the_product(buyer, cashier, work):
    path = buyer.buy()
    html = buyer.see(path)

    quiet = poll(buyer.client, html)
    cashier.pay(attempts()[-1])
    buyer.client.post(f"{path}/check")
    asked = poll(buyer.client, html)
    work()
    arrived = poll(buyer.client, html)

    assert (quiet.status_code, quiet.text) == (204, "") and "HX-Redirect" not in quiet.headers
    assert asked.status_code == 200 and "核对付款" in asked.text and "<html" not in asked.text
    assert arrived.headers["HX-Redirect"] == path


def test_who_asks_when_all_is_done_is_led_to_the_product_and_not_shown_a_page_within_the_page(buyer, cashier, work):
    path = buyer.buy()
    cashier.pay(attempts()[-1])
    buyer.client.post(f"{path}/check")
    work()

    asked = buyer.client.post(f"{path}/check", headers={"HX-Request": "true", "HX-Target": "pay_status"})

    assert (asked.status_code, asked.headers["HX-Redirect"], asked.text) == (204, path, "")


def test_before_the_gateway_answered_the_code_is_being_prepared(buyer):
    buyer.choose()
    buyer.ask_code()
    path = buyer.register().location

    html = buyer.see(path)

    assert "正在生成付款码" in html and "qr-off" not in html


def test_what_comes_at_once_is_looked_for_at_once(buyer):
    buyer.choose()
    buyer.ask_code()
    path = buyer.register().location

    preparing = buyer.see(path)
    with clock.held(clock.now() + timedelta(seconds=10)):
        slowly = buyer.see(path)
    paid_order()
    opening = buyer.see(path)

    assert [re.search(r'hx-trigger="every (\w+)"', html)[1] for html in (preparing, slowly, opening)] == [
        "300ms",
        "1s",
        "300ms",
    ]


def test_an_expired_code_to_scan_is_replaced_and_the_order_stays(buyer, work):
    path = buyer.buy()
    with tenancy.scope(tenancy.everyone("a test lets a code expire")) as session:
        session.execute(db.update(Payment).values(expires_at=clock.now() - timedelta(seconds=1)))
    expired = buyer.see(path)
    buyer.client.post(f"{path}/payments", data={"gateway": "wechat"})
    work()
    fresh = buyer.see(path)

    assert "换一个二维码" in expired and "二维码已失效" in expired
    assert "等待付款" in fresh and "换一个二维码" not in fresh


def test_after_two_minutes_the_page_asks_less_often(buyer):
    path = buyer.buy()

    young = buyer.see(path)
    with clock.held(clock.now() + timedelta(minutes=3)):
        old = buyer.see(path)

    assert 'hx-trigger="every 1s"' in young and 'hx-trigger="every 5s"' in old


def test_who_says_he_paid_is_told_not_to_pay_again(buyer):
    path = buyer.buy()
    buyer.client.post(f"{path}/check")

    at_once = buyer.see(path)
    with clock.held(clock.now() + timedelta(minutes=1)):
        later = buyer.see(path)

    assert "正在向微信核对付款" in at_once
    assert "还没有查到付款" in later and "不要再付一次" in later and "失败" not in later


def test_switching_the_gateway_back_and_forth_loses_nothing(buyer, work):
    path = buyer.buy()
    alipay_tab = buyer.see(f"{path}?pay=alipay")
    buyer.client.post(f"{path}/payments", data={"gateway": "alipay"})
    work()
    wechat_tab = buyer.see(f"{path}?pay=wechat")
    buyer.client.post(f"{path}/payments", data={"gateway": "wechat"})
    work()

    assert "去支付宝付款" in alipay_tab and "换一个二维码" in wechat_tab
    assert "等待付款" in buyer.see(path)
    assert len({payment.attempt_no for payment in attempts()}) == 3


def test_the_page_may_lead_a_form_to_the_cashier_and_nowhere_else(app, buyer):
    answer = buyer.client.get(buyer.buy())

    policy = answer.headers["Content-Security-Policy"]
    gateway = app.extensions["settings"].alipay_gateway.removesuffix("/gateway.do")
    assert f"form-action 'self' {gateway};" in policy


def test_an_unknown_gateway_is_refused_in_words(buyer):
    path = buyer.buy()

    answer = buyer.client.post(f"{path}/payments", data={"gateway": "paypal"})

    assert answer.location == f"{path}?refused=1" and "没有这种支付方式" in buyer.see(answer.location)


def test_a_refused_beginning_is_not_tried_again_by_the_page_itself(buyer):
    path = buyer.buy()
    with tenancy.scope(tenancy.everyone("a test forgets the attempt")) as session:
        session.execute(db.delete(Payment))

    assert 'hx-trigger="load, submit"' in buyer.see(path)
    assert 'hx-trigger="load, submit"' not in buyer.see(f"{path}?refused=1")


def test_after_leaving_for_alipay_the_page_left_behind_notices_the_attempt(buyer):
    path = buyer.buy()
    left_behind = buyer.see(f"{path}?pay=alipay")
    buyer.client.post(f"{path}/payments", data={"gateway": "alipay"})

    assert "等待付款" in poll(buyer.client, left_behind).text


@pytest.mark.parametrize(
    ("agent", "channel"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148 Safari", "h5"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "native"),
    ],
)
def test_the_device_decides_how_wechat_is_opened(app, work, buyer, agent, channel):
    buyer.client.environ_base["HTTP_USER_AGENT"] = agent

    html = buyer.see(buyer.buy())

    assert attempts()[-1].channel == channel
    assert ("打开微信付款" in html) == (channel == "h5")


INSIDE_WECHAT = "Mozilla/5.0 (Linux; Android 15) Mobile MicroMessenger/8.0.50"


def go_through_wechat(client, path: str):
    """Follow the detour by which WeChat tells who its holder is."""
    away = client.get(path)
    back = client.get(away.location.removeprefix("http://127.0.0.1:8000").partition("#")[0])
    return client.get(back.location.removeprefix("http://127.0.0.1:8000"))


def test_inside_wechat_the_visitor_is_known_without_a_question_and_pays_in_place(wire, buyer):
    buyer.client.environ_base["HTTP_USER_AGENT"] = INSIDE_WECHAT

    returned = go_through_wechat(buyer.client, "/checkout/saas?package=basic")
    html = buyer.see(buyer.buy())

    assert returned.location == "/checkout/saas?package=basic"
    assert attempts()[-1].channel == "jsapi"
    assert attempts()[-1].openid.startswith("o")
    assert "data-wechat-pay=" in html and "paySign" in html


def test_inside_wechat_the_detour_is_taken_once_and_a_wrong_state_counts_for_nothing(wire, buyer):
    buyer.client.environ_base["HTTP_USER_AGENT"] = INSIDE_WECHAT
    buyer.client.get("/checkout/saas")

    buyer.client.get("/checkout/wechat/back?code=stolen&state=somebody-elses")
    again = buyer.client.get("/checkout/saas")
    html = buyer.see(buyer.buy())

    assert again.status_code == 200
    assert attempts()[-1].channel == "native"
    assert "复制付款链接" in html


def test_a_code_is_good_once(wire, buyer):
    buyer.client.environ_base["HTTP_USER_AGENT"] = INSIDE_WECHAT
    away = buyer.client.get("/checkout/saas")
    back = buyer.client.get(away.location.removeprefix("http://127.0.0.1:8000").partition("#")[0])
    code = dict(parse_qsl(urlsplit(back.location).query))["code"]
    identity = registry.wechat_identity()

    assert identity.openid(code).startswith("o")
    with pytest.raises(GatewayRefused) as refusal:
        identity.openid(code)
    assert refusal.value.code == "40029"


def test_inside_wechat_with_a_known_openid_the_sheet_opens_in_place(buyer):
    buyer.client.environ_base["HTTP_USER_AGENT"] = "Mobile MicroMessenger/8.0.50"
    with buyer.client.session_transaction() as session:
        session["openid"] = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"

    html = buyer.see(buyer.buy())

    assert attempts()[-1].channel == "jsapi"
    assert "data-wechat-pay=" in html and "paySign" in html


def test_inside_wechat_alipay_is_reached_by_a_link_that_lets_another_browser_in(app, buyer):
    path = buyer.buy()
    buyer.client.environ_base["HTTP_USER_AGENT"] = INSIDE_WECHAT
    with buyer.client.session_transaction() as session:
        session["openid"] = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"

    html = buyer.see(f"{path}?pay=alipay")
    link = unescape(re.search(r'data-copy="([^"]+)"', html)[1])
    browser = app.test_client()
    browser.get(link.removeprefix("http://127.0.0.1:8000"))

    assert 'id="open-alipay"' not in html
    assert "确认并支付" in browser.get(path).text


def test_on_a_phone_alipay_opens_its_own_cashier(buyer):
    buyer.client.environ_base["HTTP_USER_AGENT"] = "Mozilla/5.0 (iPhone) Mobile"
    path = buyer.buy()

    buyer.client.post(f"{path}/payments", data={"gateway": "alipay"})

    assert attempts()[-1].channel == "wap"


def test_steps_of_the_delivery_are_watched_live(buyer, cashier, work):
    path = buyer.buy()
    paid_order()

    html = buyer.see(path)

    assert "已收到付款，正在开通" in html and "创建租户" in html
    assert "every 300ms" in html and poll_path(html)


def test_a_delivery_that_is_stuck_is_told_honestly(buyer):
    path = buyer.buy()
    paid_order(delivery="failed")

    html = buyer.see(path)

    assert "工程师已经收到通知" in html and "不用再付" in html and "开通好了" not in html


def test_a_refunded_order_says_so(buyer):
    path = buyer.buy()
    paid_order(status="refunded", refunded_amount=Decimal("2870.00"))

    html = buyer.see(path)

    assert "已经退款" in html and "¥2,870.00" in html and "重新购买" in html


def test_pages_ask_the_database_little(buyer, count_queries):
    buyer.client.get("/checkout/saas")
    with count_queries() as choosing:
        buyer.client.get("/checkout/saas")
    buyer.choose()
    with count_queries() as filling:
        buyer.client.get("/checkout/saas/info")
    path = buyer.buy()
    html = buyer.see(path)
    with count_queries() as paying:
        buyer.client.get(path)
    with count_queries() as polling:
        poll(buyer.client, html)

    assert (choosing.number, filling.number) == (0, 0)
    assert paying.number <= 2 and polling.number <= 2


def row(model):
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        return session.scalars(db.select(model)).one()


def paid_order(**values):
    """The only order, as if its money had come and nothing else had happened yet."""
    with tenancy.scope(tenancy.everyone("a test sets the scene")) as session:
        changed = {"status": "paid", "paid_at": clock.now(), "paid_by": "wechat", **values}
        session.execute(db.update(Order).values(**changed))
