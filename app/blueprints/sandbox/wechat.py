"""WeChat Pay as the buyer sees it: the page behind a scanned code, and the cashier of a phone's browser."""

from __future__ import annotations

import hashlib
from urllib.parse import urlencode, urlsplit

from flask import abort, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.sandbox import area, sandbox
from app.blueprints.sandbox.choices import AMOUNTS, FATES, chosen_callbacks, chosen_fen
from app.blueprints.sandbox.views import TradeView
from app.core.errors import Conflict, NotFound
from app.gateways.sandbox.books import Trade
from app.web.pages import done, page
from app.web.security import allow_form_target


@area.get("/wechat/pay/<token>")
def wechat_pay(token: str) -> ResponseReturnValue:
    """What the buyer's phone shows after scanning."""
    return _shown(_wanted(token), back="")


@area.get("/wechat/h5")
def wechat_h5() -> ResponseReturnValue:
    """The cashier that a phone's browser is sent to; ``redirect_url`` is where it goes afterwards, and no proof."""
    back = request.args.get("redirect_url", "")
    if back and (urlsplit(back).scheme not in {"http", "https"} or not urlsplit(back).hostname):
        abort(400)
    return _shown(_wanted(request.args.get("prepay_id", "")), back)


@area.get("/wechat/oauth")
def wechat_oauth() -> ResponseReturnValue:
    """The official account's silent log-in: back at once, with a code for an openid of this browser's own."""
    back = urlsplit(request.args.get("redirect_uri", ""))
    here = urlsplit(current_app.extensions["settings"].public_url)
    if (back.scheme, back.netloc) != (here.scheme, here.netloc) or request.args.get("response_type") != "code":
        abort(400)
    openid = f"o{hashlib.sha256(request.headers.get('User-Agent', '').encode()).hexdigest()[:27]}"
    words = urlencode({"code": sandbox().oauth.new_code(openid), "state": request.args.get("state", "")})
    return redirect(f"{back.geturl()}{'&' if back.query else '?'}{words}", 302)


@area.post("/wechat/pay/<token>")
def pay_wechat(token: str) -> ResponseReturnValue:
    """Pay, or refuse: a refusal leaves the order as it was and sends nothing."""
    trade, back = _wanted(token), request.form.get("back", "")
    if back and urlsplit(back).scheme not in {"http", "https"}:
        abort(400)
    if request.form.get("action") != "refuse":
        if not sandbox().books.pay(trade, paid_fen=chosen_fen(trade), callbacks=chosen_callbacks()):
            raise Conflict("这张订单已经付过款了。")
        return redirect(back, 303) if back else done(url_for("sandbox.wechat_pay", token=token), "已付款。")
    return redirect(back, 303) if back else done(url_for("sandbox.wechat_pay", token=token), "没有付款，订单不变。")


def _shown(trade: Trade, back: str) -> ResponseReturnValue:
    if back:
        parts = urlsplit(back)
        allow_form_target(f"{parts.scheme}://{parts.netloc}")
    return page(
        "sandbox/wechat.html",
        trade=TradeView(trade, sandbox()),
        back=back,
        fates=FATES,
        amounts=AMOUNTS,
        token=trade.token,
    )


def _wanted(token: str) -> Trade:
    found = sandbox().books.find("wechat", token=token) if token else None
    if found is None:
        raise NotFound("二维码无效，或者已经换成了新的。请回到收银页重新扫码。")
    return found
