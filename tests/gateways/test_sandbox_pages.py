"""The sandbox's pages: a person plays the buyer with forms and links alone, in the product's own web application."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from app.blueprints.sandbox import sandbox as present_sandbox
from app.core import clock as product_clock
from app.gateways.alipay.adapter import Alipay
from app.gateways.sandbox.keys import ensure_keys
from app.gateways.sandbox.server import running
from app.gateways.sandbox.store import metadata
from app.gateways.wechat_pay.adapter import WeChatPay
from app.payments.ports import Channel, NoticeRefused, PaymentRequest, TradeState

from .conftest import settings_of

SHOP = "http://shop.example"


@pytest.fixture
def sandbox(app):
    """The sandbox of the application, empty."""
    with app.app_context():
        opened = present_sandbox()
    with opened.books.store.writing() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    return opened


@pytest.fixture
def wechat(app, sandbox):
    with running(sandbox) as base:
        yield WeChatPay(settings_of("wechat by public key", ensure_keys(Path(app.instance_path)), base, SHOP))


@pytest.fixture
def alipay(app):
    settings = settings_of("alipay", ensure_keys(Path(app.instance_path)), "http://localhost", SHOP)
    return Alipay(replace(settings, gateway="http://localhost/sandbox/alipay/gateway.do"))


def request(channel, number="PAGES00001", **changes):
    expires = product_clock.now() + timedelta(minutes=30)
    wanted = PaymentRequest(number, channel, "云客CRM 专业版", Decimal("2870.00"), expires, return_url=f"{SHOP}/return")
    return replace(wanted, **changes)


def scanned(client, code_url):
    """Follow the code as a phone's camera would; gives the address of the page."""
    answer = client.get("/sandbox/scan", query_string={"code": code_url})
    assert answer.status_code == 303
    return answer.location


def told(sandbox, number):
    """What the waiting notices of a trade would say."""
    trade = next(one for one in sandbox.books.list_trades() if one.out_trade_no == number)
    return trade, sandbox.books.list_deliveries(trade)


# WeChat Pay


def test_the_buyer_scans_sees_what_he_pays_and_pays(client, sandbox, wechat):
    page = scanned(client, wechat.start(request(Channel.NATIVE)).code_url)
    text = client.get(page).text
    assert "2,870" in text
    assert "沙箱" in text

    answer = client.post(page, data={"action": "pay"})

    assert answer.status_code == 303
    assert wechat.query("PAGES00001").state is TradeState.PAID
    assert "已付款" in client.get(page).text


def test_a_refusal_leaves_the_order_and_sends_nothing(client, sandbox, wechat):
    page = scanned(client, wechat.start(request(Channel.NATIVE)).code_url)

    client.post(page, data={"action": "refuse"})

    assert wechat.query("PAGES00001").state is TradeState.UNPAID
    assert told(sandbox, "PAGES00001")[1] == []


@pytest.mark.parametrize(("amount", "paid"), [("less", "2869.99"), ("more", "2870.01"), ("exact", "2870.00")])
def test_one_fen_off_is_really_paid_and_really_told(client, sandbox, wechat, amount, paid):
    page = scanned(client, wechat.start(request(Channel.NATIVE)).code_url)

    client.post(page, data={"action": "pay", "amount": amount})

    assert wechat.query("PAGES00001").amount == Decimal(paid)


@pytest.mark.parametrize(
    ("choice", "states"),
    [
        ({"fate": "now"}, ["due"]),
        ({"fate": "hold"}, ["held"]),
        ({"fate": "copies", "copies": "3"}, ["due", "due", "due"]),
        ({"fate": "copies", "copies": "999"}, ["due"] * 50),
        ({"fate": "copies", "copies": "many"}, ["due"] * 3),
    ],
)
def test_the_fate_of_the_notice_is_the_testers_choice(client, sandbox, wechat, choice, states):
    page = scanned(client, wechat.start(request(Channel.NATIVE)).code_url)

    client.post(page, data={"action": "pay", **choice})

    assert [one.state for one in told(sandbox, "PAGES00001")[1]] == states


