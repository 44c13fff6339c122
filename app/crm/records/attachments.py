"""Files that hang on a record: kept under a key of our own, shown under the name they came with, counted against the package.

Whoever sees the record sees its files. A deleted one can be brought back for seven days; then ``purge`` frees its room.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import IO, Any

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, Select, String, select
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock, storage, tenancy
from app.core.db import Identified, db, uuid7
from app.core.errors import Forbidden, Invalid, NotFound
from app.core.tenancy import TenantOwned
from app.crm.access import sight
from app.crm.access.actor import Actor
from app.crm.records import operations, reach, space, timeline
from app.crm.records.models import Operation
from app.crm.records.types import RecordType

MOST_BYTES = 20 * 1024 * 1024
MOST_AT_ONCE = 10
OCTETS = "application/octet-stream"
# What a browser may show instead of saving it: pictures that can hold no script
_SAFE = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF87a", "image/gif"), (b"GIF89a", "image/gif"))  # fmt: skip
SAFE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_NAME_ENDS = re.compile(r"[\\/]")


class Attachment(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """One file of one record. ``ref_id`` is the communication it came with, if it came with one."""

    __tablename__ = "crm_attachments"
    __table_args__ = (
        Index("ix_crm_attachments_record", "tenant_id", "record_id", "deleted_at", "id"),
        Index("ix_crm_attachments_ref", "tenant_id", "ref_id"),
        Index("ix_crm_attachments_deleted", "deleted_at"),
        ForeignKeyConstraint(["tenant_id", "author_id"], ["crm_users.tenant_id", "crm_users.id"]),
        Index("ix_crm_attachments_author", "tenant_id", "author_id"),
    )

    object: Mapped[str] = mapped_column(String(40))
    record_id: Mapped[str] = mapped_column(String(36))
    ref_id: Mapped[str | None] = mapped_column(String(36))
    author_id: Mapped[str | None] = mapped_column(String(36))
    name: Mapped[str] = mapped_column(String(200))
    content_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int] = mapped_column(BigInteger)
    deleted_at: Mapped[datetime | None]

    @property
    def key(self) -> str:
        """Where its bytes lie; see core/storage.py."""
        return f"{self.tenant_id}/attachments/{self.id}"

    @property
    def is_picture(self) -> bool:
        return self.content_type in SAFE_TYPES


def add(
    described: RecordType, record: Any, name: str, stream: IO[bytes], actor: Actor, *, ref_id: str | None = None
) -> Attachment:
    """Keep a file with a record; with ``ref_id`` it belongs to what is told there, else the timeline tells of it.

    Raises Forbidden, Invalid for an empty or too large one, Refused if the package has no room for it.
    """
    if not reach.allows(described, actor.policy, "edit", record):
        raise Forbidden(f"你可以查看「{record.name}」，但不能上传附件。")
    shown, size = plain_name(name), _measured(name, stream)
    space.take(actor.tenant_id, size)
    attachment = Attachment(
        id=uuid7(), tenant_id=actor.tenant_id, object=described.key, record_id=record.id, ref_id=ref_id, author_id=actor.id,
        name=shown, content_type=sniffed(stream), size=size,
    )  # fmt: skip
    db.session.add(attachment)
    db.session.flush()
    storage.put(attachment.key, stream)
    if ref_id is None:
        timeline.write(
            described.key, record.id, "attachment", "note", actor, ref_id=attachment.id, name=shown, size=size,
            is_picture=attachment.is_picture,
        )  # fmt: skip
    actor.audited("attachment", described.key, record.id, label=record.name, reason=f"上传 {shown}")
    return attachment


def of(record: Any) -> Sequence[Attachment]:
    """The files of a record that the reader was found to see, newest first."""
    return db.session.scalars(newest(record).execution_options(whole_tenant=True)).all()


def newest(record: Any) -> Select[Attachment]:
    """The files of a record, for a statement that reads more."""
    statement = select(Attachment).where(Attachment.record_id == record.id, Attachment.deleted_at.is_(None))
    return statement.order_by(Attachment.id.desc()).limit(100)


def find(record: Any, attachment_id: str) -> Attachment:
    """One file of this very record. Raises NotFound, also for a deleted one and for one of another record."""
    found = db.session.scalars(
        select(Attachment).where(Attachment.id == attachment_id, Attachment.record_id == record.id)
    ).first()
    if found is None or found.deleted_at is not None:
        raise NotFound("没有找到这个附件，可能已经删除了。")
    return found


def remove(described: RecordType, record: Any, attachment_id: str, actor: Actor) -> Operation:
    """Take a file away; gives the operation that brings it back. Raises NotFound, Forbidden."""
    attachment = find(record, attachment_id)
    if attachment.author_id != actor.id and not reach.allows(described, actor.policy, "edit", record):
        raise Forbidden("只有上传的人，或能编辑这条记录的人，可以删除附件。")
    operation = operations.begin("delete", f"删除「{record.name}」的附件 {attachment.name}", actor)
    before = operations.columns_of(attachment)
    attachment.deleted_at = clock.now()
    operations.note(operation, "delete", attachment, before)
    _mark_entry(operation, attachment)
    actor.audited(
        "attachment",
        described.key,
        record.id,
        label=record.name,
        reason=f"删除 {attachment.name}",
        batch_id=operation.id,
    )
    return operation


def _mark_entry(operation: Operation, attachment: Attachment) -> None:
    """The timeline says that the file is gone, and says so no more after an undo."""
    entry = db.session.scalars(select(timeline.Entry).where(timeline.Entry.ref_id == attachment.id)).first()
    if entry is not None:
        before = operations.columns_of(entry)
        entry.data = {**entry.data, "gone": True}
        operations.note(operation, "change", entry, before)


def purge(limit: int = 500) -> int:
    """Delete for good what nobody brought back within the days of an undo; gives how many. For a job, of all tenants."""
    due = db.session.scalars(
        select(Attachment).where(Attachment.deleted_at < clock.now() - operations.LASTS).limit(limit)
    ).all()
    for attachment in due:
        storage.delete(attachment.key)
        space.give_back(attachment.tenant_id, attachment.size)
        db.session.delete(attachment)
    return len(due)


def forget_deleted() -> None:
    """Recurring: free the room of what was deleted more than seven days ago, in every tenant."""
    while True:
        with tenancy.scope(tenancy.everyone("files that were deleted long ago")):
            if not purge():
                return


def plain_name(name: str) -> str:
    """The name a file came with, as one line without a path and without signs that nobody sees; never empty."""
    last = _NAME_ENDS.split(unicodedata.normalize("NFC", name or ""))[-1]
    shown = "".join(sign for sign in last if unicodedata.category(sign)[0] != "C").strip().strip(".")
    stem, dot, ending = shown.rpartition(".")
    if len(shown) > 120 and dot:
        return f"{stem[: 119 - len(ending[:20])]}.{ending[:20]}"
    return shown[:120] or "未命名文件"


def sniffed(stream: IO[bytes]) -> str:
    """What the bytes say a file is: one of ``SAFE_TYPES``, or just bytes. Whatever the sender says is not asked."""
    stream.seek(0)
    head = stream.read(16)
    stream.seek(0)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _SAFE if head.startswith(magic)), OCTETS)


def _measured(name: str, stream: IO[bytes]) -> int:
    size = stream.seek(0, 2)
    stream.seek(0)
    if size == 0:
        raise Invalid(f"「{plain_name(name)}」是空文件。", field="files")
    if size > MOST_BYTES:
        raise Invalid(f"「{plain_name(name)}」超过 20 MB，请压缩后再传。", field="files")
    return size


sight.shows(Attachment, reach.through_record(Attachment.object, Attachment.record_id))
