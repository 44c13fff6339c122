"""Steps 3 and 4 at one address: pay, wait, be opened, and have what was bought (seed P §3.1 ③ ④, §3.2 ③)."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from flask import Response, current_app, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.checkout import area, browser, purchase, wechat
from app.blueprints.checkout.standing import Standing, standing_of
from app.core import clock
from app.core.errors import Refused
from app.orders import cancel, links
from app.orders.models import Order
from app.payments import check, queries, registry
from app.payments.models import Payment
from app.provisioning import downloads, terms
from app.provisioning import queries as provisioning
from app.provisioning.models import License
from app.web.agreements import OPERATOR
from app.web.pages import done, page, wanted_fragment
from app.web.security import allow_form_target
from app.web.template_filters import discount, money, months
from app.web.visitor import is_inside_wechat, is_phone

_PLATFORMS = ("linux", "windows", "docker")  # in the order of the seed's wireframe (P §3.2)


@area.get("/orders/<order_no>")
def order(order_no: str) -> ResponseReturnValue:
    """Whatever the order's standing is, this is its page; ``?key=`` of the SMS link lets another browser in."""
    if key := request.args.get("key"):
        browser.let_in_by_key(order_no, key)
        return redirect(_here(order_no), 303)
    found = browser.visible_order(order_no)
    if found.is_open and not request.headers.get("HX-Request") and (away := wechat.detour()) is not None:
        return away
    standing = standing_of(found, _gateway_asked_for(), _asked_at(found))
    if wanted_fragment(("pay_status",)):
        return _poll_answer(found, standing)
    return _order_page(found, standing)


@area.post("/orders/<order_no>/payments")
def pay(order_no: str) -> ResponseReturnValue:
    """Begin to pay through ``gateway``; a wallet whose cashier is a page of its own is opened at once."""
    found = browser.visible_order(order_no)
    gateway = request.form.get("gateway", "")
    try:
        payment = purchase.begin(found, gateway)
    except Refused as error:
        return done(url_for("checkout.order", order_no=order_no, refused=1), error.message, kind="error")
    if wanted_fragment(("pay_status",)):
        return _poll_answer(found, standing_of(found, gateway, _asked_at(found)))
    return redirect(_cashier(payment) or url_for("checkout.order", order_no=order_no, pay=gateway), 303)


@area.post("/orders/<order_no>/check")
def check_payment(order_no: str) -> ResponseReturnValue:
    """我已付款，页面没反应: have the gateways asked now, and say that they are."""
    found = browser.visible_order(order_no)
    check.ask_now(found)
    session["asked"] = [order_no, int(clock.now().timestamp())]
    if wanted_fragment(("pay_status",)):
        return _poll_answer(found, standing_of(found, _gateway_asked_for(), _asked_at(found)))
    return redirect(url_for("checkout.order", order_no=order_no, pay=_gateway_asked_for()), 303)


@area.post("/orders/<order_no>/cancel", endpoint="cancel")
def cancel_order(order_no: str) -> ResponseReturnValue:
    found = browser.visible_order(order_no)
    try:
        cancel.cancel_order(found, actor="buyer")
    except Refused as error:
        return done(_here(order_no), error.message, kind="error")
    return done(_here(order_no), "正在取消订单")


def _poll_answer(found: Order, standing: Standing) -> Response:
    """To the waiting element: nothing while nothing changed, itself when something did, the whole page at the end.

    At the end by a redirect: the success page has no such element, and a page within the page would be shown.
    """
    if standing.is_settled:
        return Response(status=204, headers={"HX-Redirect": _here(found.order_no), "Vary": "HX-Request, HX-Target"})
    if request.args.get("seen") == standing.fingerprint:
        return Response(status=204, headers={"Vary": "HX-Request, HX-Target"})
    return _order_page(found, standing)


def _order_page(found: Order, standing: Standing) -> Response:
    if standing.stage == "delivered":
        return _success_page(found)
    if standing.stage in {"cancelled", "refunded"}:
        refunds = queries.refunds(found.id)
        return page("checkout/closed.html", step=3, order=found, lines=order_lines(found), refunds=refunds)
    allow_form_target(_alipay_origins())
    return page(
        "checkout/order.html",
        fragments=("pay_status",),
        step=3,
        order=found,
        lines=order_lines(found),
        standing=standing,
        tabs=_tabs(found, standing.gateway),
        channel=purchase.channel_for(standing.gateway),
        on_phone=is_phone(),
        in_wechat=is_inside_wechat(),
        came_back="back" in request.args,
        # Opening WeChat's tab at a desk is asking for its code; not again after that was refused.
        begins_itself=standing.stage == "choose" and not is_phone() and "refused" not in request.args,
        scan_url=_scan_url(standing.attempt),
        sheet_url=_sheet_url(found, standing.attempt),
        order_link=links.order_link(found) if is_inside_wechat() else "",
        expires_on=terms.expiry(clock.today(), found.duration_months) if found.product_type == "saas" else None,
    )


