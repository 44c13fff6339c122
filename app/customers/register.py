"""Opening an account by buying: the phone was proved by a code, a password is set later (SPEC §3, Customers)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.core import events
from app.core.db import db
from app.core.errors import Refused
from app.customers import phones
from app.customers.models import Acceptance, Customer, Person


def register_buyer(
    *,
    company_name: str,
    contact_name: str,
    phone: str,
    email: str | None,
    terms: Sequence[tuple[str, str]],
    address: str,
) -> Person:
    """The person who buys: the owner of a new account, or whoever has this phone already, as he is.

    ``terms`` are (document, version) pairs that were accepted from ``address``. The caller has checked the code.
    Raises Refused for an account that staff closed.
    """
    number = phones.normalise(phone)
    person = by_phone(number) or _newcomer(company_name, contact_name, number, email or None)
    if person.status != "active" or person.customer.status != "active":
        raise Refused("这个账号已停用，暂时不能购买。请联系客服恢复。")
    _note_acceptance(person.customer_id, terms, address)
    return person


def hold(person: Person) -> None:
    """Keep the account's row until the transaction ends, so that of two forms at once the second sees the first's order."""
    db.session.scalars(select(Customer.id).where(Customer.id == person.customer_id).with_for_update()).one()


def by_phone(number: str) -> Person | None:
    """The person with this normalised number; needs a scope that reaches all."""
    return db.session.scalars(select(Person).where(Person.phone_index == phones.index(number))).first()


def _newcomer(company_name: str, contact_name: str, number: str, email: str | None) -> Person:
    """A new company and its owner; if a second tab was faster, that one's."""
    index = phones.index(number)
    customer = Customer(
        company_name=company_name, contact_name=contact_name, phone=number, phone_index=index, email=email
    )
    person = Person(name=contact_name, phone=number, phone_index=index, email=email, role="owner", customer=customer)
    try:
        with db.session.begin_nested():
            db.session.add(person)
    except IntegrityError:
        there = by_phone(number)
        if there is None:
            raise
        return there
    events.record("customer.registered", customer.id)
    return person


def _note_acceptance(customer_id: str, terms: Sequence[tuple[str, str]], address: str) -> None:
    known = set(
        db.session.execute(select(Acceptance.document, Acceptance.version).where(Acceptance.customer_id == customer_id))
    )
    for document, version in terms:
        if (document, version) not in known:
            db.session.add(Acceptance(customer_id=customer_id, document=document, version=version, address=address))
    db.session.flush()
