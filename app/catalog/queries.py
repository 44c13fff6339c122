"""Reading the catalogue; the price page and the checkout ask it on every visit, so a process keeps it for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, cast

from sqlalchemy import Select, event, inspect, select
from sqlalchemy.orm import Session

from app.catalog.models import Duration, Package
from app.core.db import db
from app.core.errors import NotFound

_LIFE = 5.0  # seconds; an edit in another process is seen after that

T = TypeVar("T", Package, Duration)


@dataclass(slots=True)
class _Kept:
    rows: dict[str, tuple[float, list[object]]] = field(default_factory=dict)


_kept = _Kept()


def packages(product_type: str) -> list[Package]:
    """The packages on sale of ``saas`` or ``private``, in the order of the price page. Read-only copies."""
    return _remembered(
        f"packages:{product_type}",
        lambda: list(db.session.scalars(_on_sale().where(Package.product_type == product_type))),
    )


def package(product_type: str, code: str) -> Package:
    """The package on sale that is called ``code``; raises NotFound."""
    for found in packages(product_type):
        if found.code == code:
            return found
    raise NotFound("没有这个套餐，或者它已经下架。请重新选择。", field="package")


def durations() -> list[Duration]:
    """For how many months a subscription may be bought, shortest first. Read-only copies."""
    return _remembered("durations", lambda: list(db.session.scalars(select(Duration).order_by(Duration.months))))


def forget() -> None:
    """Read the catalogue from the database next time."""
    _kept.rows.clear()


def _on_sale() -> Select[tuple[Package]]:
    return select(Package).where(Package.active.is_(True)).order_by(Package.position)


def _remembered(key: str, read: Callable[[], list[T]]) -> list[T]:
    """What ``read`` gave a moment ago, or now; an empty catalogue is not remembered."""
    read_at, rows = _kept.rows.get(key, (0.0, []))
    if rows and time.monotonic() - read_at < _LIFE:
        return cast("list[T]", list(rows))
    fresh = [_copy(row) for row in read()]
    if fresh:
        _kept.rows[key] = (time.monotonic(), list(fresh))
    return fresh


def _copy(row: T) -> T:
    """The row's values outside any session, so that several requests may hold them."""
    columns = inspect(type(row)).column_attrs.keys()
    return cast("T", type(row)(**{name: getattr(row, name) for name in columns}))


@event.listens_for(Session, "after_flush")
def _note_edit(session: Session, _context: object) -> None:
    if any(isinstance(row, Package | Duration) for row in (*session.new, *session.dirty, *session.deleted)):
        session.info["catalogue_edited"] = True


@event.listens_for(Session, "after_commit")
def _forget_edited(session: Session) -> None:
    if session.info.pop("catalogue_edited", False):
        forget()
