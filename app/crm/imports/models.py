"""An import, its rows, and the mapping that a table's head row had last time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, Integer, String, UniqueConstraint, select, true
from sqlalchemy.orm import Mapped, mapped_column

from app.core.crypto import EncryptedJSON
from app.core.db import Changing, db
from app.core.states import Move, StateMachine
from app.core.tenancy import TenantOwned
from app.crm.access import sight
from app.crm.access.policy import Policy

STATES = StateMachine(
    "次导入",
    {
        "parse": Move(("uploaded",), "parsed"),
        "reread": Move(("parsed", "mapped", "checked"), "uploaded", "import.uploaded"),
        "map": Move(("parsed", "checked"), "mapped", "import.mapped"),
        "check": Move(("mapped",), "checked"),
        "remap": Move(("mapped", "checked"), "parsed"),
        "start": Move(("checked",), "running", "import.started"),
        "pause": Move(("running",), "paused"),
        "resume": Move(("paused",), "running", "import.started"),
        "finish": Move(("running",), "done", "import.finished"),
        "finish_partly": Move(("running",), "partly_failed", "import.finished"),
        "cancel": Move(("uploaded", "parsed", "mapped", "checked", "running", "paused"), "cancelled"),
        "undo": Move(("done", "partly_failed", "cancelled"), "undoing", "import.undo_wanted"),
        "end_undo": Move(("undoing",), "undone", "import.undone"),
    },
)
STATE_NAMES = {
    "uploaded": "正在读取", "parsed": "待对应", "mapped": "正在检查", "checked": "待开始", "running": "正在导入", "paused": "已暂停",
    "done": "已完成", "partly_failed": "部分失败", "cancelled": "已取消", "undoing": "正在撤销", "undone": "已撤销",
}  # fmt: skip
AT_WORK = ("uploaded", "mapped", "running", "undoing")  # a job of the queue is to carry these on
ROW_STATUS = {
    "created": "新建", "updated": "更新", "restored": "恢复", "skipped": "跳过", "review": "待确认", "failed": "失败",
}  # fmt: skip
WRITTEN = ("created", "updated", "restored")


class ImportJob(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """One file that somebody brings in. ``done_no`` is the last line that is dealt with, in whatever is at work now.

    ``reading`` says how the file is read (sheet, encoding, delimiter, head row), ``mapping`` what becomes of its columns and
    of rows that are known already, ``sample`` shows its first rows, ``preview`` what the check found.
    """

    __tablename__ = "crm_import_jobs"
    __table_args__ = (
        UniqueConstraint("tenant_id", "id"),
        ForeignKeyConstraint(["tenant_id", "created_by_id"], ["crm_users.tenant_id", "crm_users.id"]),
        Index("ix_crm_import_jobs_object", "tenant_id", "object", "id"),
        Index("ix_crm_import_jobs_creator", "tenant_id", "created_by_id", "id"),
        Index("ix_crm_import_jobs_status", "status", "heartbeat_at"),
    )

    object: Mapped[str] = mapped_column(String(40))
    created_by_id: Mapped[str] = mapped_column(String(36))
    file_name: Mapped[str] = mapped_column(String(200))
    file_size: Mapped[int] = mapped_column(Integer)  # bytes
    status: Mapped[str] = mapped_column(String(20), default="uploaded")
    problem: Mapped[str] = mapped_column(String(300), default="")  # why it could not go on
    reading: Mapped[dict[str, Any]] = mapped_column(default=dict)
    mapping: Mapped[dict[str, Any]] = mapped_column(default=dict)
    sample: Mapped[dict[str, Any]] = mapped_column(EncryptedJSON, default=dict)
    preview: Mapped[dict[str, Any]] = mapped_column(EncryptedJSON, default=dict)
    total: Mapped[int] = mapped_column(Integer, default=0)  # rows with anything in them, without the head
    done: Mapped[int] = mapped_column(Integer, default=0)
    done_no: Mapped[int] = mapped_column(Integer, default=0)
    run_id: Mapped[str | None] = mapped_column(String(36))  # the worker that has it in hand
    heartbeat_at: Mapped[datetime | None]
    operation_id: Mapped[str | None] = mapped_column(String(36))
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    @property
    def files(self) -> str:
        """Where its files lie: this key and a name behind it."""
        return f"{self.tenant_id}/imports/{self.id}"


class ImportRow(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """What became of one line of a file, written in the transaction that wrote the record.

    ``before`` and ``after`` hold the columns an update changed; of a created record the record itself tells. ``key_hash``
    names it to a twin further down: blind indexes of its keys, with a blank between. ``undone``: restored, kept, gone.
    """

    __tablename__ = "crm_import_rows"
    __table_args__ = (
        UniqueConstraint("job_id", "no"),
        ForeignKeyConstraint(["tenant_id", "job_id"], ["crm_import_jobs.tenant_id", "crm_import_jobs.id"]),
        Index("ix_crm_import_rows_status", "tenant_id", "job_id", "status", "no"),
        Index("ix_crm_import_rows_record", "tenant_id", "record_id"),
    )

    job_id: Mapped[str] = mapped_column(String(36))
    no: Mapped[int] = mapped_column(Integer)  # the line of the file, as a spreadsheet counts
    status: Mapped[str] = mapped_column(String(10))
    action: Mapped[str] = mapped_column(String(10))  # create update restore skip review
    entity: Mapped[str] = mapped_column(String(40), default="")
    record_id: Mapped[str | None] = mapped_column(String(36))  # the record made or changed, or the one it is like
    label: Mapped[str] = mapped_column(String(200), default="")
    before: Mapped[dict[str, Any] | None] = mapped_column(EncryptedJSON)
    after: Mapped[dict[str, Any] | None] = mapped_column(EncryptedJSON)
    errors: Mapped[list[Any]] = mapped_column(db.JSON, default=list)  # [[field key or "", sentence]]
    key_hash: Mapped[str] = mapped_column(String(120), default="")
    undone: Mapped[str] = mapped_column(String(10), default="")


class ImportMapping(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """The mapping that a head row had last time, for the next file with the same one."""

    __tablename__ = "crm_import_mappings"
    __table_args__ = (UniqueConstraint("tenant_id", "object", "fingerprint"),)

    object: Mapped[str] = mapped_column(String(40))
    fingerprint: Mapped[str] = mapped_column(String(64))
    mapping: Mapped[dict[str, Any]]


def _own_or_all(policy: Policy) -> Any:
    """An import is seen by whoever made it, and by whoever manages the tenant."""
    return true() if policy.manages else ImportJob.created_by_id == policy.user_id


def _of_seen_jobs(policy: Policy) -> Any:
    if policy.manages:
        return true()
    return ImportRow.job_id.in_(select(ImportJob.id).where(ImportJob.created_by_id == policy.user_id))


sight.shows(ImportJob, _own_or_all)
sight.shows(ImportRow, _of_seen_jobs)
sight.shows(ImportMapping, sight.everybody)
