"""Whose rows within a tenant: a user's policy, put to every SELECT, UPDATE and DELETE that touches the CRM's tables.

The scope of the unit of work keeps tenants apart (core/tenancy); the sight keeps colleagues apart, by the same means: no
query can forget it. Each table of the CRM says here who sees its rows; one that says nothing is refused. A verb
that must know more than its caller may see (is this phone taken? whose turn is it?) says so at the statement:
``execution_options(whole_tenant=True)``, and gives nothing of it away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, event, false, true
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria

from app.core import tenancy
from app.core.archive import AuditArchive
from app.core.db import db
from app.core.seals import AuditSeal
from app.crm.access.models import CrmUser, Department, Role, UserRole
from app.crm.access.policy import Policy

Criterion = Callable[[Policy], ColumnElement[bool]]

_criteria: dict[type, Criterion] = {}


class Unseen(RuntimeError):
    """A table of the CRM that nobody said who may see: a fault of ours."""


def shows(model: type, criterion: Criterion) -> None:
    """Say which rows of ``model`` a user sees. Once for each model, in the room that owns it."""
    _criteria[model] = criterion


def everybody(_policy: Policy) -> ColumnElement[bool]:
    """For what belongs to the whole company: departments, tags, pipelines."""
    return true()


def managers(policy: Policy) -> ColumnElement[bool]:
    """For what only those see who manage the tenant."""
    return true() if policy.manages else false()


def criterion_of(model: type) -> Criterion | None:
    return _criteria.get(model)


def enter(policy: Policy, session: Session | None = None) -> None:
    """From here on this unit of work sees what the user of ``policy`` may see. Ends with the tenant's scope."""
    (session or db.session()).info["sight"] = policy


def present(session: Session | None = None) -> Policy | None:
    """Whose eyes the unit of work looks through, or None in a job of the product itself."""
    return (session or db.session()).info.get("sight")


@contextmanager
def of(policy: Policy) -> Iterator[None]:
    """The same for a part of a job: a report, a reminder, an export look through their reader's eyes."""
    session = db.session()
    before = session.info.get("sight")
    session.flush()
    session.expire_all()
    session.info["sight"] = policy
    try:
        yield
    finally:
        session.info["sight"] = before


@event.listens_for(Session, "do_orm_execute")
def _narrow(state: ORMExecuteState) -> None:
    policy: Policy | None = state.session.info.get("sight")
    if policy is None or policy.is_system or state.is_column_load or state.is_insert:
        return
    if state.execution_options.get("whole_tenant"):
        return
    options = []
    for model in tenancy.models_in(state.statement):
        criterion = _criteria.get(model)
        if criterion is None:
            raise Unseen(f"{model.__name__} has no rule who may see it; see app/crm/access/sight.py")
        condition = criterion(policy)
        if condition is not None and not _is_everything(condition):
            options.append(with_loader_criteria(model, condition, include_aliases=True))
    if options:
        state.statement = state.statement.options(*options)


def _is_everything(condition: Any) -> bool:
    return bool(condition.compare(true()))


for _model in (CrmUser, Department, Role, UserRole, AuditSeal, AuditArchive):
    shows(_model, everybody)