def test_a_notice_can_be_put_off(client, sandbox, wechat):
    page = scanned(client, wechat.start(request(Channel.NATIVE)).code_url)

    client.post(page, data={"action": "pay", "fate": "delay", "delay": "120"})

    delivery = told(sandbox, "PAGES00001")[1][0]
    assert delivery.next_at - delivery.created_at == pytest.approx(120)


def test_after_a_close_the_money_can_still_come_late(client, sandbox, wechat):
    page = scanned(client, wechat.start(request(Channel.NATIVE)).code_url)
    wechat.close("PAGES00001")
    assert "仍然付款" in client.get(page).text

    client.post(page, data={"action": "pay"})

    assert wechat.query("PAGES00001").state is TradeState.PAID


def test_an_order_is_paid_twice_by_two_attempts_and_each_once(client, sandbox, wechat):
    pages = [scanned(client, wechat.start(request(Channel.NATIVE, f"PAGES0000{n}")).code_url) for n in (1, 2)]
    for page in pages:
        client.post(page, data={"action": "pay"})

    again = client.post(pages[0], data={"action": "pay"})

    assert again.status_code == 409
    assert {wechat.query(f"PAGES0000{n}").state for n in (1, 2)} == {TradeState.PAID}
    detail = client.get(f"/sandbox/trades/{told(sandbox, 'PAGES00001')[0].id}").text
    assert "PAGES00002" in detail


def test_a_code_is_too_old_after_two_hours_and_a_phones_address_after_five_minutes(client, sandbox, wechat):
    native = scanned(client, wechat.start(request(Channel.NATIVE, expires_at=in_hours(20))).code_url)
    phone = request(Channel.H5, "PAGES00002", client_ip="203.0.113.9", expires_at=in_hours(20))
    address = urlsplit(wechat.start(phone).redirect_url)

    for path, minutes in ((native, 121), (f"{address.path}?{address.query}", 6)):
        assert "仍然付款" not in client.get(path).text
        with product_clock.held(product_clock.now() + timedelta(minutes=minutes)):
            assert "仍然付款" in client.get(path).text


def in_hours(hours):
    return product_clock.now() + timedelta(hours=hours)


def test_an_old_code_leads_nowhere_once_there_is_a_newer(client, sandbox, wechat):
    wanted = request(Channel.NATIVE)
    old = wechat.start(wanted).code_url
    wechat.start(wanted)

    assert client.get("/sandbox/scan", query_string={"code": old}).status_code == 404
    assert client.get("/sandbox/wechat/pay/nothing").status_code == 404
    assert client.post("/sandbox/wechat/pay/nothing", data={"action": "pay"}).status_code == 404


def test_a_phone_comes_back_to_the_shop_after_paying(client, sandbox, wechat):
    start = wechat.start(request(Channel.H5, client_ip="203.0.113.9", return_url=f"{SHOP}/return?a=1"))
    address = urlsplit(start.redirect_url)
    page = client.get(f"{address.path}?{address.query}")
    back = html.unescape(re.search(r'name="back" value="([^"]*)"', page.text)[1])
    token = dict(parse_qsl(address.query))["prepay_id"]

    answer = client.post(f"/sandbox/wechat/pay/{token}", data={"action": "pay", "back": back})

    assert (answer.status_code, answer.location) == (303, f"{SHOP}/return?a=1")
    assert SHOP in page.headers["Content-Security-Policy"]


def test_a_way_back_that_a_browser_would_run_is_refused(client, sandbox, wechat):
    start = wechat.start(request(Channel.H5, client_ip="203.0.113.9"))
    token = dict(parse_qsl(urlsplit(start.redirect_url).query))["prepay_id"]

    for back in ("javascript:alert(1)", "data:text/html,x", "//evil"):
        address = {"prepay_id": token, "redirect_url": back}
        assert client.get("/sandbox/wechat/h5", query_string=address).status_code == 400
        answer = client.post(f"/sandbox/wechat/pay/{token}", data={"action": "pay", "back": back})
        assert answer.status_code == 400


# Alipay


def opened(client, start):
    address = urlsplit(start.redirect_url)
    return client.get(f"{address.path}?{address.query}")


