"""Whose rows: the scope of a unit of work, put to every statement and every write (SPEC §3, Tenancy).

A row that belongs to a tenant or to a customer bears its key; a statement that touches such a table without
a scope is refused, with one it gets the condition added, and a write of somebody else's row is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ForeignKey, String, Table, event
from sqlalchemy.orm import Mapped, ORMExecuteState, Session, declared_attr, mapped_column, with_loader_criteria
from sqlalchemy.sql import visitors

from app.core.db import db


class ScopeError(RuntimeError):
    """The program asked for owned rows without saying whose: a fault of ours, never of a user."""


@dataclass(frozen=True, slots=True)
class Scope:
    tenant_id: str | None = None
    customer_id: str | None = None
    reason: str | None = None  # set for EVERYONE only

    @property
    def is_everyone(self) -> bool:
        return self.reason is not None


def tenant(tenant_id: str) -> Scope:
    """The rows of one tenant of the CRM."""
    return Scope(tenant_id=tenant_id)


def customer(customer_id: str) -> Scope:
    """The rows of one buying company."""
    return Scope(customer_id=customer_id)


def everyone(reason: str) -> Scope:
    """All rows. The reason is for whoever reads the code: staff, settlement, a scheduled sweep."""
    return Scope(reason=reason)


class TenantOwned:
    """A row of the CRM that belongs to one tenant."""

    @declared_attr
    def tenant_id(cls) -> Mapped[str]:
        return mapped_column(String(36), ForeignKey("tenants.id"), index=True)


class CustomerOwned:
    """A row that belongs to one buying company."""

    @declared_attr
    def customer_id(cls) -> Mapped[str]:
        return mapped_column(String(36), ForeignKey("website_customers.id"), index=True)


def enter(scope: Scope, session: Session | None = None) -> None:
    """Set the scope of this unit of work.

    Changing it midway is refused: the identity map would hand out the rows of the scope before.
    """
    session = session or db.session()
    present = session.info.get("scope")
    if present is not None and present != scope and not session_is_fresh(session):
        raise ScopeError(f"the scope is {present} and rows were loaded; it can not become {scope}")
    session.info["scope"] = scope


def leave(session: Session | None = None) -> None:
    """Forget scope and rows, at the end of a unit of work."""
    session = session or db.session()
    session.expunge_all()
    session.info.pop("scope", None)


def session_is_fresh(session: Session) -> bool:
    return not session.identity_map and not session.new


def current(session: Session | None = None) -> Scope | None:
    return (session or db.session()).info.get("scope")


@contextmanager
def scope(wanted: Scope) -> Iterator[Session]:
    """A unit of work of its own under ``wanted``: commits at the end, rolls back on error, then forgets all."""
    leave()
    enter(wanted)
    try:
        yield db.session()
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise
    finally:
        leave()


def _owned_tables() -> dict[Table, str]:
    """Each owned table with the name of its owner column; computed once all models are mapped."""
    owners: dict[Table, str] = {}
    for mapper in db.Model.registry.mappers:
        for mixin, column in ((TenantOwned, "tenant_id"), (CustomerOwned, "customer_id")):
            if issubclass(mapper.class_, mixin):
                owners[mapper.local_table] = column  # type: ignore[index]
    return owners


_owned_cache: dict[int, dict[Table, str]] = {}


def _owned() -> dict[Table, str]:
    count = len(list(db.Model.registry.mappers))
    if count not in _owned_cache:
        _owned_cache.clear()
        _owned_cache[count] = _owned_tables()
    return _owned_cache[count]


_verdicts: dict[Any, tuple[frozenset[Table], bool]] = {}


def _tables_in(statement: Any) -> tuple[frozenset[Table], bool]:
    """The owned tables a statement touches anywhere, and whether one of them is a bare Core table.

    The whole tree is walked: ``exists()``, subqueries and set operations hide entities from a look at the top.
    A bare table is not reached by loader criteria and needs EVERYONE.
    """
    owned = _owned()
    found: set[Table] = set()
    bare = False
    for element in visitors.iterate(statement):
        table = element if isinstance(element, Table) else getattr(element, "table", None)
        if isinstance(table, Table) and table in owned:
            found.add(table)
            annotations = getattr(element, "_annotations", {})
            if isinstance(element, Table) and "parententity" not in annotations and "entity_namespace" not in annotations:
                bare = True
    return frozenset(found), bare


@event.listens_for(Session, "do_orm_execute")
def _guard(state: ORMExecuteState) -> None:
    if state.is_column_load or state.is_relationship_load and state.execution_options.get("_scope_applied"):
        return
    found, bare = _tables_in(state.statement)
    if not found:
        return
    wanted: Scope | None = state.session.info.get("scope")
    if wanted is None:
        raise ScopeError(f"no scope for a statement on {sorted(t.name for t in found)}")
    if wanted.is_everyone:
        return
    owned = _owned()
    columns = {owned[t] for t in found}
    for column, value in (("tenant_id", wanted.tenant_id), ("customer_id", wanted.customer_id)):
        if column in columns and value is None:
            raise ScopeError(f"scope {wanted} does not reach {sorted(t.name for t in found)}")
    if bare:
        raise ScopeError("an owned table stands in the statement without its model; use the model, or EVERYONE")
    options = []
    if wanted.tenant_id is not None:
        tenant_id = wanted.tenant_id
        options.append(
            with_loader_criteria(TenantOwned, lambda cls: cls.tenant_id == tenant_id, include_aliases=True)
        )
    if wanted.customer_id is not None:
        customer_id = wanted.customer_id
        options.append(
            with_loader_criteria(CustomerOwned, lambda cls: cls.customer_id == customer_id, include_aliases=True)
        )
    state.statement = state.statement.options(*options)


@event.listens_for(Session, "before_flush")
def _guard_writes(session: Session, _context: Any, _instances: Any) -> None:
    wanted: Scope | None = session.info.get("scope")
    for row in [*session.new, *session.dirty, *session.deleted]:
        for mixin, column in ((TenantOwned, "tenant_id"), (CustomerOwned, "customer_id")):
            if not isinstance(row, mixin):
                continue
            if wanted is None:
                raise ScopeError(f"no scope for writing {type(row).__name__}")
            if wanted.is_everyone:
                continue
            mine = getattr(wanted, column)
            if mine is None:
                raise ScopeError(f"scope {wanted} may not write {type(row).__name__}")
            if getattr(row, column) is None:
                setattr(row, column, mine)
            elif getattr(row, column) != mine:
                raise ScopeError(f"{type(row).__name__} belongs to another {column}")
