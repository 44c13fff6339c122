"""The buying company, its people, the codes that prove a phone, the terms they accepted (seed P §7.1)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core.crypto import EncryptedText
from app.core.db import Changing, Identified, db
from app.core.identity import Identity
from app.core.tenancy import CustomerOwned


class Customer(db.Model, Changing):  # type: ignore[name-defined]
    """A company that buys from us; its people log in, see Person."""

    __tablename__ = "website_customers"

    company_name: Mapped[str] = mapped_column(String(200), index=True)
    contact_name: Mapped[str] = mapped_column(String(100))
    phone: Mapped[str] = mapped_column(EncryptedText)
    phone_index: Mapped[str] = mapped_column(String(40), index=True)
    email: Mapped[str | None] = mapped_column(String(100))
    password: Mapped[str | None] = mapped_column(String(255))
    source: Mapped[str] = mapped_column(String(50), default="website")
    status: Mapped[str] = mapped_column(String(20), default="active", index=True)

    people: Mapped[list[Person]] = relationship(back_populates="customer")


class Person(db.Model, Changing, CustomerOwned, Identity):  # type: ignore[name-defined]
    """Somebody who logs in for a company: owner, finance or technician (SPEC §3, Customers)."""

    __tablename__ = "customer_people"
    kind = "person"

    name: Mapped[str] = mapped_column(String(100))
    phone: Mapped[str] = mapped_column(EncryptedText)
    phone_index: Mapped[str] = mapped_column(String(40), unique=True)
    email: Mapped[str | None] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(20), default="owner")
    password: Mapped[str | None] = mapped_column(String(255))
    status: Mapped[str] = mapped_column(String(20), default="active")
    session_epoch: Mapped[int] = mapped_column(Integer, default=0)
    last_login_at: Mapped[datetime | None]

    customer: Mapped[Customer] = relationship(back_populates="people", lazy="joined")


class SmsCode(db.Model, Identified):  # type: ignore[name-defined]
    """A code that was sent to a phone: 6 digits, 5 minutes, once, 5 tries (SPEC §3). Encrypted, and wiped once used."""

    __tablename__ = "sms_codes"
    __table_args__ = (
        Index("ix_sms_codes_phone", "phone_index", "purpose", "created_at"),
        Index("ix_sms_codes_address", "address", "created_at"),
    )

    phone_index: Mapped[str] = mapped_column(String(40))
    phone: Mapped[str | None] = mapped_column(EncryptedText)  # to send it to; wiped with the code
    purpose: Mapped[str] = mapped_column(String(20))
    code: Mapped[str | None] = mapped_column(EncryptedText)
    address: Mapped[str] = mapped_column(String(45), default="")
    expires_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(Integer, default=0)
    used_at: Mapped[datetime | None]
    used_index: Mapped[str | None] = mapped_column(String(40))  # keyed hash of the wiped code: a form sent twice


class Quota(db.Model):  # type: ignore[name-defined]
    """How often something was done in a window; counted in one statement, so that parallel requests can not slip by."""

    __tablename__ = "quotas"

    key: Mapped[str] = mapped_column(String(120), primary_key=True)
    count: Mapped[int] = mapped_column(Integer, default=0)
    window_ends_at: Mapped[datetime] = mapped_column(index=True)


class Acceptance(db.Model, Identified, CustomerOwned):  # type: ignore[name-defined]
    """Which version of which document was accepted, when and from where."""

    __tablename__ = "accepted_terms"
    __table_args__ = (UniqueConstraint("customer_id", "document", "version"),)

    document: Mapped[str] = mapped_column(String(30))
    version: Mapped[str] = mapped_column(String(20))
    address: Mapped[str] = mapped_column(String(45), default="")


class LoginToken(db.Model, Identified):  # type: ignore[name-defined]
    """A one-time ticket from one area into another: single use, 60 seconds, bound to its subject (PITFALLS no. 19)."""

    __tablename__ = "login_tokens"

    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[str] = mapped_column(String(20))
    subject_id: Mapped[str] = mapped_column(String(36))
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
