"""Alipay's gateway.do on the product's own address: the browser's cashier, and calls of other programs."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import Response, redirect, request
from flask.typing import ResponseReturnValue

from app.blueprints.sandbox import area, sandbox
from app.blueprints.sandbox.choices import AMOUNTS, FATES, chosen_callbacks, chosen_fen
from app.blueprints.sandbox.views import TradeView
from app.gateways.sandbox.alipay.cashier import PRODUCTS, CashierOrder, mistake_page
from app.gateways.sandbox.alipay.words import Refusal, form_of
from app.gateways.sandbox.books import Trade
from app.gateways.sandbox.server import under_fault
from app.gateways.sandbox.wire import WireAnswer, WireRequest
from app.web.pages import page
from app.web.security import allow_form_target


@area.route("/alipay/gateway.do", methods=["GET", "POST"])
def alipay_gateway() -> ResponseReturnValue:
    """A buyer's browser gets the cashier, a program its answer. Faults bend programs' calls only."""
    wire = _wire_request()
    form = form_of(wire)
    if form.get("method") not in PRODUCTS:
        return _sent(under_fault(sandbox(), "alipay", lambda: sandbox().alipay.answer(wire)))
    try:
        order = sandbox().alipay.cashier.order(form)
    except Refusal as refusal:
        return _sent(mistake_page(refusal))
    return _cashier(order, urlencode(form), sandbox().books.find("alipay", out_trade_no=order.out_trade_no))


@area.post("/alipay/cashier")
def alipay_cashier() -> ResponseReturnValue:
    """What the buyer does on the cashier. The signed address travels in the form and is verified again."""
    words = request.form.get("order", "")
    try:
        order = sandbox().alipay.cashier.order(dict(parse_qsl(words, keep_blank_values=True)))
        trade = sandbox().alipay.cashier.log_in(order)
    except Refusal as refusal:
        return _sent(mistake_page(refusal))
    action = request.form.get("action")
    if action == "pay":
        sandbox().books.pay(trade, paid_fen=chosen_fen(trade), callbacks=chosen_callbacks())
        return _after_payment(order, words, trade)
    if action == "leave" and order.quit_url:
        return redirect(order.quit_url, 303)
    return _cashier(order, words, trade)


def _after_payment(order: CashierOrder, words: str, trade: Trade) -> ResponseReturnValue:
    """The way back is offered; a buyer may as well close the window, and then only the notice tells."""
    paid = sandbox().books.trade(trade.id) or trade
    back = sandbox().alipay.cashier.return_address(paid)
    if back and request.form.get("stay") != "1":
        return redirect(back, 303)
    return _cashier(order, words, paid)


def _cashier(order: CashierOrder, words: str, trade: Trade | None) -> ResponseReturnValue:
    for address in (order.return_url, order.quit_url):
        if address:
            # A redirect after the form is held to form-action as well.
            allow_form_target(f"{urlsplit(address).scheme}://{urlsplit(address).netloc}")
    view = TradeView(trade, sandbox()) if trade else None
    back = sandbox().alipay.cashier.return_address(trade) if trade and trade.is_paid else ""
    return page("sandbox/alipay.html", order=order, words=words, trade=view, back=back, fates=FATES, amounts=AMOUNTS)


def _wire_request() -> WireRequest:
    headers = {name.lower(): value for name, value in request.headers.items()}
    target = f"{request.path}?{request.query_string.decode('latin-1')}"
    return WireRequest(request.method, target, headers, request.get_data(cache=False, parse_form_data=False))


def _sent(answer: WireAnswer) -> Response:
    return Response(answer.body, status=answer.status, headers=dict(answer.headers))
