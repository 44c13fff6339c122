"""Step 1: a package and how long (seed P §3.1 ①, §3.2 ①)."""

from __future__ import annotations

from flask import Response, request
from flask.typing import ResponseReturnValue

from app.blueprints.checkout import area, browser, wechat
from app.blueprints.checkout.browser import Choice
from app.catalog import queries
from app.catalog.quote import Quote, quote
from app.core.errors import Refused
from app.orders import queries as orders
from app.orders.models import Order
from app.web.agreements import OPERATOR
from app.web.pages import page
from app.web.template_filters import money, months

_USUAL_MONTHS = 12
TITLES = {"saas": "SaaS 云端版", "private": "私有部署版"}


@area.get("/<any(saas, private):product>")
def plan(product: str) -> ResponseReturnValue:
    """The packages; the address may preselect one (``?package=pro&months=12``)."""
    if (away := wechat.detour()) is not None:
        return away
    return _plan_page(product, _nearest(product, _asked_for()))


def take_choice(product: str) -> Response | None:
    """Keep the choice that the form of the packages brings; gives its page again, with the reason, if it is not on sale."""
    choice = _asked_for()
    try:
        quoted(product, choice)
    except Refused as error:
        return _plan_page(product, _nearest(product, choice), refusal=error.message, status=422)
    browser.choose(product, choice)
    return None


def _asked_for() -> Choice:
    """Code and months in the address; whatever else a browser sends, a price above all, is not read."""
    return Choice(request.args.get("package", ""), request.args.get("months", 0, type=int))


def quoted(product: str, choice: Choice) -> Quote:
    """The server's own price for a choice; raises NotFound or Invalid for what is not on sale."""
    return quote(queries.package(product, choice.package), choice.months)


def summary_lines(quoted: Quote) -> list[tuple[str, str, str]]:
    """The order's panel: what, how long, and the arithmetic, as (label, value, kind)."""
    lines = [("套餐", quoted.title, "")]
    if quoted.product_type == "saas":
        lines.append(("时长", months(quoted.months), ""))
    (label, original), *reductions = quoted.lines
    lines.append((label, money(original), ""))
    return lines + [(label, money(amount), "off") for label, amount in reductions]


def _nearest(product: str, wanted: Choice) -> Choice:
    """What is asked for, as far as it is on sale; else what this browser chose before; else what we recommend."""
    kept = browser.chosen(product) or Choice("", 0)
    packages = queries.packages(product)
    recommended = next((p.code for p in packages if p.recommended), packages[0].code if packages else "")
    codes = [p.code for p in packages]
    months = [d.months for d in queries.durations()]
    return Choice(
        next((code for code in (wanted.package, kept.package) if code in codes), recommended),
        next((count for count in (wanted.months, kept.months) if count in months), _USUAL_MONTHS),
    )


def _plan_page(product: str, choice: Choice, *, refusal: str = "", status: int = 200) -> Response:
    return page(
        "checkout/plan.html",
        fragments=("order_summary",),
        status=status,
        step=1,
        refusal=refusal,
        product=product,
        titles=TITLES,
        packages=queries.packages(product),
        durations=queries.durations(),
        choice=choice,
        lines=summary_lines(quoted(product, choice)),
        total=quoted(product, choice).actual_price,
        waiting=_waiting_order(),
        sales_email=OPERATOR.email,
    )


def _waiting_order() -> Order | None:
    """An order of this browser that may already be paid: buying the same again is warned of (PITFALLS no. 16)."""
    order_no = browser.latest_order_no()
    order = orders.by_no(order_no) if order_no else None
    return order if order is not None and order.is_open else None
