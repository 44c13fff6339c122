"""Rows that belong to another row of the same tenant: one key for both, so that no row hangs on a neighbour's (SPEC §3)."""

from __future__ import annotations

from sqlalchemy import ForeignKeyConstraint


def child_of(parent: str, column: str) -> ForeignKeyConstraint:
    """The key by which ``column`` points to a row of the table ``parent``, together with the tenant whose both are."""
    return ForeignKeyConstraint(["tenant_id", column], [f"{parent}.tenant_id", f"{parent}.id"])