def order_of(page):
    return html.unescape(re.search(r'name="order" value="([^"]*)"', page.text)[1])


def test_the_cashier_shows_the_order_and_no_trade_exists_yet(client, sandbox, alipay):
    page = opened(client, alipay.start(request(Channel.PAGE)))

    assert page.status_code == 200
    assert "2,870" in page.text
    assert "还不存在" in page.text
    assert sandbox.books.list_trades() == []


def test_the_buyer_logs_in_pays_and_comes_back_signed(client, sandbox, alipay):
    page = opened(client, alipay.start(request(Channel.PAGE)))
    words = order_of(page)
    assert client.post("/sandbox/alipay/cashier", data={"order": words, "action": "login"}).status_code == 200
    assert told(sandbox, "PAGES00001")[0].state == "unpaid"

    answer = client.post("/sandbox/alipay/cashier", data={"order": words, "action": "pay"})

    assert answer.status_code == 303
    assert answer.location.startswith(f"{SHOP}/return?")
    assert alipay.read_return(dict(parse_qsl(urlsplit(answer.location).query))) == "PAGES00001"
    assert told(sandbox, "PAGES00001")[0].state == "paid"
    assert SHOP in page.headers["Content-Security-Policy"]


def test_a_buyer_may_close_the_window_instead_of_coming_back(client, sandbox, alipay):
    words = order_of(opened(client, alipay.start(request(Channel.PAGE))))

    answer = client.post("/sandbox/alipay/cashier", data={"order": words, "action": "pay", "stay": "1"})

    assert answer.status_code == 200
    assert "返回商家" in answer.text


def test_on_a_phone_one_can_give_up(client, sandbox, alipay):
    words = order_of(opened(client, alipay.start(request(Channel.WAP))))

    answer = client.post("/sandbox/alipay/cashier", data={"order": words, "action": "leave"})

    assert (answer.status_code, answer.location) == (303, f"{SHOP}/return")
    assert told(sandbox, "PAGES00001")[0].state == "unpaid"


def test_an_address_that_was_tampered_with_shows_the_merchants_mistake(client, sandbox, alipay):
    start = alipay.start(request(Channel.PAGE))
    words = dict(parse_qsl(urlsplit(start.redirect_url).query))
    words["biz_content"] = words["biz_content"].replace("2870.00", "0.01")

    for answer in (
        client.get(f"/sandbox/alipay/gateway.do?{urlencode(words)}"),
        client.post("/sandbox/alipay/cashier", data={"order": urlencode(words), "action": "pay"}),
        client.post("/sandbox/alipay/cashier", data={"action": "pay"}),
    ):
        assert answer.status_code == 200
        assert "调试错误" in answer.data.decode("gbk")
    assert sandbox.books.list_trades() == []


def test_a_call_of_a_program_is_answered_on_the_products_own_address(client, sandbox, alipay):
    sdk = alipay._sdk
    signed = sdk.sign_data(sdk.build_body("alipay.trade.query", {"out_trade_no": "NEVERMADE1"}))

    for answer in (
        client.get(f"/sandbox/alipay/gateway.do?{signed}"),
        client.post("/sandbox/alipay/gateway.do", data=signed, content_type="application/x-www-form-urlencoded"),
    ):
        assert json.loads(answer.text)["alipay_trade_query_response"]["sub_code"] == "ACQ.TRADE_NOT_EXIST"


def test_faults_bend_calls_and_leave_the_buyers_cashier_alone(client, sandbox, alipay):
    sandbox.switches.set_fault("alipay", "error")

    assert client.get("/sandbox/alipay/gateway.do?method=alipay.trade.query").status_code == 502
    assert opened(client, alipay.start(request(Channel.PAGE))).status_code == 200


# One trade from the gateway's side


@pytest.fixture
def paid_trade(client, sandbox, alipay):
    words = order_of(opened(client, alipay.start(request(Channel.PAGE))))
    client.post("/sandbox/alipay/cashier", data={"order": words, "action": "pay"})
    return told(sandbox, "PAGES00001")[0]


