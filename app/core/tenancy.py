"""Whose rows: the scope of a unit of work, put to every statement and every write (SPEC §3, Tenancy).

A row that belongs to a tenant or to a customer bears its key; a statement that touches such a table without
a scope is refused, with one it gets the condition added, and a write of somebody else's row is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ClauseElement,
    ColumnClause,
    Connection,
    Delete,
    ForeignKey,
    FromClause,
    Insert,
    Join,
    Select,
    SelectBase,
    String,
    Subquery,
    Table,
    TextClause,
    Update,
    event,
)
from sqlalchemy.orm import (
    Mapped,
    Mapper,
    ORMExecuteState,
    Session,
    SessionTransaction,
    declared_attr,
    mapped_column,
    with_loader_criteria,
)
from sqlalchemy.sql import visitors
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import AliasedReturnsRows

from app.core.db import db, reading


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
    if (connection := session.info.get("connection")) is not None:  # midway in a transaction
        _tell_database(connection, scope)


def leave(session: Session | None = None) -> None:
    """Forget scope and rows, at the end of a unit of work."""
    session = session or db.session()
    session.expunge_all()
    session.info.pop("scope", None)
    session.info.pop("sight", None)  # whoever looked through the scope's rows is gone with it


SETTING = "app.tenant_id"  # by which PostgreSQL's policies (core/rls) know whose rows a transaction works with


def _tell_database(connection: Connection, scope: Scope | None) -> None:
    """Until the end of the transaction: the tenant's id, "*" for everyone, and nothing for a customer."""
    word = "" if scope is None else "*" if scope.is_everyone else scope.tenant_id or ""
    connection.exec_driver_sql(f"SELECT set_config('{SETTING}', %s, true)", (word,))


