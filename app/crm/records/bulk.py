"""One thing done to many records: each row checked on its own, all of it one operation that can be taken back.

What was chosen is a list of ids or a predicate, "everything that the list shows"; never a list of ids the length of the
match. A short run is done in the request, a long one by a job, chunk by chunk: its place is written down in the
transaction of the rows themselves, so a killed worker goes on where it was. A row that is refused says why (PITFALLS 2, 35).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Boolean, ForeignKeyConstraint, Index, Integer, String, Text, select
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock, events, tenancy
from app.core.db import Changing, db, is_key
from app.core.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from app.core.states import Move, StateMachine
from app.core.tenancy import TenantOwned
from app.crm.access import actor as actors
from app.crm.access import notices, sight
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.records import custom, keep, lists, operations, reach, types
from app.crm.records.lists import Query
from app.crm.records.models import Operation
from app.crm.records.types import RecordType

AT_ONCE = 200  # rows that a request does itself
_CHUNK = 100
_PATIENCE = timedelta(seconds=90)
_MOST_IDS = 200
_MOST_REASONS = 500  # refusals that are kept row by row; all are counted

Verb = Callable[[RecordType, Any, dict[str, Any], Actor, Operation], bool]


@dataclass(frozen=True, slots=True)
class Action:
    """What can be done to many: its right, its name, the verb for one row (False: there was nothing to do).

    ``ended`` is called once when a run that did something is over, also one that was stopped.
    """

    key: str
    right: str
    label: str
    verb: Verb
    check: Callable[[RecordType, dict[str, Any], Actor], None] | None = None
    ended: Callable[[BulkRun, RecordType], None] | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which rows: these ids, or everything that the list shows."""

    ids: tuple[str, ...] = ()
    query: Query = field(default_factory=Query)
    everything: bool = False


class BulkRun(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """One run, its place and what became of its rows. waiting → running → done | cancelled."""

    __tablename__ = "crm_bulk_runs"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "actor_id"], ["crm_users.tenant_id", "crm_users.id"]),
        Index("ix_crm_bulk_runs_actor", "tenant_id", "actor_id", "id"),
    )

    object: Mapped[str] = mapped_column(String(40))
    action: Mapped[str] = mapped_column(String(30))
    actor_id: Mapped[str] = mapped_column(String(36))
    operation_id: Mapped[str | None] = mapped_column(String(36))
    label: Mapped[str] = mapped_column(String(200), default="")
    ids: Mapped[list[str]]
    everything: Mapped[bool] = mapped_column(Boolean, default=False)
    tree: Mapped[dict[str, Any]]
    q: Mapped[str] = mapped_column(String(100), default="")
    values: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(12), default="waiting")
    place: Mapped[str] = mapped_column(String(36), default="")  # the last id that was looked at
    total: Mapped[int] = mapped_column(Integer, default=0)
    done: Mapped[int] = mapped_column(Integer, default=0)
    unchanged: Mapped[int] = mapped_column(Integer, default=0)
    refused: Mapped[int] = mapped_column(Integer, default=0)
    reasons: Mapped[dict[str, Any]]  # {"rows": [[id, name, reason], …]}
    trouble: Mapped[str] = mapped_column(Text, default="")

    @property
    def is_over(self) -> bool:
        return self.state in {"done", "cancelled"}

    @property
    def looked_at(self) -> int:
        return self.done + self.unchanged + self.refused


STATES = StateMachine(
    "次批量操作",
    {
        "run": Move(("waiting",), "running"),
        "finish": Move(("running",), "done"),
        "cancel": Move(("waiting", "running"), "cancelled"),
    },
    field="state",
)

sight.shows(BulkRun, lambda policy: BulkRun.actor_id == policy.user_id)

_actions: dict[str, Action] = {}


def offer(action: Action) -> None:
    """Let lists offer an action; a room above adds its own (a lead's stage)."""
    _actions[action.key] = action


def action(key: str) -> Action:
    """Raises NotFound."""
    if key not in _actions:
        raise NotFound("没有这种批量操作。")
    return _actions[key]


def size(described: RecordType, chosen: Chosen, actor: Actor) -> int:
    """How many rows were chosen, counted up to a bound."""
    if not chosen.everything:
        return len(_keys(chosen.ids))
    return lists.count(described, chosen.query, actor)


