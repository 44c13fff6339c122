"""The demo data of the sandbox (SPEC §2): a vendor with months of business, and a tenant in the middle of its work."""

from __future__ import annotations

import time

import structlog
from flask import current_app
from sqlalchemy import select

from app.core import crypto, events, tenancy
from app.core.db import db
from app.crm.access import passwords
from app.demo import company, gateways, sales, team
from app.provisioning.models import Tenant
from jobs.subscriptions import SUBSCRIPTIONS

PASSWORD = "yunke-demo"  # noqa: S105 - printed in the README, and only in the sandbox
TENANT_CODE = "TENANT-DEMO-DEMO-DEMO-DEMO"

log = structlog.get_logger(__name__)


def write_demo_data(days: int = company.DAYS) -> None:
    """Write the demo data unless it is there, with ``days`` days of the tenant's own work.

    Needs the catalogue, and the sandbox: its passwords are known to all.

    History is made by the verbs of the product with the clock held in the past; what they owe is done here and now,
    so that no worker sends messages about last spring.
    """
    settings = current_app.extensions["settings"]
    if not settings.sandbox:
        raise RuntimeError("demo data has passwords that everybody knows; it is written with SANDBOX=1 only")
    if _is_there():
        return
    began = time.monotonic()
    events.subscribe({})
    passwords.configure(rounds=4)  # of random first passwords that nobody will use
    try:
        password_hash = crypto.hash_password(PASSWORD, settings.password_rounds)
        team.take_on(password_hash)
        tenant_id = sales.do_business(password_hash)
        company.furnish(tenant_id, password_hash, days)
        gateways.enter_trades(settings.instance_path)
        _give_name(tenant_id)
    finally:
        passwords.configure(rounds=settings.password_rounds)
        events.subscribe(SUBSCRIPTIONS)
    log.info("demo_data_written", seconds=round(time.monotonic() - began, 1))


def _is_there() -> bool:
    with tenancy.scope(tenancy.everyone("look for the demo data")) as session:
        return session.scalar(select(Tenant.id).where(Tenant.code == TENANT_CODE)) is not None


def _give_name(tenant_id: str) -> None:
    """Last of all: the code that everybody knows, by which the demo data is found to be whole."""
    with tenancy.scope(tenancy.everyone("finish the demo data")):
        tenant = db.session.get_one(Tenant, tenant_id)
        tenant.code, tenant.first_password = TENANT_CODE, None
