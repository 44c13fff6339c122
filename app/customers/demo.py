"""Customers of the demonstration: made through the same door as real ones."""

from __future__ import annotations

from app.customers.login import set_password
from app.customers.models import Person
from app.customers.register import register_buyer


def make_customer(company_name: str, contact_name: str, phone: str, email: str | None, password: str) -> Person:
    """A company with its owner, who logs in by ``password``; made once, found again after that."""
    person = register_buyer(
        company_name=company_name,
        contact_name=contact_name,
        phone=phone,
        email=email,
        terms=[("terms", "2026-01"), ("privacy", "2026-01")],
        address="127.0.0.1",
    )
    if person.password is None:
        set_password(person, password)
    return person


__all__ = ["make_customer", "register_buyer", "set_password"]