def test_the_overview_lists_every_trade(client, sandbox, paid_trade):
    text = client.get("/sandbox/").text

    assert "PAGES00001" in text
    assert f"/sandbox/trades/{paid_trade.id}" in text


def test_a_notice_can_be_repeated_from_its_trade(client, sandbox, paid_trade):
    client.post(f"/sandbox/trades/{paid_trade.id}/notices", data={"copies": "4"})

    assert len({one.notice_id for one in sandbox.books.list_deliveries(paid_trade)}) == 1
    assert len(sandbox.books.list_deliveries(paid_trade)) == 5


def test_a_refund_by_hand_is_not_one_of_ours(client, sandbox, paid_trade):
    answer = client.post(f"/sandbox/trades/{paid_trade.id}/refunds", data={"yuan": "0.01"})

    refund = sandbox.books.list_refunds(paid_trade)[0]
    assert answer.status_code == 303
    assert (refund.fen, refund.state) == (1, "success")
    assert refund.out_refund_no.startswith("CONSOLE")


@pytest.mark.parametrize("yuan", ["0", "-1", "2870.01", "abc", "0.001", "NaN", "Infinity", "1e9"])
def test_a_refund_by_hand_has_its_limits(client, sandbox, paid_trade, yuan):
    assert client.post(f"/sandbox/trades/{paid_trade.id}/refunds", data={"yuan": yuan}).status_code == 422
    assert sandbox.books.list_refunds(paid_trade) == []


def test_a_year_passes_at_the_press_of_a_button_and_only_once(client, sandbox, paid_trade):
    assert client.post(f"/sandbox/trades/{paid_trade.id}/finish").status_code == 303
    assert client.post(f"/sandbox/trades/{paid_trade.id}/finish").status_code == 409
    assert sandbox.books.trade(paid_trade.id).state == "finished"


def test_a_trade_nobody_made_is_not_found(client, sandbox):
    for path in ("payment", "notices", "refunds", "finish"):
        assert client.post(f"/sandbox/trades/999999/{path}").status_code == 404
    assert client.get("/sandbox/trades/999999").status_code == 404


def test_an_unpaid_trade_is_paid_from_its_own_page(client, sandbox, wechat):
    wechat.start(request(Channel.NATIVE))
    trade = told(sandbox, "PAGES00001")[0]

    assert client.post(f"/sandbox/trades/{trade.id}/payment").status_code == 303
    assert client.post(f"/sandbox/trades/{trade.id}/payment").status_code == 409


# Switches


def test_switches_are_set_and_shown(client, sandbox):
    client.post("/sandbox/switches/wechat/fault", data={"mode": "lost", "lasting": "60"})
    client.post("/sandbox/switches/alipay/callbacks", data={"hold": "1", "delay": "5", "copies": "2"})
    client.post("/sandbox/switches/wechat/mode", data={"outcome": "abnormal", "key": "certificate"})

    found = sandbox.switches
    assert found.fault("wechat").mode == "lost"
    assert (found.callbacks("alipay").hold, found.callbacks("alipay").copies) == (True, 2)
    assert (found.refund_outcome, found.notice_key, found.offers_certificates) == ("abnormal", "certificate", False)
    assert "模拟故障中" in client.get("/sandbox/switches").text
    client.post("/sandbox/switches/wechat/fault", data={"mode": ""})
    assert found.fault("wechat") is None


def test_switches_that_do_not_exist_are_refused(client, sandbox):
    assert client.post("/sandbox/switches/wechat/fault", data={"mode": "explode"}).status_code == 422
    assert client.post("/sandbox/switches/wechat/mode", data={"outcome": "maybe"}).status_code == 422
    assert client.post("/sandbox/switches/unionpay/fault").status_code == 404


# The inbox


@pytest.fixture
def messages(sandbox):
    sandbox.inbox.deliver_sms("s1", "13800138000", "验证码 123456", "sms_code")
    sandbox.inbox.deliver_mail(
        "m1", "li@example.com", "主题 <b>", "文本", "<html><head></head><body><script>alert(1)</script>好</body></html>"
    )
    return {one.message_id: one for one in sandbox.inbox.list_messages()}


