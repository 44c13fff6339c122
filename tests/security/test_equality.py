"""What is equal, is equal on every database."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask

from app.core import clock
from app.core.db import db
from app.customers.models import Quota


def test_texts_that_differ_in_case_or_accents_are_two_texts(app: Flask) -> None:
    """MariaDB's usual collation takes them for one: a token in other letters would open the door as well."""
    keys = ["token-a", "token-A", "token-á", "token-ａ"]
    for key in keys:
        db.session.add(Quota(key=key, count=1, window_ends_at=clock.now() + timedelta(hours=1)))
    db.session.commit()

    for key in keys:
        assert db.session.scalars(db.select(Quota.key).where(Quota.key == key)).all() == [key]


def test_a_search_by_name_does_not_mind_the_case(app: Flask) -> None:
    from app.blueprints.admin.reads import customers
    from app.core import tenancy
    from app.customers.models import Customer

    with tenancy.scope(tenancy.everyone("a test sets the stage")) as session:
        session.add(Customer(company_name="Yuanshan Robotics 100%", contact_name="a_b", phone="1", phone_index="1"))

    with app.test_request_context("/"), tenancy.scope(tenancy.everyone("a test looks")):
        found = {
            typed: len(customers.listed(customers.CustomerFilter(q=typed), "").rows)
            for typed in ("yuanshan", "ROBOTICS", "100%", "a_b", "1_0", "aXb", "%%")
        }

    assert found == {"yuanshan": 1, "ROBOTICS": 1, "100%": 1, "a_b": 1, "1_0": 0, "aXb": 0, "%%": 0}
