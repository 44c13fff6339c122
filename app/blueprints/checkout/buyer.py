"""Step 2: who buys, proved by a code on the phone (seed P §3.1 ②)."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, HiddenField, StringField
from wtforms.validators import DataRequired, Email, Length, Optional

from app.blueprints.checkout import area, browser, purchase
from app.blueprints.checkout.plan import TITLES, quoted, summary_lines
from app.core.errors import Refused, TooMany
from app.customers import captcha, codes, phones
from app.web.area import keep_changes
from app.web.forms import Form
from app.web.pages import page
from app.web.visitor import client_network

_SHOWN_WAIT = 120  # seconds; a longer wait is said in words, not counted down


class BuyerForm(Form):
    company_name = StringField(
        "企业名称", [DataRequired("请填企业名称"), Length(2, 200, message="企业名称请填 2 到 200 个字")]
    )
    contact_name = StringField("联系人", [DataRequired("请填联系人"), Length(max=100, message="联系人最多 100 个字")])
    email = StringField("邮箱", [Optional(), Length(max=100), Email("邮箱不完整，例如 zhou@qinghe.com")])
    phone = StringField("手机号", [DataRequired("请填手机号")])
    code = StringField("验证码", [Length(max=20, message="验证码是 6 位数字")])
    puzzle = StringField("图片里的数字", [Length(max=12, message="图片里是 5 位数字")])
    puzzle_token = HiddenField()
    agree = BooleanField("我已阅读并同意", [DataRequired("请先阅读并同意服务协议和隐私政策")])
    replace = HiddenField()


@dataclass(slots=True)
class Proof:
    """How far the phone is proved, for the part of the page that shows it."""

    wait: int = 0  # seconds until another code may be asked for
    sent: bool = False
    puzzle: str = ""  # the token of a picture to be read, if one is needed
    done: bool = False


@area.get("/<any(saas, private):product>/info")
def buyer(product: str) -> ResponseReturnValue:
    if browser.chosen(product) is None:
        return redirect(url_for("checkout.plan", product=product), 303)
    return _buyer_page(product, BuyerForm(formdata=None), Proof())


@area.post("/<any(saas, private):product>/info", endpoint="register")
def register(product: str) -> ResponseReturnValue:
    """Check the form, then the code, then place the order; a refusal costs nothing but, at most, the code's try."""
    choice = browser.chosen(product)
    if choice is None:
        return redirect(url_for("checkout.plan", product=product), 303)
    form = BuyerForm()
    if not form.validate():
        return _buyer_page(product, form, _known_proof(form), status=422)
    try:
        order = purchase.buy(quoted(product, choice), form)
    except purchase.AnotherUnpaid as unpaid:
        keep_changes()
        return _buyer_page(product, form, Proof(done=True), status=422, unpaid=unpaid.orders)
    except Refused as error:
        form.refuse(error)
        return _buyer_page(product, form, _known_proof(form), status=422)
    return redirect(url_for("checkout.order", order_no=order.order_no), 303)


@area.post("/<any(saas, private):product>/code", endpoint="send_code")
def send_code(product: str) -> ResponseReturnValue:
    """Have a code sent; the answer is the same whether the phone is known to us or not."""
    form = BuyerForm()
    proof = Proof()
    status, wait = 200, 0
    try:
        sent = codes.send_code(form.phone.data or "", "buy", client_network(), puzzle=_guess(form))
        proof.sent, proof.wait = True, sent.retry_after
    except TooMany as error:
        form.refuse(error)
        # htmx swaps a 422 and leaves a 429 alone; whoever comes without it gets the true one.
        status, wait = 422 if request.headers.get("HX-Request") else 429, error.retry_after
        proof.wait = wait if wait <= _SHOWN_WAIT else 0
        proof.puzzle = captcha.issue() if isinstance(error, captcha.PuzzleNeeded) else ""
    except Refused as error:
        form.refuse(error)
        status = 422
        proof.puzzle = captcha.issue() if error.field == "puzzle" else ""
    response = _buyer_page(product, form, proof, status=status)
    if wait:
        response.headers["Retry-After"] = str(wait)
    return response


def _guess(form: BuyerForm) -> tuple[str, str] | None:
    token = form.puzzle_token.data or ""
    return (token, form.puzzle.data or "") if token else None


def _known_proof(form: BuyerForm) -> Proof:
    """Whether this browser proved the phone in the form before."""
    try:
        return Proof(done=browser.proves(phones.normalise(form.phone.data or "")))
    except Refused:
        return Proof()


def _buyer_page(
    product: str, form: BuyerForm, proof: Proof, *, status: int = 200, unpaid: purchase.Orders = ()
) -> Response:
    choice = browser.chosen(product)
    quote = quoted(product, choice) if choice else None
    return page(
        "checkout/buyer.html",
        fragments=("phone_proof",),
        status=status,
        step=2,
        form=form,
        product=product,
        titles=TITLES,
        proof=proof,
        # Without script nothing would wake the button up again: it stays, and the server says how long to wait.
        counts_down=proof.wait > 0 and "HX-Request" in request.headers,
        unpaid=unpaid,
        lines=summary_lines(quote) if quote else [],
        quote=quote,
    )
