"""The overview of all trades of both gateways, and one trade from the gateway's side."""

from __future__ import annotations

import secrets
from urllib.parse import parse_qs, urlsplit

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.sandbox import area, sandbox
from app.blueprints.sandbox.choices import AMOUNTS, FATES, chosen_callbacks, chosen_fen, chosen_refund
from app.blueprints.sandbox.views import DeliveryView, RefundView, TradeView
from app.core.errors import Conflict, NotFound
from app.gateways.sandbox.books import Trade
from app.gateways.sandbox.switches import FAULTS
from app.web.pages import done, page


@area.get("/")
def overview() -> ResponseReturnValue:
    """All trades, the newest first, and what is switched."""
    found = [TradeView(trade, sandbox()) for trade in sandbox().books.list_trades(limit=100)]
    faults = {name: fault.mode for name in ("wechat", "alipay") if (fault := sandbox().switches.fault(name))}
    return page("sandbox/overview.html", fragments=("trades",), trades=found, faults=faults, fault_names=FAULTS)


@area.get("/scan")
def scan() -> ResponseReturnValue:
    """Open the page behind a code: what the camera of a phone would do with it."""
    code = request.args.get("code", "").strip()
    token = parse_qs(urlsplit(code).query).get("pr", [code])[0]
    if sandbox().books.find("wechat", token=token) is None:
        raise NotFound("没有这个二维码，或者它已经换成了新的。请回到收银页重新复制。")
    return redirect(url_for("sandbox.wechat_pay", token=token), 303)


@area.get("/trades/<int:number>")
def trade(number: int) -> ResponseReturnValue:
    found = _wanted(number)
    return page(
        "sandbox/trade.html",
        fragments=("notices",),
        trade=TradeView(found, sandbox()),
        deliveries=[DeliveryView(one) for one in sandbox().books.list_deliveries(found)],
        refunds=[RefundView(one) for one in sandbox().books.list_refunds(found)],
        fates=FATES,
        amounts=AMOUNTS,
    )


@area.post("/trades/<int:number>/payment")
def pay(number: int) -> ResponseReturnValue:
    """Money moves, whatever the state: also when the trade is expired or closed."""
    found = _wanted(number)
    if not sandbox().books.pay(found, paid_fen=chosen_fen(found), callbacks=chosen_callbacks()):
        raise Conflict("这笔交易已经付过款了。")
    return done(url_for("sandbox.trade", number=number), "已付款。")


@area.post("/trades/<int:number>/notices")
def notify_again(number: int) -> ResponseReturnValue:
    """Send held notices and repeat the others, under their old ids."""
    found = _wanted(number)
    text = request.form.get("copies", "1")
    copies = min(int(text), 50) if text.isascii() and text.isdigit() and len(text) < 4 else 1
    if not sandbox().books.send_again(found, copies):
        raise Conflict("这笔交易还没有任何通知，先付款。")
    return done(url_for("sandbox.trade", number=number), "通知已经上路。")


@area.post("/trades/<int:number>/refunds")
def refund_in_console(number: int) -> ResponseReturnValue:
    """A refund made by hand on the gateway's own pages: the product did not ask for it."""
    found = _wanted(number)
    if found.state != "paid":
        raise Conflict("只有已付款的交易可以退款。")
    refund = sandbox().books.open_refund(
        found,
        out_refund_no=f"CONSOLE{secrets.token_hex(8).upper()}",
        fen=chosen_refund(found),
        reason="商户平台手工退款",
        notify_url="",
    )
    if refund is None:
        raise Conflict("可退的金额不够了。")
    return done(url_for("sandbox.trade", number=number), "已在网关后台退款，产品事先不知道。")


@area.post("/trades/<int:number>/finish")
def finish(number: int) -> ResponseReturnValue:
    """Alipay a year later."""
    found = _wanted(number)
    if found.gateway != "alipay" or not sandbox().books.finish(found):
        raise Conflict("只有已付款的支付宝交易会在一年后完结。")
    return done(url_for("sandbox.trade", number=number), "交易已完结（TRADE_FINISHED）。")


def _wanted(number: int) -> Trade:
    found = sandbox().books.trade(number)
    if found is None:
        raise NotFound("沙箱里没有这笔交易。")
    return found
