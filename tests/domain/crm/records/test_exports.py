"""A list as a file: whole, as its reader sees it, harmless in a spreadsheet, on record."""

from __future__ import annotations

import csv
import hashlib
import io

import openpyxl
import pytest
from sqlalchemy import insert, select

from app.core import clock, storage, tenancy
from app.core.audit import AuditEvent
from app.core.db import db, uuid7
from app.core.errors import Forbidden, NotFound
from app.crm.access import policy
from app.crm.access.models import Role
from app.crm.leads.lead import LEAD, NEVER
from app.crm.leads.models import Lead
from app.crm.records import exports, lists
from app.crm.records.exports import ExportJob
from app.crm.records.lists import Query
from tests.company import working

pytestmark = pytest.mark.database

COLUMNS = ["name", "company", "phone", "owner_id", "amount", "tags"]


def ordered(company, who="admin", *, format="csv", tree=None, columns=COLUMNS):
    with working(company, who) as actor:
        return exports.order(LEAD, Query(tree, "", "-updated_at"), columns, format, "全部线索", actor).id


def read(company, key, who="admin"):
    with working(company, who) as actor:
        export, stream = exports.download(key, actor)
        with stream:
            return export, stream.read()


def rows_of(data):
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))


def test_the_file_holds_what_the_reader_sees_and_says_so_in_the_audit(ours, record, work):
    record(
        ours,
        "lead",
        owner="sales1",
        name="李牧之",
        company="远帆",
        phone="13800138000",
        amount="28600",
        tags="API、电商",
    )
    record(ours, "lead", owner="sales3", name="别人的")
    key = ordered(ours, "manager")

    assert work().count("done") >= 1

    export, data = read(ours, key, "manager")
    assert data.startswith(b"\xef\xbb\xbf")
    assert rows_of(data) == [
        ["姓名", "公司", "手机", "负责人", "预计金额", "兴趣"],
        ["李牧之", "远帆", "138****8000", "林知远", "28600.00", "API、电商"],
    ]
    assert export.rows == 1 and export.sha256 == hashlib.sha256(data).hexdigest() and export.size == len(data)
    with tenancy.scope(tenancy.tenant(ours.id)):
        said = db.session.scalars(select(AuditEvent).where(AuditEvent.action == "export")).one()
    assert said.changes["rows"] == [None, 1] and said.changes["sha256"] == [None, export.sha256]


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "＝1+1", " =1+1"])
def test_a_formula_stays_text_in_both_formats(ours, record, work, cell):
    record(ours, "lead", name="甲", remark=cell)
    keys = [ordered(ours, format=format, columns=["remark"]) for format in ("csv", "xlsx")]
    work()

    text = rows_of(read(ours, keys[0])[1])[1][0]
    sheet = openpyxl.load_workbook(io.BytesIO(read(ours, keys[1])[1])).active

    assert text.startswith("'") and sheet["A2"].data_type == "s" and sheet["A2"].value == text


def test_numbers_are_numbers_in_a_workbook_and_a_sign_is_no_formula(ours, record, work):
    record(ours, "lead", name="甲", amount="1280.50", remark="-5")
    key = ordered(ours, format="xlsx", columns=["amount", "remark"])
    work()

    sheet = openpyxl.load_workbook(io.BytesIO(read(ours, key)[1])).active

    assert sheet["A2"].value == 1280.5 and sheet["B2"].value == "-5"


def test_hidden_columns_are_absent_and_masked_ones_masked(ours, record, work):
    record(ours, "lead", owner="sales1", name="李牧之", email="lmz@qq.com", wechat="muzhi88")
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        role = session.scalars(select(Role).where(Role.key == "manager")).one()
        role.fields = {"lead": {"email": "hidden", "wechat": "masked"}}
        policy.changed(ours.id)
    key = ordered(ours, "manager", columns=["name", "email", "wechat"])
    work()

    assert rows_of(read(ours, key, "manager")[1]) == [["姓名", "微信"], ["李牧之", "m***"]]


def test_who_may_not_export_gets_no_file_not_even_later(ours, record, work):
    record(ours, "lead", owner="sales1")
    with working(ours, "sales1") as actor, pytest.raises(Forbidden):
        exports.order(LEAD, Query(), COLUMNS, "csv", "", actor)
    key = ordered(ours, "manager")
    work()

    with working(ours, "admin") as actor, pytest.raises(NotFound):
        exports.download(key, actor)
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        session.scalars(select(Role).where(Role.key == "manager")).one().rights = {"lead": {"read": "all"}}
        policy.changed(ours.id)
    with working(ours, "manager") as actor, pytest.raises(Forbidden):
        exports.download(key, actor)


def test_a_neighbour_knows_of_no_file(ours, theirs, record, work):
    record(ours, "lead")
    key = ordered(ours)
    work()

    with working(theirs) as actor, pytest.raises(NotFound):
        exports.download(key, actor)


def test_a_file_is_gone_after_a_week(ours, record, work):
    record(ours, "lead")
    key = ordered(ours)
    work()
    export, _ = read(ours, key)

    with clock.held(clock.now() + exports.LASTS):
        assert exports.forget_expired() == 1
        with working(ours) as actor, pytest.raises(NotFound):
            exports.download(key, actor)

    assert not storage.exists(export.key)


def test_a_cancelled_export_writes_nothing_more(ours, record, work, stored):
    record(ours, "lead")
    key = ordered(ours)
    with working(ours):
        exports.cancel(key)

    exports.carry_out(key, ours.id)

    assert stored(ExportJob, key).state == "cancelled" and not storage.exists(stored(ExportJob, key).key)


def test_12345_rows_are_12345_rows(ours, work, stored):
    now = clock.now()
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        session.execute(
            insert(Lead),
            [
                {"id": uuid7(), "tenant_id": ours.id, "name": f"线索{n}", "extra": {}, "tags": [], "next_key": NEVER, "created_at": now,
                 "updated_at": now, "version": 1, "owner_id": ours.people["sales1"]}
                for n in range(12_345)
            ],
        )  # fmt: skip
    key = ordered(ours, "manager", columns=["name", "owner_id"])
    work()

    export, data = read(ours, key, "manager")

    names = {row[0] for row in rows_of(data)[1:]}
    assert export.rows == 12_345 and len(rows_of(data)) == 12_346 and len(names) == 12_345
    with working(ours, "manager") as actor:
        assert lists.count(LEAD, Query(), actor, up_to=20_000) == export.rows
