"""The largest file that is taken: 200,000 rows in flat memory, and back again in two minutes but for what somebody touched
since (CRM §5, PITFALLS 49).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from app.core.db import db
from app.crm.imports import stages, undo
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.records import keep, reach
from tests.company import Company, working
from tests.domain.crm.imports.conftest import Importing

pytestmark = [pytest.mark.database, pytest.mark.slow]

ROWS = 200_000
_MOST_MEGABYTES = 512
_UNDONE_WITHIN = 120  # seconds
_WORKER = """
import json, resource, sys, time
from app import create_app
from app.config import load
from app.core import events
from app.crm.imports import run, undo
app = create_app(load(_env_file=None))
events.on_commit(None)
verb, key, tenant_id, user_id = sys.argv[1:]
began, spent = time.monotonic(), time.process_time()
with app.app_context():
    if verb == "run":
        while not run.carry_on(key, tenant_id): pass
    else:
        while not undo.take_back(key, tenant_id, user_id): pass
print(json.dumps([time.monotonic() - began, time.process_time() - spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def in_a_process_of_its_own(app: Flask, verb: str, *given: str) -> tuple[float, float, float]:
    """(seconds, seconds of the processor, megabytes at most) of a worker that does nothing else."""
    settings = app.extensions["settings"]
    environment = {**os.environ, **{name.upper(): str(value) for name, value in settings.model_dump().items() if value}}
    environment |= {"DATABASE_URL": db.engine.url.render_as_string(hide_password=False), "SANDBOX": "1"}
    root = Path(__file__).resolve().parents[4]
    done = subprocess.run(
        [sys.executable, "-c", _WORKER, verb, *given], cwd=root, env=environment, capture_output=True, text=True, check=True
    )  # fmt: skip
    seconds, worked, megabytes = json.loads(done.stdout.splitlines()[-1])
    return seconds, worked, megabytes


def edit(ours: Company, email: str, **values: str) -> None:
    with working(ours) as actor:
        key = db.session.scalars(select(Lead.id).where(Lead.email == email)).one()
        keep.change(LEAD, reach.find(LEAD, key, actor.policy, "edit", for_update=True), values, actor)


def test_two_hundred_thousand_rows(app: Flask, importing: Importing, ours: Company, tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("姓名,公司,手机,邮箱,地区,来源,预计金额\n")
        for n in range(ROWS):
            file.write(f"客户{n},北京优远{n}科技有限公司,{13000000000 + n * 7},u{n}@example.com,北京,微信,{n}.50\n")
    with path.open("rb") as stream:
        key = importing.upload(stream)
    with working(ours) as actor:
        stages.STATES.move(stages.find(key, actor, for_update=True), "map")
        stages.STATES.move(stages.find(key, actor, for_update=True), "check")
    importing.start(key)
    db.session.remove()

    took, worked, megabytes = in_a_process_of_its_own(app, "run", key, ours.id, ours.people["admin"])
    print(f"\n{ROWS / took:,.0f} rows/s, {ROWS / worked:,.0f} rows a processor's second, {megabytes:.0f} MB")
    assert importing.job(key).status == "done" and importing.job(key).done == ROWS
    assert megabytes < _MOST_MEGABYTES

    touched = [0, ROWS // 2, ROWS - 1]
    for n in touched:
        edit(ours, f"u{n}@example.com", company="手改的公司")
    with working(ours) as actor:
        undo.ask(stages.find(key, actor, for_update=True), actor)
    db.session.remove()
    took, worked, megabytes = in_a_process_of_its_own(app, "undo", key, ours.id, ours.people["admin"])
    print(f"undone {ROWS / took:,.0f} rows/s, {ROWS / worked:,.0f} rows a processor's second, {megabytes:.0f} MB")
    assert importing.job(key).status == "undone"
    assert sorted(lead.email for lead in importing.records(Lead)) == sorted(f"u{n}@example.com" for n in touched)
    with working(ours):
        assert undo.tally(key) == {"restored": ROWS - len(touched), "kept": len(touched), "gone": 0}
    assert megabytes < _MOST_MEGABYTES and took < _UNDONE_WITHIN
