"""The demo tenant: a company of twenty people with a year of history, the same on every machine."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from app.core import clock, tenancy
from app.crm.access import tenants
from app.crm.leads.assignment import load
from app.demo.company import house, lately, past, people
from app.demo.names import Namer

DAYS = 365  # since when the tenant works
LATELY = 90  # leads of the last days
BUSY = 21  # the last days are written by the product's own verbs, one by one


def furnish(tenant_id: str, password_hash: str, days: int = DAYS) -> None:
    """Fill the room of ``tenant_id``, whose ``admin`` came with the purchase, with ``days`` days of history."""
    now = clock.now()
    tenant = tenants.by_id(tenant_id)
    assert tenant is not None
    with clock.held(now - timedelta(days=days)), tenancy.scope(tenancy.tenant(tenant_id)):
        people.move_in(tenant, password_hash)
        house.put_up_rules(tenant_id)
    names = Namer(seed=7)
    for month in range(days - BUSY, 0, -31):
        with tenancy.scope(tenancy.tenant(tenant_id)):
            past.live_through(tenant_id, now - timedelta(days=month + BUSY), min(month, 31), now, names)
    with tenancy.scope(tenancy.tenant(tenant_id)):
        lately.live_through(tenant_id, now, BUSY, max(12, LATELY * days // DAYS), names, Random(21))  # noqa: S311 - the same demo everywhere
    with tenancy.scope(tenancy.tenant(tenant_id)):
        load.recount(people.system(tenant_id))