def start(described: RecordType, key: str, chosen: Chosen, values: dict[str, Any], actor: Actor) -> BulkRun:
    """Do it now if it is short, else owe it to a job. Raises Forbidden, Invalid for values that fit no row."""
    wanted = action(key)
    actor.policy.insist(described.key, wanted.right)
    if wanted.check is not None:
        wanted.check(described, values, actor)
    ids = _keys(chosen.ids)
    number = size(described, chosen, actor)
    if not number:
        raise Invalid("没有选中任何记录。请先勾选。")
    figure = f"{number} {described.unit}" if number <= lists.COUNT_UP_TO else ""
    run = BulkRun(
        tenant_id=actor.tenant_id, object=described.key, action=key, actor_id=actor.id, label=f"{wanted.label}{figure}{described.label}",
        ids=[] if chosen.everything else ids, everything=chosen.everything, tree=chosen.query.tree or {}, q=chosen.query.q,
        values=values, reasons={"rows": []}, total=number, state="waiting", place="", done=0, unchanged=0, refused=0, trouble="",
    )  # fmt: skip
    db.session.add(run)
    db.session.flush()
    if number > AT_ONCE:
        events.record("bulk.requested", run.id, actor=str(actor), tenant_id=actor.tenant_id)
        return run
    STATES.move(run, "run", actor=str(actor))
    while _chunk(run, described, actor):
        pass
    return run


def cancel(run_id: str) -> BulkRun:
    """Stop a run of one's own after its present chunk; what was done stays, and can be taken back."""
    run = _own(run_id, for_update=True)
    if run.is_over:
        raise Conflict("这次操作已经结束了。")
    STATES.move(run, "cancel")
    _end(run)
    return run


def find(run_id: str) -> BulkRun:
    """A run of one's own. Raises NotFound."""
    return _own(run_id)


def carry_out(run_id: str, tenant_id: str) -> None:
    """The job: chunk by chunk, each a transaction, with the rights that its user has at that moment.

    After a minute and a half the rest is owed to another task, so that no worker is held for an hour.
    """
    until = clock.now() + _PATIENCE
    while True:
        with tenancy.scope(tenancy.tenant(tenant_id)):
            run = db.session.scalars(select(BulkRun).where(BulkRun.id == run_id).with_for_update()).first()
            if run is None or run.is_over or not _next_chunk(run):
                return
            if clock.now() >= until:
                events.record("bulk.requested", run.id, tenant_id=tenant_id)
                return


def _next_chunk(run: BulkRun) -> bool:
    """One chunk through its user's eyes; False when the run is over."""
    user = db.session.get(CrmUser, run.actor_id)
    if user is None or not user.is_active_user:
        STATES.move(run, "cancel", values={"trouble": "操作人的账号已经停用。"})
        _end(run)
        return False
    actor, described = actors.of(user), types.get(run.object)
    sight.enter(actor.policy)
    if run.state == "waiting":
        STATES.move(run, "run", actor=str(actor))
    if _chunk(run, described, actor):
        return True
    _tell(run, described)
    return False


def _tell(run: BulkRun, described: RecordType) -> None:
    text = f"{run.label}：完成 {run.done}" + (f"，{run.refused} 没有完成" if run.refused else "")
    path = f"/crm/{described.plural}/bulk/{run.id}"
    notices.tell(run.tenant_id, [run.actor_id], "bulk", text, path, unique=f"bulk:{run.id}")


def _chunk(run: BulkRun, described: RecordType, actor: Actor) -> bool:
    """The next rows; False once there are none. Progress and rows are one transaction."""
    keys = _next_keys(run, described, actor)
    if not keys:
        STATES.move(run, "finish", actor=str(actor))
        if run.done:
            actor.audited("bulk", described.key, run.id, label=run.label, batch_id=run.operation_id)
        _end(run)
        return False
    operation = _operation(run, actor)
    for key in keys:
        _one(run, described, key, actor, operation)
        run.place = key
    db.session.flush()
    return True


def _end(run: BulkRun) -> None:
    ended = action(run.action).ended
    if run.done and ended is not None:
        ended(run, types.get(run.object))


def _next_keys(run: BulkRun, described: RecordType, actor: Actor) -> Sequence[str]:
    """Ids in their own order behind the place: a row that fits no more once it was changed is not met twice."""
    if not run.everything:
        return [key for key in sorted(run.ids) if key > run.place][:_CHUNK]
    model = described.model
    query = Query(run.tree or None, run.q)
    statement = select(model.id).where(
        lists.conditions(described, query, actor), model.id > run.place, model.created_at <= run.created_at
    )
    return db.session.scalars(statement.order_by(model.id).limit(_CHUNK)).all()


def _one(run: BulkRun, described: RecordType, key: str, actor: Actor, operation: Operation) -> None:
    wanted = action(run.action)
    name = ""
    try:
        with db.session.begin_nested():
            record = reach.find(described, key, actor.policy, wanted.right, for_update=True)
            name = record.name
            changed = wanted.verb(described, record, run.values, actor, operation)
    except Refused as error:
        run.refused += 1
        if len(run.reasons["rows"]) < _MOST_REASONS:
            shown = name or _name(described, key)
            run.reasons = {"rows": [*run.reasons["rows"], [key, shown, error.message]]}
        return
    run.done, run.unchanged = run.done + bool(changed), run.unchanged + (not changed)


