"""A worker that is killed in the middle, and two people with the same file: no record twice, none lost (CRM §5)."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.core import clock, tenancy
from app.core.audit import AuditEvent
from app.core.db import db, reading
from app.core.search import SearchEntry
from app.crm.imports import run, stages
from app.crm.imports.models import ImportRow
from app.crm.leads.models import Lead
from tests.company import Company, working
from tests.domain.crm.imports.conftest import Importing

pytestmark = pytest.mark.database

ROWS = 1500
_WORKER = """
import sys
from app import create_app
from app.config import load
from app.core import events
from app.crm.imports import run
app = create_app(load(_env_file=None))
events.on_commit(None)
with app.app_context():
    print("ready", flush=True)
    run.carry_on(sys.argv[1], sys.argv[2])
"""


def table(number: int) -> list[list[str]]:
    """Every tenth line is broken, every fifteenth a twin of the one before."""
    rows = [["姓名", "手机", "公司"]]
    for place in range(number):
        phone = "1380013" if place % 10 == 9 else f"138{place - (place % 15 == 14):08}"
        rows.append([f"客户{place}", phone, f"公司{place}"])
    return rows


def worker_of(app: Flask, key: str, tenant_id: str) -> subprocess.Popen[str]:
    settings = app.extensions["settings"]
    environment = {**os.environ, **{name.upper(): str(value) for name, value in settings.model_dump().items() if value}}
    environment |= {"DATABASE_URL": str(db.engine.url.render_as_string(hide_password=False)), "SANDBOX": "1"}
    environment.pop("TEST_DATABASE_URL", None)
    root = Path(__file__).resolve().parents[4]
    return subprocess.Popen(
        [sys.executable, "-c", _WORKER, key, tenant_id], cwd=root, env=environment, stdout=subprocess.PIPE, text=True
    )  # fmt: skip


def number_of_rows(key: str) -> int:
    tenancy.leave()
    with reading(), tenancy.scope(tenancy.everyone("a test looks")) as session:
        return session.scalar(select(func.count()).select_from(ImportRow).where(ImportRow.job_id == key)) or 0


def test_a_killed_worker_leaves_nothing_half_done_and_the_next_one_goes_on(
    app: Flask, importing: Importing, ours: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = importing.upload(table(ROWS))
    checked = importing.check(key, keys={"phone": "skip"})
    importing.start(key)
    db.session.rollback()
    chance = random.Random()
    stop_at = chance.randint(1, ROWS - 1)

    worker = worker_of(app, key, ours.id)
    assert worker.stdout is not None and worker.stdout.readline() == "ready\n"
    until = time.monotonic() + 60
    while number_of_rows(key) < stop_at and worker.poll() is None and time.monotonic() < until:
        pass  # the database itself is the clock
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    worker.stdout.close()

    written = number_of_rows(key)
    with clock.held(clock.now() + timedelta(minutes=2)):  # by then its lease is over
        assert run.wake_silent() == (1 if importing.job(key).status == "running" else 0)
        importing.work()

    assert importing.job(key).status == "partly_failed", written
    assert Counter(importing.ends(key)) == checked.preview["counts"]
    created = checked.preview["counts"]["created"]
    assert len(importing.records(Lead)) == created
    with working(ours):
        for model, where in ((SearchEntry, SearchEntry.object == "lead"), (ImportRow, ImportRow.status == "created"),
                             (AuditEvent, (AuditEvent.action == "create") & (AuditEvent.entity == "lead"))):  # fmt: skip
            assert db.session.scalar(select(func.count()).select_from(model).where(where)) == created, model


def test_two_people_bring_the_same_file_at_once(
    app: Flask, importing: Importing, ours: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "BATCH", 20)
    rows = [
        ["姓名", "邮箱"],
        *([f"客户{n}", f"u{n}@example.com"] for n in range(100)),
    ]  # no index of the database holds these
    keys = []
    for username in ("admin", "marketing"):
        key = importing.upload(rows, by=username)
        importing.check(key, by=username, keys={"email": "skip"})
        importing.start(key, by=username)
        keys.append(key)
    db.session.remove()
    gate, faults = threading.Barrier(2), []

    def carry(key: str) -> None:
        with app.app_context():
            gate.wait()
            try:
                run.carry_on(key, ours.id)
            except Exception as fault:  # noqa: BLE001 - shown below
                faults.append(fault)
            db.session.remove()

    threads = [threading.Thread(target=carry, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    assert len(importing.records(Lead)) == 100
    ends = Counter(importing.ends(keys[0])) + Counter(importing.ends(keys[1]))
    assert ends == {"created": 100, "skipped": 100}
    assert {importing.job(key).status for key in keys} == {"done"}


def test_two_workers_with_one_import_do_not_both_write(app: Flask, importing: Importing, ours: Company) -> None:
    key = importing.upload(table(40))
    importing.check(key)
    importing.start(key)
    db.session.rollback()

    assert run._claim(key, ours.id, "01a20000-0000-7000-8000-000000000001") == 0
    assert run.carry_on(key, ours.id) is True and number_of_rows(key) == 0  # the other one is alive
    with clock.held(clock.now() + timedelta(minutes=1)):
        run.carry_on(key, ours.id)
    assert number_of_rows(key) == 40


def test_a_phone_that_is_taken_fails_alone(importing: Importing) -> None:
    """One open lead a phone: the database's own index refuses, and the other rows of the batch go on."""
    importing.whole([["姓名", "手机"], ["甲", "13800138000"]])
    table = [["姓名", "手机"], ["乙", "13900139000"], ["丙", "13800138000"], ["丁", "13700137000"]]
    key = importing.whole(table, keys={"phone": "create"})

    assert importing.ends(key) == ["created", "failed", "created"]
    assert importing.rows(key)[1].errors == [["phone", "这个手机号已经有一条线索了"]]
    assert len(importing.records(Lead)) == 3


def test_of_a_whole_batch_only_the_lines_at_fault_fail(importing: Importing) -> None:
    taken = {3, 4, 11, 19}
    importing.whole([["姓名", "手机"], *([f"先到{n}", f"138001380{n:02}"] for n in sorted(taken))])
    table = [["姓名", "手机"], *([f"后到{n}", f"138001380{n:02}"] for n in range(20))]
    key = importing.whole(table, keys={"phone": "create"})

    assert importing.ends(key) == ["failed" if n in taken else "created" for n in range(20)]
    assert len(importing.records(Lead)) == 20