def test_the_inbox_shows_and_tells_every_message(client, messages):
    text = client.get("/sandbox/inbox").text
    found = client.get("/sandbox/inbox.json").json

    assert "验证码 123456" in text
    assert "主题 &lt;b&gt;" in text
    assert [one["kind"] for one in found] == ["mail", "sms"]
    assert set(found[0]) >= {"to", "kind", "subject", "text", "html", "template", "at"}


def test_each_reader_finds_his_own(client, messages):
    mine = client.get("/sandbox/inbox.json", query_string={"to": "13800138000"}).json

    assert [one["text"] for one in mine] == ["验证码 123456"]
    assert client.get("/sandbox/inbox.json?to=nobody").json == []
    assert "验证码" not in client.get("/sandbox/inbox?to=li@example.com").text


def test_a_mail_is_shown_in_a_frame_where_nothing_runs(client, messages):
    number = messages["m1"].id
    page, body = client.get(f"/sandbox/inbox/{number}"), client.get(f"/sandbox/inbox/{number}/body.html")

    assert "sandbox=" in page.text
    assert f"/sandbox/inbox/{number}/body.html" in page.text
    policy = body.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox " in policy
    assert "allow-scripts" not in policy
    assert "frame-ancestors 'self'" in policy
    assert body.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert '<base target="_blank">' in body.text


def test_a_message_nobody_sent_is_not_found(client, sandbox):
    assert client.get("/sandbox/inbox/999").status_code == 404
    assert client.get("/sandbox/inbox/999/body.html").status_code == 404


def test_a_fragment_of_the_inbox_can_be_asked_for_alone(client, messages):
    part = client.get("/sandbox/inbox", headers={"HX-Request": "true", "HX-Target": "messages"}).text

    assert part.strip().startswith('<div id="messages"')
    assert "<html" not in part


# The guard


def test_the_products_own_adapters_do_not_bring_the_sandbox_with_them():
    script = (
        "import sys\n"
        "from app.gateways import mail_sandbox, mail_smtp, sms_sandbox\n"
        "from app.gateways.alipay import adapter, self_test\n"
        "from app.gateways.wechat_pay import adapter, self_test\n"
        "found = [name for name in sys.modules if name.startswith(('app.gateways.sandbox.', 'app.blueprints.sandbox'))]\n"
        "assert not found and 'app.gateways.sandbox' not in sys.modules, found\n"
    )

    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONPATH": "."}, timeout=60)


def test_forms_need_their_token_and_the_wire_does_not(app, client, sandbox, wechat):
    page = scanned(client, wechat.start(request(Channel.NATIVE)).code_url)
    app.config["WTF_CSRF_ENABLED"] = True
    try:
        assert client.post(page, data={"action": "pay"}).status_code == 400
        assert client.post("/sandbox/switches/wechat/fault", data={"mode": "lost"}).status_code == 400
        assert client.post("/sandbox/alipay/gateway.do").status_code == 200
        token = re.search(r'name="csrf_token" value="([^"]+)"', client.get(page).text)[1]
        assert client.post(page, data={"action": "pay", "csrf_token": token}).status_code == 303
    finally:
        app.config["WTF_CSRF_ENABLED"] = False


def test_pages_bear_no_script_or_style_of_their_own(client, sandbox, messages, paid_trade):
    paths = ["/sandbox/", "/sandbox/inbox", "/sandbox/switches", f"/sandbox/trades/{paid_trade.id}"]
    for path in [*paths, f"/sandbox/inbox/{messages['m1'].id}"]:
        text = client.get(path).text
        assert not re.search(r"\sstyle=|\son[a-z]+=|<script(?![^>]*src=)", text), path


def test_a_notice_of_the_products_own_gateway_holds_for_the_product(client, sandbox, alipay, paid_trade):
    delivery = sandbox.books.list_deliveries(paid_trade)[0]
    body, headers = sandbox.courier._written(delivery)

    assert alipay.read_notice(headers, body, product_clock.now()).payment.attempt_no == "PAGES00001"
    with pytest.raises(NoticeRefused):
        alipay.read_notice(headers, body + b"&a=1", product_clock.now())
    assert json.loads(delivery.content)["what"] == "payment"
