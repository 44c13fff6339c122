"""Secrets at rest."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.core import crypto
from app.core.db import db
from app.customers.models import Customer

OLD, NEW = "o" * 40, "n" * 40


def test_a_text_comes_back_and_two_ciphertexts_of_it_differ():
    ring = crypto.KeyRing([NEW])

    first, second = ring.encrypt("13800138000"), ring.encrypt("13800138000")

    assert ring.decrypt(first) == ring.decrypt(second) == "13800138000"
    assert first != second


def test_after_a_rotation_old_texts_are_read_and_found():
    before, after = crypto.KeyRing([OLD]), crypto.KeyRing([NEW, OLD])

    stored = before.encrypt("13800138000")

    assert after.decrypt(stored) == "13800138000"
    assert after.encrypt("x").split(":")[0] != stored.split(":")[0]
    assert after.blind_index("13800138000", "phone") == before.blind_index("13800138000", "phone")


def test_a_changed_text_or_a_lost_key_is_an_error_and_not_a_wrong_text():
    ring = crypto.KeyRing([NEW])
    stored = ring.encrypt("13800138000")
    changed = stored[:-6] + ("AAAA" if stored[-6:-2] != "AAAA" else "BBBB") + stored[-2:]

    with pytest.raises(ValueError, match="changed"):
        ring.decrypt(changed)
    with pytest.raises(ValueError, match="FIELD_KEY"):
        crypto.KeyRing([OLD]).decrypt(stored)


def test_a_short_key_is_refused():
    with pytest.raises(ValueError, match="32"):
        crypto.KeyRing(["short"])


def test_the_phone_does_not_stand_in_the_table(everyone):
    customer = Customer(
        company_name="杭州青禾商贸有限公司",
        contact_name="周予安",
        phone="13800138000",
        phone_index="-",
        status="active",
    )
    db.session.add(customer)
    db.session.flush()

    stored = db.session.execute(text("SELECT phone FROM website_customers")).scalar_one()

    assert "138" not in stored.partition(":")[2][:3] and "13800138000" not in stored
    db.session.expire(customer)
    assert customer.phone == "13800138000"


def test_passwords_are_bcrypt_and_a_long_one_counts_to_its_end():
    long = "a" * 100
    hashed = crypto.hash_password(long, 4)

    assert hashed.startswith("$2b$")
    assert crypto.password_matches(long, hashed)
    assert not crypto.password_matches("a" * 99 + "b", hashed)
    assert not crypto.password_matches("anything", None)


def test_codes_have_no_look_alikes_and_do_not_repeat():
    codes = {crypto.random_code() for _ in range(500)}

    assert len(codes) == 500
    assert not set("".join(codes)) & set("0O1I")
