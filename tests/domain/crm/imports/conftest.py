"""Files as people bring them, and an import led through its stages as the pages and the worker lead it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.core import tenancy
from app.core.db import db
from app.crm.imports import run, stages
from app.crm.imports.mapping import Plan
from app.crm.imports.models import ImportJob, ImportRow
from app.crm.records import types
from tests.company import Company, working


def csv_of(rows: list[list[str]], encoding: str = "utf-8") -> io.BytesIO:
    return io.BytesIO("\n".join(",".join(f'"{cell}"' for cell in row) for row in rows).encode(encoding))


class Importing:
    """One company's imports; ``work`` carries the queue's tasks out."""

    def __init__(self, ours: Company, work: Callable[..., list[str]]):
        self.ours, self.work = ours, work

    def upload(self, table: Any, *, thing: str = "lead", by: str = "admin", name: str = "客户.csv") -> str:
        stream = csv_of(table) if isinstance(table, list) else table
        with working(self.ours, by) as actor:
            key = stages.upload(types.get(thing), stream, name, actor).id
        self.work()
        return key

    def check(self, key: str, *, by: str = "admin", **more: Any) -> ImportJob:
        """Fix the proposed mapping, changed by ``more``; ``keys`` is a dict, ``columns`` changes columns by header."""
        with working(self.ours, by) as actor:
            job = stages.find(key, actor, for_update=True)
            plan = Plan.of(job.mapping)
            changed = more.pop("columns", {})
            columns = tuple(replace(one, **changed.get(one.header, {})) for one in plan.columns)
            if "keys" in more:
                more["keys"] = tuple(more["keys"].items())
            stages.map_columns(job, replace(plan, columns=columns, **more), actor)
        self.work()
        return self.job(key)

    def start(self, key: str, *, by: str = "admin") -> None:
        with working(self.ours, by) as actor:
            run.start(stages.find(key, actor, for_update=True), actor)

    def whole(self, table: Any, *, thing: str = "lead", by: str = "admin", **more: Any) -> str:
        """From the upload to the end."""
        key = self.upload(table, thing=thing, by=by)
        self.check(key, by=by, **more)
        self.start(key, by=by)
        self.work()
        return key

    def job(self, key: str) -> ImportJob:
        tenancy.leave()
        with tenancy.scope(tenancy.everyone("a test looks")) as session:
            job = session.get_one(ImportJob, key)
            session.expunge_all()
            return job

    def rows(self, key: str) -> list[ImportRow]:
        tenancy.leave()
        with tenancy.scope(tenancy.everyone("a test looks")) as session:
            rows = list(session.scalars(select(ImportRow).where(ImportRow.job_id == key).order_by(ImportRow.no)))
            session.expunge_all()
            return rows

    def ends(self, key: str) -> list[str]:
        return [row.status for row in self.rows(key)]

    def records(self, model: Any, **by: Any) -> list[Any]:
        """The live records of a model, by name."""
        tenancy.leave()
        with tenancy.scope(tenancy.everyone("a test looks")) as session:
            statement = select(model).where(model.deleted_at.is_(None)).filter_by(**by).order_by(model.name, model.id)
            rows = list(session.scalars(statement))
            session.expunge_all()
            return rows


@pytest.fixture
def importing(app: Flask, ours: Company, work: Callable[..., list[str]]) -> Importing:
    db.session.rollback()
    return Importing(ours, work)
