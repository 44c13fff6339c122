"""Customers: found by company, contact or whole phone number; one company with all it has with us."""

from __future__ import annotations

from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.admin import area, words
from app.blueprints.admin.reads import customers as reads
from app.blueprints.admin.reads.customers import CustomerFilter
from app.blueprints.admin.rights import actor, needs
from app.core import events
from app.customers.models import Customer
from app.web import tables
from app.web.pages import page


@area.get("/customers")
@needs("customers.see")
def customers() -> ResponseReturnValue:
    wanted = CustomerFilter.read(request.args)
    found = reads.listed(wanted, request.args.get(tables.CURSOR))
    previous, following = tables.paths(found)
    return page(
        "admin/customers.html",
        fragments=("customer_list",),
        rows=found.rows,
        wanted=wanted,
        owns=reads.OWNS,
        sources=words.ORIGIN,
        previous=previous,
        following=following,
        clear=url_for("admin.customers"),
    )


@area.get("/customers/<customer_id>")
@needs("customers.see")
def customer(customer_id: str) -> ResponseReturnValue:
    return page("admin/customer.html", **_shown(reads.one(customer_id)), revealed="")


@area.post("/customers/<customer_id>/phone")
@needs("customers.reveal")
def reveal_phone(customer_id: str) -> ResponseReturnValue:
    """The whole number, on this answer only; that it was looked at stands in the books."""
    found = reads.one(customer_id)
    events.record("customer.phone_revealed", found.id, actor=actor())
    return page("admin/customer.html", fragments=("customer_phone",), **_shown(found), revealed=found.phone)


def _shown(customer: Customer) -> dict[str, Any]:
    return {
        "customer": customer,
        "people": reads.people(customer.id),
        "orders": reads.orders(customer.id),
        "tenants": reads.tenants(customer.id),
        "licenses": reads.licenses(customer.id),
        "messages": reads.messages(customer.id),
    }
