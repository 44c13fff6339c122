"""The vendor's own site: what a visitor leaves there is a lead of the vendor's own tenant (SPEC §1)."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError

from app.core import clock, tenancy
from app.core.errors import NotFound
from app.crm.access import actor as actors
from app.crm.access import tenants
from app.crm.capture import doors, forms
from app.crm.capture.doors import Found
from app.crm.capture.models import LeadForm

WORD = "site"  # the address of the vendor's form: /f/site
_code = ""
_FRESH = timedelta(minutes=1)
_seen: tuple[str, datetime, bool] | None = None  # the code asked for, when, and whether its tenant was there


def use_tenant(code: str) -> None:
    """Set by the assembly: the code of the vendor's tenant (VENDOR_TENANT); "" for none."""
    global _code, _seen
    _code, _seen = code, None


def is_open() -> bool:
    """Whether there is a tenant to which a visitor could write, as it was at most a minute ago: the page asks each time."""
    global _seen
    now = clock.now()
    if _seen is None or _seen[0] != _code or not timedelta(0) <= now - _seen[1] < _FRESH:
        _seen = (_code, now, bool(_code) and tenants.by_code(_code) is not None)
    return _seen[2]


def find() -> Found:
    """The vendor's form; made now if nobody did. Raises NotFound where there is no vendor's tenant.

    The form belongs to the tenant: its people may change it like any other, but for its address.
    """
    tenant = tenants.by_code(_code)
    if tenant is None:
        raise NotFound
    with suppress(NotFound):
        return doors.find(_key(tenant.id), "form")
    with suppress(IntegrityError):  # two first visitors at once: one of them made it
        _make(tenant.id)
    return doors.find(_key(tenant.id), "form")


def _make(tenant_id: str) -> None:
    with tenancy.scope(tenancy.tenant(tenant_id)) as session:
        form = _made(tenant_id)
        session.add(form)
        session.flush()
        doors.open_(form.token, "form", tenant_id, form.id)
        doors.open_(_key(tenant_id), "form", tenant_id, form.id)
        actors.system(tenant_id, "官网").audited("form_created", "lead_form", form.id, label=form.name)


def _key(tenant_id: str) -> str:
    return f"{WORD}:{tenant_id}"


def _made(tenant_id: str) -> LeadForm:
    form = forms.starting()
    form.tenant_id, form.token, form.name = tenant_id, doors.token(), "官网：留下联系方式"
    form.intro = "留下电话，顾问会在一个工作日内联系你，讲清楚适合哪个版本、怎么上手。"
    form.consent_link = ""
    form.fields = [*form.fields, {"key": "remark", "label": "想了解什么", "required": False, "help": "", "options": []}]
    form.source = "website"
    return form