def _success_page(found: Order) -> Response:
    refunds = [refund for refund in queries.refunds(found.id) if refund.status != "failed"]
    if found.product_type == "private":
        license = provisioning.license_of(found)
        return page(
            "checkout/success_private.html",
            step=4,
            order=found,
            refunds=refunds,
            license=license,
            packages=_packages(license),
            help_email=OPERATOR.email,
        )
    tenant = provisioning.tenant_of(found)
    # Whoever only has the SMS link reads the password in the SMS, not here.
    password = tenant.first_password if tenant and browser.placed(found) else None
    return page("checkout/success_saas.html", step=4, order=found, refunds=refunds, tenant=tenant, password=password)


def _packages(license: License | None) -> list[tuple[str, str, int, str, str]]:
    """(platform, version, size, SHA-256, signed link) of each package the licence covers."""
    if license is None:
        return []
    covered = [release for release in provisioning.latest_releases() if downloads.covers(license, release)]
    covered.sort(key=lambda release: _PLATFORMS.index(release.platform))
    return [
        (release.platform, release.version, release.size, release.sha256, downloads.signed_path(release, license))
        for release in covered
    ]


def order_lines(found: Order) -> list[tuple[str, str, str]]:
    """The order's own copy of what was bought and its arithmetic, as (label, value, kind)."""
    if found.product_type == "private":
        return [("套餐", f"私有部署{found.package_name}", ""), ("一次买断", money(found.original_price), "")]
    lines = [
        ("套餐", f"SaaS {found.package_name}", ""),
        ("时长", months(found.duration_months), ""),
        (f"{money(found.unit_price)} × {found.duration_months} 个月", money(found.original_price), ""),
    ]
    saving = found.original_price - found.actual_price
    return [*lines, (f"折扣（{discount(found.discount_rate)}）", money(-saving), "off")] if saving else lines


def _tabs(found: Order, current: str) -> list[tuple[str, str, str, bool]]:
    """Each gateway's tab: (key, name, path, whether it is open)."""
    return [
        (name, registry.get(name).title, url_for("checkout.order", order_no=found.order_no, pay=name), name == current)
        for name in registry.names()
    ]


def _here(order_no: str) -> str:
    return url_for("checkout.order", order_no=order_no)


def _gateway_asked_for() -> str | None:
    wanted = request.values.get("pay") or request.form.get("gateway")
    return wanted if wanted in registry.names() else None


def _asked_at(found: Order) -> int:
    """When this browser last had the gateways asked about the order, in seconds; 0 for never."""
    order_no, moment = session.get("asked", ("", 0))
    return moment if order_no == found.order_no else 0


def _cashier(payment: Payment) -> str | None:
    """The cashier that opens by itself; WeChat's H5 one is known a moment later and stands on the order's page."""
    return payment.redirect_url if payment.pay_type == "alipay" else None


def _scan_url(attempt: Payment | None) -> str | None:
    """In the sandbox, the page on which a person scans without a phone; None where another gateway is connected."""
    if attempt is None or not attempt.code_url or not _plays_wechat():
        return None
    return f"/sandbox/scan?{urlencode({'code': attempt.code_url})}"


def _sheet_url(found: Order, attempt: Payment | None) -> str | None:
    """In the sandbox, what stands for the payment sheet that only WeChat itself can open over the page."""
    if attempt is None or not attempt.jsapi or not _plays_wechat():
        return None
    settings = current_app.extensions["settings"]
    back = f"{settings.public_url}{url_for('checkout.order', order_no=found.order_no, back=1)}"
    prepay_id = attempt.jsapi["package"].removeprefix("prepay_id=")
    return f"/sandbox/wechat/h5?{urlencode({'prepay_id': prepay_id, 'redirect_url': back})}"


def _plays_wechat() -> bool:
    """Whether the gateway that is connected is the sandbox's own."""
    settings = current_app.extensions["settings"]
    return bool(settings.sandbox and settings.wechatpay_gateway == f"http://127.0.0.1:{settings.sandbox_port}")


def _alipay_origins() -> str:
    """Where the form to Alipay's cashier may lead; the real one passes it on to other hosts of its own."""
    gateway = urlsplit(current_app.extensions["settings"].alipay_gateway or "https://openapi.alipay.com")
    origin = f"{gateway.scheme}://{gateway.netloc}"
    return f"{origin} https://*.alipay.com" if gateway.netloc.endswith(".alipay.com") else origin
