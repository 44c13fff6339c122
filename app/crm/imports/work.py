"""What becomes of each line: the one function that the check, the run and a decision by hand all call.

The caller opens the transaction and ends it: the check with a rollback, the run with a commit. So what the check says is
what the run does (CRM §5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from app.core import clock, inserts
from app.core.db import db
from app.core.errors import Refused
from app.crm.access.actor import Actor
from app.crm.imports import matching
from app.crm.imports.mapping import KEYS, Plan
from app.crm.imports.matching import Hit
from app.crm.imports.models import ImportRow
from app.crm.imports.values import Line, Reader
from app.crm.leads.models import Lead
from app.crm.records.batch import change, create
from app.crm.records.models import Operation
from app.crm.records.types import RecordType

_IN_WORDS = KEYS | {"name": "名称"}


class Work:
    """One import at work: lines in, records and rows of the result out."""

    def __init__(self, described: RecordType, plan: Plan, actor: Actor):
        self.described, self.plan, self.actor = described, plan, actor
        self.reader = Reader(described, plan, actor)
        self.seen: dict[str, int] = {}  # hash of a key: the line of this file that bore it first
        self._policies = {column.field: column.policy for column in plan.columns if column.field}

    def process(self, lines: Sequence[Line], operation: Operation, *, by_hand: str = "") -> None:
        """Carry these lines out in the present transaction. ``by_hand`` is an action that a person chose for them."""
        self.reader.read(lines)
        found = matching.find(self.described, lines, [key for key, _ in self.plan.keys], self.actor)
        for line in lines:
            self._decide(line, found, by_hand)
        self._create([line for line in lines if line.action == "create" and not line.status], operation)
        self._update([line for line in lines if line.action in {"update", "restore"}], operation)

    def remember(self, hashes: Iterable[str], no: int) -> None:
        """This line of the file bears these keys; a later one with the same is its twin."""
        for one in hashes:
            self.seen.setdefault(one, no)

    # What is to be done

    def _decide(self, line: Line, found: matching.Found, by_hand: str) -> None:
        if line.errors:
            line.status, line.action = "failed", "skip"
            return
        for key, action in self.plan.keys:
            if key not in line.keys:
                continue
            twin = self._twin(line, key)
            if twin and action != "create":
                line.twin_of = twin
                self._leave(line, "skipped", key, f"和第 {twin} 行是同一位（{self._word(key)}相同）")
                return
            hits = found[key].get(line.keys[key], [])
            if hits and self._answer(line, key, by_hand or action, hits, bool(by_hand)):
                break
        if not line.action:
            self._prepare_new(line)
        if line.action and not line.status:
            self.remember(line.hashes, line.no)
            line.is_first = True

    def _twin(self, line: Line, key: str) -> int:
        own = (one for one in line.hashes if one.startswith(key[:2]))
        return next((self.seen[one] for one in own if self.seen.get(one, line.no) < line.no), 0)

    def _word(self, key: str) -> str:
        return "公司名" if key == "name" and self.described.company_field == "name" else _IN_WORDS.get(key, key)

    def _answer(self, line: Line, key: str, action: str, hits: list[Hit], by_hand: bool) -> bool:
        """What to do about a line that is known; False if the hit is none after all and the next key is asked."""
        own = [hit for hit in hits if hit.object == self.described.key and not hit.is_deleted]
        others = [hit for hit in hits if hit.object != self.described.key and not hit.is_deleted]
        if own:
            self._answer_own(line, key, action, own)
        elif others:
            self._answer_other(line, key, action if by_hand else self.plan.elsewhere, others[0])
        else:
            return self._answer_bin(line, key, action if by_hand else self.plan.bin, hits)
        return True

    def _answer_own(self, line: Line, key: str, action: str, own: list[Hit]) -> None:
        hit = own[0]
        same = f"{self._word(key)}和{hit.words}相同"
        if action == "create":
            self._prepare_new(line)
        elif action == "update" and not hit.may_edit:
            self._leave(line, "skipped", key, f"{same}，你不能修改它", hit)
        elif action == "update" and len(own) > 1:
            self._leave(
                line,
                "review",
                key,
                f"有 {len(own)} {self.described.unit}{self.described.label}的{self._word(key)}相同，不知道更新哪一{self.described.unit}",
                hit,
            )
        elif action == "update":
            line.action, line.record_id, line.entity = "update", hit.id, hit.object
        else:
            self._leave(line, "review" if action == "review" else "skipped", key, same, hit)

    def _answer_other(self, line: Line, key: str, action: str, hit: Hit) -> None:
        same = f"{self._word(key)}和{hit.words}相同"
        if action in {"create", "update"}:
            self._prepare_new(line)
        else:
            self._leave(line, "review" if action == "review" else "skipped", key, same, hit)

    def _answer_bin(self, line: Line, key: str, action: str, hits: list[Hit]) -> bool:
        hit = next((hit for hit in hits if hit.object == self.described.key), None)
        if hit is None:
            return False  # what another object threw away is no reason
        if action in {"restore", "update"} and hit.may_edit:
            line.action, line.record_id, line.entity = "restore", hit.id, hit.object
        elif action == "create":
            self._prepare_new(line)
        else:
            self._leave(line, "skipped", key, f"{self._word(key)}和回收站里的{hit.words}相同，可以先恢复它", hit)
        return True

    def _leave(self, line: Line, status: str, key: str, sentence: str, hit: Hit | None = None) -> None:
        line.status, line.action = status, "review" if status == "review" else "skip"
        line.refuse(key if key != "name" else "", sentence)
        if hit is not None:
            line.record_id, line.entity = hit.id, hit.object

    def _prepare_new(self, line: Line) -> None:
        for field in self.reader.fields.values():
            if field.required and field.written and not line.values.get(field.key):
                line.refuse(field.key, f"请填{field.label}")
        line.action = "create"
        if line.errors:
            line.status = "failed"

    # Doing it

    def _create(self, lines: Sequence[Line], operation: Operation) -> None:
        """All in one go; if the database refuses, by halves, so that only the line at fault fails."""
        if not lines:
            return
        try:
            with db.session.begin_nested():
                self._create_at_once(lines, operation)
        except IntegrityError as error:
            if len(lines) == 1:
                self._refuse_taken(lines[0], error)
            else:
                half = len(lines) // 2
                self._create(lines[:half], operation)
                self._create(lines[half:], operation)

    def _refuse_taken(self, line: Line, error: IntegrityError) -> None:
        if "phone_live" not in str(error.orig):
            raise error
        unit = f"{self.described.unit}{self.described.label}"
        line.status, line.action = "failed", "create"
        line.refuse("phone", f"这个手机号已经有一{unit}了")

    def _create_at_once(self, lines: Sequence[Line], operation: Operation) -> None:
        values = [self._new_values(line) for line in lines]
        more = {"rescore_at": clock.now()} if self.described.key == "lead" else None
        records = create(
            self.described, self.reader.fields, values, self.actor, operation, more=more, announced=self.plan.assigns, noted=False
        )  # fmt: skip
        for line, record in zip(lines, records, strict=True):
            line.status, line.record_id, line.entity = "created", record.id, self.described.key

    def _new_values(self, line: Line) -> dict[str, Any]:
        values = dict(line.values)
        if self.plan.owner == "me" and self.actor.id:
            values.setdefault("owner_id", self.actor.id)
        if "source" in self.described.by_key and "source" not in values:
            values["source"] = _import_source(self.described)
        return values

    def _update(self, lines: Sequence[Line], operation: Operation) -> None:
        lines = [line for line in lines if not line.status]
        records = self._locked([line.record_id for line in lines if line.record_id])
        due = []
        for line in lines:
            record = records.get(line.record_id or "")
            values = self._changes(line, record) if record is not None else None
            if record is None:
                line.status = "failed"
                line.refuse("", "这条记录刚被删除，请再导入一次")
            elif line.errors:
                line.status = "failed"
            else:
                due.append((line, record, values or {}))
        self._write(due, operation)

    def _locked(self, ids: Sequence[str]) -> dict[str, Any]:
        if not ids:
            return {}
        model = self.described.model
        statement = select(model).where(model.id.in_(sorted(set(ids)))).order_by(model.id).with_for_update(of=model)
        found = db.session.scalars(statement.execution_options(whole_tenant=True, populate_existing=True))
        return {record.id: record for record in found}

    def _changes(self, line: Line, record: Any) -> dict[str, Any]:
        """What the line writes on a record that is there, by the policy of each column."""
        changes: dict[str, Any] = {}
        for key, value in line.values.items():
            present = self._present(record, key)
            policy = self._policies[key]
            if policy == "fill" and present not in (None, "", [], 0):
                continue
            changes[key] = _appended(present, value) if policy == "append" else value
        for key in line.clears:
            changes[key] = None
        self._insist_on_owner(line, record, changes)
        return changes

    def _present(self, record: Any, key: str) -> Any:
        field = self.reader.fields[key]
        return field.parse((record.extra or {}).get(key)) if field.is_custom else getattr(record, key)

    def _insist_on_owner(self, line: Line, record: Any, changes: Mapping[str, Any]) -> None:
        wanted = changes.get("owner_id", record.owner_id)
        if wanted != record.owner_id and not self.actor.policy.reach(self.described.key, "transfer").holds(
            record.owner_id
        ):
            line.refuse("owner_id", f"你的角色不能转移这{self.described.unit}{self.described.label}")

    def _write(self, due: Sequence[tuple[Line, Any, dict[str, Any]]], operation: Operation) -> None:
        if not due:
            return
        try:
            with db.session.begin_nested():
                self._write_at_once(due, operation)
        except IntegrityError:
            for line, _, _ in due:
                self._write_alone(line, operation)

    def _write_alone(self, line: Line, operation: Operation) -> None:
        record = self._locked([line.record_id or ""])[line.record_id or ""]
        try:
            with db.session.begin_nested():
                self._write_at_once([(line, record, self._changes(line, record))], operation)
        except IntegrityError as error:
            if "phone_live" not in str(error.orig):
                raise
            line.status = "failed"
            line.refuse("phone", f"这个手机号已经有另一{self.described.unit}{self.described.label}了")

    def _write_at_once(self, due: Sequence[tuple[Line, Any, dict[str, Any]]], operation: Operation) -> None:
        for action, name, more in (("update", "change", {}), ("restore", "restore", {"deleted_at": None})):
            chosen = [one for one in due if one[0].action == action]
            pairs = [(record, values) for _, record, values in chosen]
            changed = change(
                self.described, self.reader.fields, pairs, self.actor, operation, action=name, more=more, announced=False
            )  # fmt: skip
            self._owe_scores(list(changed))
            for line, record, _ in chosen:
                self._note(line, record, changed.get(record.id, {}))

    def _owe_scores(self, ids: Sequence[str]) -> None:
        """Leads that were changed are due for a new score, which a job reckons once the import is over (scoring.py)."""
        if self.described.key == "lead" and ids:
            due = update(Lead).where(Lead.id.in_(ids)).values(rescore_at=clock.now())
            db.session.execute(due.execution_options(synchronize_session=False))

    def _note(self, line: Line, record: Any, changed: Mapping[str, list[Any]]) -> None:
        line.label = line.label or record.name
        if not changed:
            line.status, line.action = "skipped", "skip"
            line.refuse("", "和已有的内容一样，没有要改的")
            return
        line.status = "restored" if line.action == "restore" else "updated"
        line.before = {key: pair[0] for key, pair in changed.items()}
        line.after = {key: pair[1] for key, pair in changed.items()}


def keep_rows(job_id: str, tenant_id: str, lines: Sequence[Line]) -> None:
    """Write the result of these lines beside their records."""
    rows = [
        {
            "no": line.no, "status": line.status, "action": line.action, "entity": line.entity, "record_id": line.record_id,
            "label": line.label, "before": line.before, "after": line.after, "errors": [list(one) for one in line.errors],
            "key_hash": " ".join(line.hashes)[:120] if line.is_first else "",
        }
        for line in lines
    ]  # fmt: skip
    inserts.many(ImportRow, rows, {"tenant_id": tenant_id, "job_id": job_id})


def refuse_all(lines: Sequence[Line], refused: Refused) -> None:
    """Lines that could not be tried at all."""
    for line in lines:
        line.status, line.action = "failed", "skip"
        line.refuse(refused.field or "", refused.message)


def _appended(present: Any, value: Any) -> Any:
    if isinstance(value, list):
        return list(dict.fromkeys([*(present or []), *value]))[:20]
    if not present:
        return value
    return present if value in present else f"{present}\n{value}"


def _import_source(described: RecordType) -> str:
    """The source of what came by a file, where the file names none."""
    return next((value for value, label in described.by_key["source"].choices if "导入" in label), "")