def _name(described: RecordType, key: str) -> str:
    """Of a row that may be seen and not changed; nothing of one that may not be seen."""
    return db.session.scalar(select(described.model.name).where(described.model.id == key)) or "看不到的记录"


def _operation(run: BulkRun, actor: Actor) -> Operation:
    if run.operation_id is not None:
        return db.session.get_one(Operation, run.operation_id)
    operation = operations.begin("bulk", run.label, actor)
    run.operation_id = operation.id
    return operation


def _own(run_id: str, *, for_update: bool = False) -> BulkRun:
    statement = select(BulkRun).where(BulkRun.id == run_id)
    run = db.session.scalars(statement.with_for_update() if for_update else statement).first()
    if run is None:
        raise NotFound("没有找到这次批量操作。")
    return run


def _keys(ids: Sequence[str]) -> list[str]:
    found = sorted({key for key in ids if is_key(key)})
    if len(found) > _MOST_IDS:
        raise Invalid(f"一次最多勾选 {_MOST_IDS} 条。要处理更多，请用「符合条件的全选」。")
    return found


# ── what every object can have done to many ──


def _transfer(described: RecordType, record: Any, values: dict[str, Any], actor: Actor, operation: Operation) -> bool:
    return bool(
        keep.give(
            described, record, values["owner_id"] or None, actor, operation=operation, reason=values.get("reason", "")
        )
    )


def _check_transfer(described: RecordType, values: dict[str, Any], actor: Actor) -> None:
    if not actor.policy.writes(described.key, "owner_id"):
        raise Forbidden("你的角色不能改负责人。", field="owner_id")
    if not values.get("owner_id"):
        raise Invalid("请选择给谁。", field="owner_id")
    keep.check_owner(values["owner_id"])


def _tell_new_owner(run: BulkRun, described: RecordType) -> None:
    """One word of all that came to him."""
    owner_id = run.values["owner_id"]
    if owner_id == run.actor_id:
        return
    text = f"{db.session.get_one(CrmUser, run.actor_id).name}把 {run.done} {described.unit}{described.label}转给了你"
    notices.tell(run.tenant_id, [owner_id], "given", text, f"/crm/{described.plural}", unique=f"bulk-given:{run.id}")


def _change(described: RecordType, record: Any, values: dict[str, Any], actor: Actor, operation: Operation) -> bool:
    return bool(keep.change(described, record, {values["field"]: values["value"]}, actor, operation=operation))


def _check_change(described: RecordType, values: dict[str, Any], actor: Actor) -> None:
    one = custom.fields(described, actor).get(values.get("field", ""))
    if one is None or one.key not in changeable(described, actor):
        raise Invalid("请选择要改的字段。", field="field")
    try:
        one.check_required(one.parse(values.get("value")))
    except Invalid as error:
        raise Invalid(error.message, field="value") from error


def changeable(described: RecordType, actor: Actor) -> dict[str, str]:
    """{field: label} of what may be set for many at once: no phone, no name, nothing with a verb of its own."""
    return {
        key: one.label
        for key, one in custom.fields(described, actor).items()
        if one.written
        and not one.sensitive
        and one.kind not in {"phone", "tags", "user", "record"}
        and key != "name"
        and actor.policy.writes(described.key, key)
    }


def _tags(described: RecordType, record: Any, values: dict[str, Any], actor: Actor, operation: Operation) -> bool:
    present = list(record.tags or ())
    kept = [tag for tag in present if tag not in values["tags"]]
    wanted = kept if values["mode"] == "remove" else list(dict.fromkeys([*present, *values["tags"]]))
    return (
        bool(keep.change(described, record, {"tags": wanted}, actor, operation=operation))
        if wanted != present
        else False
    )


def _check_tags(described: RecordType, values: dict[str, Any], actor: Actor) -> None:
    if not described.has_tags or not actor.policy.writes(described.key, "tags"):
        raise Forbidden("你的角色不能改标签。", field="tags")
    try:
        values["tags"] = described.by_key["tags"].parse(values.get("tags") or "")
    except Invalid as error:
        raise Invalid(error.message, field="tags") from error
    if not values["tags"]:
        raise Invalid("请写至少一个标签。", field="tags")


def _delete(described: RecordType, record: Any, _values: dict[str, Any], actor: Actor, operation: Operation) -> bool:
    keep.remove(described, record, actor, operation=operation)
    return True


for _action in (
    Action("transfer", "transfer", "转移", _transfer, _check_transfer, _tell_new_owner),
    Action("change", "edit", "修改", _change, _check_change),
    Action("tags", "edit", "打标签：", _tags, _check_tags),
    Action("delete", "delete", "删除", _delete),
):
    offer(_action)