@event.listens_for(Session, "after_begin")
def _begin_scoped(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    if connection.dialect.name == "postgresql" and not transaction.nested:
        session.info["connection"] = connection
        if (scope := current(session)) is not None:
            _tell_database(connection, scope)


@event.listens_for(Session, "after_transaction_end")
def _end_scoped(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop("connection", None)


def session_is_fresh(session: Session) -> bool:
    return not session.identity_map and not session.new


def current(session: Session | None = None) -> Scope | None:
    return (session or db.session()).info.get("scope")


@contextmanager
def aside(wanted: Scope) -> Iterator[Session]:
    """A second session, for a look under another scope beside the present unit of work; it writes nothing."""
    with reading(), Session(db.engine) as session:
        session.info["scope"] = wanted
        yield session


@contextmanager
def beside(wanted: Scope) -> Iterator[Session]:
    """A second session, committed at its end, beside the present unit of work: where a long look says how far it is."""
    with Session(db.engine) as session:
        session.info["scope"] = wanted
        yield session
        session.commit()


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


_OWNER_COLUMNS = ((TenantOwned, "tenant_id"), (CustomerOwned, "customer_id"))

_owned_tables: dict[Table, str] = {}
_models: dict[Table, type] = {}


@event.listens_for(Mapper, "after_mapper_constructed")
def _note_owner(mapper: Mapper[Any], owner: type) -> None:
    """Each owned table with the name of its owner column, as soon as its model is there."""
    for mixin, column in _OWNER_COLUMNS:
        if issubclass(owner, mixin) and isinstance(mapper.local_table, Table):
            _owned_tables[mapper.local_table] = column
            _models[mapper.local_table] = owner


@event.listens_for(Session, "do_orm_execute")
def _guard(state: ORMExecuteState) -> None:
    if state.is_column_load:  # the rest of a row that the session was allowed to load
        return
    wanted: Scope | None = state.session.info.get("scope")
    if wanted is not None and wanted.is_everyone:
        return
    found, unreached = _verdict_on(state.statement)
    if wanted is None:
        if found:
            raise ScopeError(f"no scope for a statement on {sorted(t.name for t in found)}")
        return
    _insist_on_reach(wanted, found)
    if unreached and not state.is_relationship_load:  # those are SQLAlchemy's own, and made of the models
        raise ScopeError(f"{unreached} stands in the statement without its model; use the model, or EVERYONE")
    if state.is_insert or state.is_update:
        _insist_on_own_rows(state, wanted)
    selects_nothing = state.is_insert and getattr(state.statement, "select", None) is None
    if found and not selects_nothing:
        state.statement = state.statement.options(*_criteria(wanted))


def models_in(statement: Any) -> list[type]:
    """The tenant-owned models that a statement touches anywhere, by name; a second look at the same shape is free."""
    found = (_models[table] for table in _verdict_on(statement)[0])
    return sorted((model for model in found if issubclass(model, TenantOwned)), key=lambda model: model.__name__)


_verdicts: dict[Any, tuple[frozenset[Table], str]] = {}
_MOST_VERDICTS = 2000


def _verdict_on(statement: Any) -> tuple[frozenset[Table], str]:
    """The owned tables of a statement, and what in it no criterion reaches ("" for nothing).

    Kept under the key by which SQLAlchemy keeps its compiled form, so that a page pays for the walk once.
    """
    key = statement._generate_cache_key()
    if key is not None and key.key in _verdicts:
        return _verdicts[key.key]
    verdict = frozenset(_owned_in(statement)), _unreached_in(statement)
    if key is not None:
        if len(_verdicts) >= _MOST_VERDICTS:
            _verdicts.clear()
        _verdicts[key.key] = verdict
    return verdict


def _owned_in(statement: Any) -> set[Table]:
    """The owned tables a statement touches anywhere.

    The whole tree is walked: ``exists()``, subqueries and set operations hide entities from a look at the top.
    """
    found: set[Table] = set()
    for element in visitors.iterate(statement):
        table = _table_of(element if isinstance(element, FromClause) else getattr(element, "table", None))
        if table is not None:
            found.add(table)
    return found


def _insist_on_reach(wanted: Scope, found: frozenset[Table]) -> None:
    columns = {_owned_tables[table] for table in found}
    for column in columns:
        if getattr(wanted, column) is None:
            raise ScopeError(f"scope {wanted} does not reach {sorted(t.name for t in found)}")


def _criteria(wanted: Scope) -> list[Any]:
    """The condition for every owned model of a statement, wherever it stands, and of what it loads afterwards."""
    options = []
    if wanted.tenant_id is not None:
        tenant_id = wanted.tenant_id
        options.append(with_loader_criteria(TenantOwned, lambda cls: cls.tenant_id == tenant_id, include_aliases=True))
    if wanted.customer_id is not None:
        customer_id = wanted.customer_id
        options.append(
            with_loader_criteria(CustomerOwned, lambda cls: cls.customer_id == customer_id, include_aliases=True)
        )
    return options


def _unreached_in(statement: Any) -> str:
    """Criteria reach models, not bare Core tables and not text: the name of the first such thing."""
    for element in visitors.iterate(statement):
        if isinstance(element, TextClause):
            return "text"
        if (bare := _bare_in(element)) is not None:
            return bare.name
    return ""


def _bare_in(element: Any) -> Table | None:
    """An owned table that stands in this SELECT, INSERT, UPDATE or DELETE itself as a Core table."""
    if isinstance(element, (Insert, Update, Delete)):
        return None if _is_of_model(element.table) else _table_of(element.table)
    if not isinstance(element, Select):
        return None
    sources, columns = _sources_of(element), list(_columns_in(element))
    if element._propagate_attrs.get("compile_state_plugin") != "orm":
        # To SQLAlchemy it is none of the models' (a window function alone is so): no criterion would be added.
        named = [*sources, *(column.table for column in columns)]
        return next((table for part in named if (table := _table_of(part)) is not None), None)
    for source in sources:
        if not _is_of_model(source) and _table_of(source) is not None:
            return _table_of(source)
    # SQLAlchemy itself writes plain columns of a model's table; without the model beside them they are ours.
    modelled = {_table_of(source) for source in sources} | {_table_of(c.table) for c in columns if _is_of_model(c)}
    for column in columns:
        if not _is_of_model(column) and (column.table is not _table_of(column.table) or column.table not in modelled):
            return _table_of(column.table)
    return None


def _columns_in(select: Select[Any]) -> Iterator[Any]:
    """The columns of owned tables in a SELECT itself, not in those inside it."""
    waiting: list[Any] = [
        *select._raw_columns,
        *select._where_criteria,
        *select._order_by_clauses,
        *select._group_by_clauses,
    ]
    waiting += select._having_criteria
    waiting += [on for _, on, *_ in select._setup_joins if isinstance(on, ClauseElement)]
    while waiting:
        element = waiting.pop()
        if isinstance(element, (SelectBase, Subquery)):
            continue
        if isinstance(element, ColumnClause) and _table_of(element.table) is not None:
            yield element
        elif isinstance(element, FunctionElement) or not isinstance(element, FromClause):
            waiting += element.get_children()


def _sources_of(select: Select[Any]) -> list[FromClause]:
    """The tables and subqueries that a SELECT names itself."""
    named = (*select._raw_columns, *select._from_obj, *(target for target, *_ in select._setup_joins))
    return [part for source in named if isinstance(source, FromClause) for part in _parts_of(source)]


def _parts_of(source: FromClause) -> Iterator[FromClause]:
    if isinstance(source, Join):
        yield from _parts_of(source.left)
        yield from _parts_of(source.right)
    else:
        yield source


def _table_of(source: Any) -> Table | None:
    """The owned table that a FROM element is, or is another name of."""
    while isinstance(source, AliasedReturnsRows) and not isinstance(source, Subquery):
        source = source.element
    if not isinstance(source, Table):
        return None
    for table in (source, source._deannotate()) if source._annotations else (source,):
        if table in _owned_tables:
            return table
    return None


def _is_of_model(element: Any) -> bool:
    return "parententity" in element._annotations or "parentmapper" in element._annotations


def _insist_on_own_rows(state: ORMExecuteState, wanted: Scope) -> None:
    """Statements that write rows without the session: an INSERT is stamped, an owner is never changed."""
    statement: Any = state.statement
    table = _table_of(statement.table)
    if table is None:
        return
    column = _owned_tables[table]
    given: Any = state.parameters if isinstance(state.parameters, list) else [state.parameters]
    written: list[dict[str, Any]] = [row for row in given if row]
    if state.is_update:
        if isinstance(state.parameters, list):
            raise ScopeError("an UPDATE by a list of keys is not bound to the scope; use a WHERE, or the session")
        if any(getattr(key, "key", key) == column for key in (statement._values or {})) or any(
            column in row for row in written
        ):
            raise ScopeError(f"{column} is not to be changed")
        return
    if not written:
        raise ScopeError("pass the rows of an INSERT as parameters, so that their owner can be seen to")
    mine = getattr(wanted, column)
    for row in written:
        if row.setdefault(column, mine) != mine:
            raise ScopeError(f"a row for {table.name} belongs to another {column}")


def stamped(model: Any, rows: Iterable[Mapping[str, Any]], shared: Mapping[str, Any]) -> dict[str, Any]:
    """``shared`` with the owner of this unit of work, for rows that are inserted past the session (core/inserts).

    Raises ScopeError without a scope, and for a row of somebody else.
    """
    column, wanted = _owned_tables.get(model.__table__), current()
    if column is None or (wanted is not None and wanted.is_everyone):
        return dict(shared)
    mine = getattr(wanted, column, None)
    if mine is None:
        raise ScopeError(f"scope {wanted} does not reach {model.__tablename__}")
    if shared.get(column, mine) != mine or any(row.get(column, mine) != mine for row in rows):
        raise ScopeError(f"a row for {model.__tablename__} belongs to another {column}")
    return {**shared, column: mine}


@event.listens_for(Session, "before_flush")
def _guard_writes(session: Session, _context: Any, _instances: Any) -> None:
    wanted: Scope | None = session.info.get("scope")
    for row in [*session.new, *session.dirty, *session.deleted]:
        for mixin, column in _OWNER_COLUMNS:
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
