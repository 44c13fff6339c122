"""Step 2: who buys, proved by a code on the phone (seed P §3.1 ②)."""

from __future__ import annotations

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, HiddenField, StringField
from wtforms.validators import DataRequired, Email, Length, Optional

from app.blueprints.checkout import area, browser, purchase
from app.blueprints.checkout.plan import TITLES, quoted, summary_lines, take_choice
from app.core.errors import Refused
from app.customers import phones
from app.web import proofs
from app.web.area import keep_changes
from app.web.pages import page
from app.web.proofs import Proof, ProofForm


class BuyerForm(ProofForm):
    company_name = StringField(
        "企业名称", [DataRequired("请填企业名称"), Length(2, 200, message="企业名称请填 2 到 200 个字")]
    )
    contact_name = StringField("联系人", [DataRequired("请填联系人"), Length(max=100, message="联系人最多 100 个字")])
    email = StringField("邮箱", [Optional(), Length(max=100), Email("邮箱不完整，例如 zhou@qinghe.com")])
    phone = StringField("手机号", [DataRequired("请填手机号")])
    code = StringField("验证码", [Length(max=20, message="验证码是 6 位数字")])
    agree = BooleanField("我已阅读并同意", [DataRequired("请先阅读并同意服务协议和隐私政策")])
    replace = HiddenField()


@area.get("/<any(saas, private):product>/info")
def buyer(product: str) -> ResponseReturnValue:
    """The form; that of the packages leads here with the choice (``?package=pro&months=12``)."""
    if "package" in request.args and (refused := take_choice(product)) is not None:
        return refused
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
    proof = proofs.send(form, form.phone.data or "", "buy")
    response = _buyer_page(product, form, proof, status=proof.status)
    if proof.retry_after:
        response.headers["Retry-After"] = str(proof.retry_after)
    return response


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
        unpaid=unpaid,
        lines=summary_lines(quote) if quote else [],
        quote=quote,
    )
