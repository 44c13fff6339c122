"""What people do in a small company, at random: each act one verb of the product, on whatever its actor may reach."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.core import clock
from app.core.db import db
from app.core.errors import Invalid
from app.crm.access.actor import Actor
from app.crm.activities import communications, plans, tasks
from app.crm.activities.communication import COMMUNICATION
from app.crm.activities.models import Plan, Task
from app.crm.activities.plan import PLAN
from app.crm.activities.task import TASK
from app.crm.customers.customer import CONTACT, CUSTOMER
from app.crm.handover import handover
from app.crm.handover.handover import KEEP, Receivers
from app.crm.leads import convert, status
from app.crm.leads.assignment import manual
from app.crm.leads.lead import CLOSE_REASONS, LEAD
from app.crm.leads.models import Lead
from app.crm.leads.pools import claims, release
from app.crm.leads.pools.models import Pool
from app.crm.records import attachments, bulk, custom, keep, merge, reach, sharing, types
from app.crm.records.attachments import Attachment
from app.crm.records.bulk import Chosen
from app.crm.records.reach import Collaborator
from app.crm.records.types import RecordType
from tests.company import Company

Act = Callable[[Company, Actor, random.Random], object]
OBJECTS = (LEAD, CUSTOMER, CONTACT)
_NOTHING = {"owner_id": "", "reason": "", "field": "", "value": "", "mode": "add", "tags": "", "stage": ""}
WORDS = ("API", "电商", "专业版", "复购", "渠道")


def _one(rows: Sequence[Any], chance: random.Random) -> Any:
    if not rows:
        raise Invalid("这里没有可以用的记录。")
    return chance.choice(rows)


def _keys(described: RecordType, actor: Actor, action: str, *more: Any, deleted: bool = False) -> list[str]:
    model = described.model
    where = model.deleted_at.is_not(None) if deleted else model.deleted_at.is_(None)
    statement = select(model.id).where(where, reach.condition(described, actor.policy, action), *more)
    return list(db.session.scalars(statement.order_by(model.id)))


def _pick(described: RecordType, actor: Actor, chance: random.Random, action: str = "edit", *more: Any) -> Any:
    key = _one(_keys(described, actor, action, *more), chance)
    return reach.find(described, key, actor.policy, action, for_update=True)


def _some(described: RecordType, actor: Actor, chance: random.Random, action: str) -> Chosen:
    keys = _keys(described, actor, action)
    return Chosen(tuple(chance.sample(keys, min(len(keys), chance.randint(2, 5)))))


def _colleague(ours: Company, chance: random.Random) -> str:
    return ours.people[chance.choice(["sales1", "sales2", "sales3", "manager"])]


def _later(chance: random.Random) -> Any:
    return clock.now() + timedelta(days=chance.randint(1, 20), hours=chance.randint(0, 5))


# ── records of every kind ──


def create(ours: Company, actor: Actor, chance: random.Random) -> object:
    described = chance.choice(OBJECTS)
    values: dict[str, Any] = {"name": f"新的{chance.randint(0, 99999)}", "owner_id": actor.id}
    if described is not CONTACT:
        values["tags"] = chance.sample(WORDS, 2)
    if described is LEAD:
        values["phone"] = f"139{chance.randint(10**7, 10**8 - 1)}"
    return keep.create(described, values, actor)


def edit(ours: Company, actor: Actor, chance: random.Random) -> object:
    described = chance.choice(OBJECTS)
    values = {"remark": f"备注{chance.randint(0, 3)}", "wechat": f"wx{chance.randint(0, 3)}"}
    if chance.random() < 0.4:
        values["phone"] = f"137{chance.randint(10**7, 10**8 - 1)}"
    if described is LEAD:
        values |= {"amount": f"{chance.randint(1, 3)}00.50", "company": f"宁波远帆{chance.randint(1, 3)}"}
    return keep.change(described, _pick(described, actor, chance), values, actor)


def edit_own_fields(ours: Company, actor: Actor, chance: random.Random) -> object:
    own = [key for key, field in custom.fields(LEAD, actor).items() if field.is_custom]
    values = {key: f"{chance.randint(0, 2)}" for key in chance.sample(own, chance.randint(1, len(own)))}
    return keep.change(LEAD, _pick(LEAD, actor, chance), values, actor)


def edit_one_cell(ours: Company, actor: Actor, chance: random.Random) -> object:
    lead = _pick(LEAD, actor, chance)
    value = {"priority": chance.choice(["high", "medium", "low"]), "next_follow_at": _later(chance), "title": "总监"}
    key = chance.choice(list(value))
    return keep.change(LEAD, lead, {key: value[key]}, actor, version=lead.version)


def clear_the_date(ours: Company, actor: Actor, chance: random.Random) -> object:
    lead = _pick(LEAD, actor, chance, "edit", Lead.next_follow_at.is_not(None))
    return keep.change(LEAD, lead, {"next_follow_at": None}, actor)


def tag(ours: Company, actor: Actor, chance: random.Random) -> object:
    described = chance.choice((LEAD, CUSTOMER))
    return keep.change(described, _pick(described, actor, chance), {"tags": chance.sample(WORDS, 2)}, actor)


def delete(ours: Company, actor: Actor, chance: random.Random) -> object:
    described = chance.choice((*OBJECTS, TASK, COMMUNICATION, PLAN))
    return keep.remove(described, _pick(described, actor, chance, "delete"), actor)


def restore(ours: Company, actor: Actor, chance: random.Random) -> None:
    described = chance.choice((*OBJECTS, TASK, COMMUNICATION, PLAN))
    merged = described.model.merged_into_id.is_(None)
    key = _one(_keys(described, actor, "delete", merged, deleted=True), chance)
    found = reach.find(described, key, actor.policy, "delete", for_update=True, deleted=True)
    keep.restore(described, found, actor)


def transfer(ours: Company, actor: Actor, chance: random.Random) -> object:
    described = chance.choice((CUSTOMER, CONTACT))
    record = _pick(described, actor, chance, "transfer")
    return keep.change(described, record, {"owner_id": _colleague(ours, chance)}, actor)


def merge_some(ours: Company, actor: Actor, chance: random.Random) -> object:
    described = chance.choice(OBJECTS)
    keys = _keys(described, actor, "merge")
    if len(keys) < 2:
        raise Invalid("没有可以合并的。")
    records = merge.chosen(described, chance.sample(keys, 2), actor, for_update=True)
    picks = {"next_follow_at": chance.choice(records).id, "phone": chance.choice(records).id}
    return merge.merge(described, records, chance.choice(records).id, picks, actor)


def share(ours: Company, actor: Actor, chance: random.Random) -> object:
    described = chance.choice(OBJECTS)
    record = _pick(described, actor, chance, "share")
    until = clock.today() + timedelta(days=3) if chance.random() < 0.5 else None
    right = chance.choice(["read", "edit"])
    return sharing.share(described, record, _colleague(ours, chance), right, until, actor, "/crm/")


def unshare(ours: Company, actor: Actor, chance: random.Random) -> object:
    there = _one(db.session.scalars(select(Collaborator).order_by(Collaborator.id)).all(), chance)
    described = types.get(there.object)
    record = reach.find(described, there.record_id, actor.policy, "share")
    return sharing.unshare(described, record, there.user_id, actor)


def remove_file(ours: Company, actor: Actor, chance: random.Random) -> object:
    live = select(Attachment).where(Attachment.deleted_at.is_(None)).order_by(Attachment.id)
    file = _one(db.session.scalars(live).all(), chance)
    described = types.get(file.object)
    return attachments.remove(described, reach.find(described, file.record_id, actor.policy), file.id, actor)


# ── many at once ──


def bulk_edit(ours: Company, actor: Actor, chance: random.Random) -> object:
    values = {"field": "source", "value": chance.choice(["phone", "event", "referral"])}
    return bulk.start(LEAD, "change", _some(LEAD, actor, chance, "edit"), _NOTHING | values, actor)


def bulk_tag(ours: Company, actor: Actor, chance: random.Random) -> object:
    described = chance.choice((LEAD, CUSTOMER))
    values = {"tags": chance.choice(WORDS), "mode": chance.choice(["add", "remove"])}
    return bulk.start(described, "tags", _some(described, actor, chance, "edit"), _NOTHING | values, actor)


def bulk_transfer(ours: Company, actor: Actor, chance: random.Random) -> object:
    described = chance.choice(OBJECTS)
    values = {"owner_id": _colleague(ours, chance)}
    return bulk.start(described, "transfer", _some(described, actor, chance, "transfer"), _NOTHING | values, actor)


def bulk_delete(ours: Company, actor: Actor, chance: random.Random) -> object:
    described = chance.choice(OBJECTS)
    keys = _keys(described, actor, "delete")
    return bulk.start(described, "delete", Chosen(tuple(chance.sample(keys, min(2, len(keys))))), dict(_NOTHING), actor)


def bulk_stage(ours: Company, actor: Actor, chance: random.Random) -> object:
    values = {"stage": chance.choice(["contacting", "qualified", "closed"]), "reason": chance.choice(CLOSE_REASONS)[0]}
    return bulk.start(LEAD, "stage", _some(LEAD, actor, chance, "edit"), _NOTHING | values, actor)


def hand_over(ours: Company, actor: Actor, chance: random.Random) -> object:
    chosen = {key: Receivers(how=KEEP) for key in handover.KINDS}
    for key in chance.sample(list(handover.KINDS), 2):
        chosen[key] = Receivers((ours.people["sales2"], ours.people["sales3"]))
    return handover.hand_over(ours.people["sales1"], chosen, actor, end_collaborations=chance.random() < 0.5)


# ── a lead's way ──


def move_stage(ours: Company, actor: Actor, chance: random.Random) -> None:
    lead = _pick(LEAD, actor, chance)
    stage = _one([key for key, _ in status.choices(lead) if key != "converted"], chance)
    status.move_stage(lead, stage, actor, reason=chance.choice(CLOSE_REASONS)[0])


def do_step(ours: Company, actor: Actor, chance: random.Random) -> object:
    step, details = chance.choice([
        ("verified", {"how": "call", "note": f"核实{chance.randint(0, 3)}"}), ("needs", {"need": "要 API 对接"}),
        ("proposal", {"title": "方案", "amount": f"{chance.randint(1, 9)}000"}),
    ])  # fmt: skip
    return convert.do_step(_pick(LEAD, actor, chance), step, details, actor)


def convert_lead(ours: Company, actor: Actor, chance: random.Random) -> object:
    lead = _pick(LEAD, actor, chance)
    there = _keys(CUSTOMER, actor, "edit")
    joined = chance.choice(there) if there and chance.random() < 0.5 else ""
    return convert.convert(lead, actor, customer_id=joined)


def claim(ours: Company, actor: Actor, chance: random.Random) -> object:
    pool = _one(db.session.scalars(select(Pool)).all(), chance)
    lying = _keys(LEAD, actor, "claim", Lead.pool_id == pool.id)
    return claims.claim_many(pool.id, chance.sample(lying, min(2, len(lying))), actor)


def release_lead(ours: Company, actor: Actor, chance: random.Random) -> object:
    lead = _pick(LEAD, actor, chance, "transfer", Lead.owner_id.is_not(None))
    return release.release(lead.id, _one(release.places(actor), chance).id, actor, reason="没有时间")


def give(ours: Company, actor: Actor, chance: random.Random) -> object:
    return manual.give(_pick(LEAD, actor, chance, "transfer").id, _colleague(ours, chance), actor)


def give_by_rules(ours: Company, actor: Actor, chance: random.Random) -> object:
    return manual.by_rules(_pick(LEAD, actor, chance, "transfer", Lead.owner_id.is_(None)).id, actor)


# ── following up ──


def follow_up(ours: Company, actor: Actor, chance: random.Random) -> object:
    described = chance.choice(OBJECTS)
    values = {"channel": chance.choice(["phone", "wechat", "visit"]), "content": f"聊了{chance.randint(0, 99)}"}
    next_at = _later(chance) if chance.random() < 0.7 else None
    record = _pick(described, actor, chance, "read")
    return communications.record(described, record.id, values, actor, next_at=next_at)


def rewrite_follow_up(ours: Company, actor: Actor, chance: random.Random) -> object:
    found = _pick(COMMUNICATION, actor, chance)
    return communications.change(found, {"content": f"改为{chance.randint(0, 99)}"}, actor)


def add_task(ours: Company, actor: Actor, chance: random.Random) -> object:
    described = chance.choice(OBJECTS)
    on = (described, _pick(described, actor, chance, "read"))
    rule = chance.choice(["", "", "FREQ=WEEKLY"])
    return tasks.add({"name": "寄资料", "due_at": _later(chance)}, actor, on=on, rule=rule)


def end_task(ours: Company, actor: Actor, chance: random.Random) -> object:
    task = _pick(TASK, actor, chance, "edit", Task.status == "open")
    return tasks.complete(task, actor, "办好了") if chance.random() < 0.6 else tasks.cancel(task, actor, "不用了")


def reopen_task(ours: Company, actor: Actor, chance: random.Random) -> object:
    return tasks.reopen(_pick(TASK, actor, chance, "edit", Task.status != "open"), actor)


def move_task(ours: Company, actor: Actor, chance: random.Random) -> object:
    task = _pick(TASK, actor, chance, "edit", Task.status == "open")
    if chance.random() < 0.5:
        return tasks.postpone(task, _later(chance), actor)
    return tasks.change(task, {"due_at": _later(chance), "note": f"{chance.randint(0, 9)}"}, actor, before="60,0")


def hand_on_task(ours: Company, actor: Actor, chance: random.Random) -> object:
    return tasks.assign(_pick(TASK, actor, chance, "transfer"), _colleague(ours, chance), actor)


def start_plan(ours: Company, actor: Actor, chance: random.Random) -> object:
    described = chance.choice((LEAD, CUSTOMER))
    steps = [{"after_days": day, "channel": "phone", "content": f"第 {day} 天"} for day in (1, 5)]
    return plans.start(described, _pick(described, actor, chance).id, "跟进计划", steps, actor)


def work_on_plan(ours: Company, actor: Actor, chance: random.Random) -> object:
    plan: Plan = _pick(PLAN, actor, chance, "edit", Plan.status == "active")
    waiting = [step for step in plans.steps_of(plan.id) if step.status in {"waiting", "open"}]
    how = chance.randint(0, 4)
    if how == 0:
        return plans.shift(plan, 2, actor)
    if how == 1:
        return plans.insert_step(plan, _later(chance), {"channel": "visit", "content": "上门"}, actor)
    if how == 2:
        return plans.complete_step(plan, plans.step_of(plan, _one(waiting, chance).id), actor, "好")
    if how == 3:
        return plans.skip_step(plan, plans.step_of(plan, _one(waiting, chance).id), actor)
    return plans.abort(plan, actor, "没有需求") if chance.random() < 0.5 else plans.finish(plan, actor, "签了")


ACTS: tuple[Act, ...] = (
    create, edit, edit_own_fields, edit_one_cell, clear_the_date, tag, delete, restore, transfer, merge_some, share, unshare, remove_file,
    bulk_edit, bulk_tag, bulk_transfer, bulk_delete, bulk_stage, hand_over, move_stage, do_step, convert_lead, claim, release_lead, give,
    give_by_rules, follow_up, rewrite_follow_up, add_task, end_task, reopen_task, move_task, hand_on_task, start_plan, work_on_plan,
)  # fmt: skip
PEOPLE = ("admin", "manager", "sales1", "sales2", "sales3", "marketing")
