"""Two hundred things that several people did at random, taken back (CRM §14, 2).

The acts know nothing of how an undo works, and the state is read from the tables themselves, all of them but those that
say here why they are no state of the company.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.core import clock, tenancy
from app.core.db import db
from app.core.errors import Refused
from app.core.states import Transition
from app.core.tenancy import TenantOwned
from app.crm.access import actor as actors
from app.crm.activities.models import Task
from app.crm.customers.customer import CUSTOMER
from app.crm.leads.assignment import load, rules
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.leads.pools import recycle, settings
from app.crm.records import attachments, operations, own_fields, reach
from app.crm.records.models import Operation
from tests.company import Company, working
from tests.domain.crm.operations import acts

pytestmark = pytest.mark.database

BEGIN = datetime(2026, 11, 23, 2, tzinfo=UTC)
# What is written of what was done, and stays though it was taken back
TOLD = {
    "crm_audit_events", "crm_audit_seals", "crm_audit_cases", "crm_operations", "crm_operation_rows", "crm_bulk_runs", "crm_notices",
    "crm_reminders", "crm_assign_logs", "crm_pool_events", "crm_recent_records",
}  # fmt: skip
# Whose turn it is, and how many somebody got today: an undo gives no turn back. What is open is counted anew below.
TURNS = {"crm_assign_cursors", "crm_user_loads"}
DERIVED = Lead.RECKONED | Task.RECKONED | {"entered_pool_at"}  # what follows from the other columns
BESIDE = {"updated_at", "updated_by_id", "version", "created_at"}

State = dict[tuple[str, str], dict[str, Any]]


def state_of(ours: Company) -> State:
    """Every row of the company by table and key: a file's tags and search terms too, and each lead's moves."""
    found: State = {}
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        for mapper in db.Model.registry.mappers:  # type: ignore[attr-defined]
            table = mapper.local_table.name
            if issubclass(mapper.class_, TenantOwned) and table not in TOLD | TURNS:
                for row in session.scalars(select(mapper.class_).where(mapper.class_.tenant_id == ours.id)):
                    found[table, _key(table, row)] = _columns(row)
        for move in session.scalars(select(Transition).where(Transition.subject_type.not_in(TOLD))):
            found["transitions", move.id] = {"subject_id": move.subject_id, "to": move.to_state}
    return found


def _key(table: str, row: Any) -> str:
    """Of what is written anew each time: whose it is and what it says."""
    if table == "crm_record_tags":
        return f"{row.record_id} {row.tag}"
    return str(row.record_id) if table == "search_entries" else str(getattr(row, "id", None) or row.tenant_id)


def _columns(row: Any) -> dict[str, Any]:
    drop = BESIDE | ({"id"} if row.__tablename__ in {"crm_record_tags", "search_entries"} else set())
    return {key: value for key, value in operations.columns_of(row).items() if key not in drop}


def without_new_in_bin(state: State, begin: State) -> State:
    """What was made since and lies in the recycle bin is gone, and the tags and moves of it are nobody's."""
    binned = {key[1] for key, row in state.items() if key not in begin and row.get("deleted_at")}
    return {
        key: row
        for key, row in state.items()
        if key[1] not in binned and row.get("record_id", row.get("subject_id")) not in binned
    }


def differences(before: State, after: State) -> dict[tuple[str, str], dict[str, Any]]:
    """{(table, key): {column: (before, after)}}; a row that is there only once has the column "*"."""
    found = {}
    for key in before.keys() | after.keys():
        was, now = before.get(key), after.get(key)
        if was is None or now is None:
            found[key] = {"*": (was, now)}
        elif was != now:
            found[key] = {column: (was[column], now[column]) for column in was if was[column] != now[column]}
    return found


@dataclass
class Done:
    """One act that succeeded: by whom, which operations it left, what it changed."""

    name: str
    who: str
    operations: list[str] = field(default_factory=list)


@pytest.fixture
def company(ours: Company, record: Callable[..., str]) -> Company:
    """Sixteen leads, six customers with their people, a pool that recycles, rules, own fields and a few files."""
    with clock.held(BEGIN - timedelta(days=60)):
        for number in range(2):
            record(ours, "lead", owner="sales1", name=f"久未跟进{number}")
    with clock.held(BEGIN - timedelta(days=55)):
        _furnish(ours, record)
    return ours


def _furnish(ours: Company, record: Callable[..., str]) -> None:
    owners = ("sales1", "sales2", "sales3", "manager")
    with working(ours) as actor:
        pool = settings.save(None, {"name": "公共"}, [("all", "")], actor)
        settings.save_recycling(pool, None, {"name": "久未跟进", "measure": "no_follow_up", "after_days": 58}, actor)
        rule = rules.add({"name": "全部线索"}, actor)
        rules.set_members(rule, [{"user_id": ours.people[name]} for name in owners], actor)
        rules.publish(rule, actor)
        for label in ("席位", "现用系统"):
            own_fields.add(LEAD, label, "text", "", False, actor)
        pool_id = pool.id
    for number in range(16):
        more = {"pool_id": pool_id, "entered_pool_at": clock.now()} if number > 12 else {}
        owner = "" if number > 12 else owners[number % 4]
        record(
            ours, "lead", owner=owner, name=f"线索{number}", phone=f"1380013800{number % 10}" if number < 10 else "",
            company=f"宁波远帆{number % 3}", tags="API", more=more,
        )  # fmt: skip
    customers = [record(ours, "customer", owner=owners[n % 4], name=f"客户{n}", tags="复购") for n in range(6)]
    for number, customer in enumerate(customers):
        record(ours, "contact", owner=owners[number % 4], name=f"联系人{number}", customer_id=customer)
    with working(ours) as actor:
        for customer in customers[:3]:
            found = reach.find(CUSTOMER, customer, actor.policy)
            attachments.add(CUSTOMER, found, "报价.txt", io.BytesIO(b"12,800"), actor)


def recycled(ours: Company) -> Done:
    """The schedule takes back what nobody cared for."""
    with clock.held(BEGIN), tenancy.scope(tenancy.tenant(ours.id)):
        operation = recycle.run(ours.id)
        assert operation is not None
        return Done("recycle", "admin", [operation.id])


def act(ours: Company, chance: random.Random, number: int) -> Done:
    """One more act that succeeds, by somebody who may, a few minutes after the last one."""
    for _ in range(200):
        verb, who = chance.choice(acts.ACTS), chance.choice(acts.PEOPLE)
        with clock.held(BEGIN + timedelta(minutes=7 * number)):
            try:
                with working(ours, who) as actor:
                    before = set(db.session.scalars(select(Operation.id)))
                    verb(ours, actor, chance)
                    db.session.flush()
                    fresh = sorted(set(db.session.scalars(select(Operation.id))) - before)
            except Refused:
                continue
        if fresh:
            return Done(verb.__name__, who, fresh)
    raise AssertionError("nobody could do anything any more")


def undo(ours: Company, done: Done, number: int) -> list[operations.Kept]:
    kept: list[operations.Kept] = []
    with clock.held(BEGIN + timedelta(minutes=7 * number)), working(ours, done.who) as actor:
        for key in reversed(done.operations):
            kept += operations.undo(key, actor).kept
    return kept


def counts_are_true(ours: Company) -> bool:
    with tenancy.scope(tenancy.tenant(ours.id)):
        return load.recount(actors.system(ours.id, "测试")) == {}


@pytest.mark.parametrize("seed", [20261122])
def test_two_hundred_things_undone_one_by_one_leave_the_company_as_it_was(company: Company, seed: int) -> None:
    chance = random.Random(seed)
    begin = state_of(company)

    done = [recycled(company), *(act(company, chance, number) for number in range(1, 200))]
    amid = state_of(company)
    kept = {number: undo(company, one, 1000) for number, one in reversed([*enumerate(done)])}

    assert len({one.name for one in done}) >= 30 and len(differences(begin, amid)) > 100
    assert {(number, done[number].name): found for number, found in kept.items() if found} == {}
    assert differences(begin, without_new_in_bin(state_of(company), begin)) == {}
    assert counts_are_true(company)


# ── in any order: what somebody wrote later stays ──


def flat(changed: dict[tuple[str, str], dict[str, Any]]) -> dict[tuple[str, str, str], tuple[Any, Any]]:
    """{(table, key, column): (before, after)}, the tenant's own fields each for itself, without what is reckoned."""
    found = {}
    for (table, key), columns in changed.items():
        if table in {"crm_record_tags", "search_entries", "transitions"}:
            continue
        for column, (was, now) in columns.items():
            if column == "extra":
                for name in {*was, *now}:
                    if was.get(name) != now.get(name):
                        found[table, key, f"extra.{name}"] = (was.get(name), now.get(name))
            elif column not in DERIVED:
                found[table, key, column] = (was, now)
    return found


@pytest.mark.parametrize("seed", [7])
def test_undone_in_any_order_no_later_edit_is_lost(company: Company, seed: int) -> None:
    chance = random.Random(seed)
    begin = state = state_of(company)
    done: list[Done] = []
    wrote: list[dict[tuple[str, str, str], tuple[Any, Any]]] = []
    for number in range(1, 71):
        done.append(act(company, chance, number))
        after = state_of(company)
        wrote.append(flat(differences(state, after)))
        state = after

    order = chance.sample(range(len(done)), len(done))
    for place, number in enumerate(order):
        undo(company, done[number], 1000)
        after = state_of(company)
        holding = [other for other in order[place + 1 :] if other > number]
        assert wrongly_undone(flat(differences(state, after)), wrote, number, holding) == [], done[number]
        state = after

    left = flat(differences(begin, without_new_in_bin(state, begin)))
    writers = {(table, key): [n for n, cells in enumerate(wrote) if (table, key) in {cell[:2] for cell in cells}]
               for table, key, _ in left}  # fmt: skip
    assert [cell for cell in left if len(writers[cell[:2]]) < 2] == []  # what only one act wrote is as it was
    assert counts_are_true(company)


def wrongly_undone(
    changed: dict[tuple[str, str, str], tuple[Any, Any]], wrote: list[dict[tuple[str, str, str], tuple[Any, Any]]],
    number: int, holding: list[int],
) -> list[Any]:  # fmt: skip
    """What an undo of act ``number`` changed though it is not that act's, is a later one's, or became something new."""
    mine, wrong = wrote[number], []
    for cell, (_, now) in changed.items():
        table, key, column = cell
        made = (table, key, "*") in mine
        later = [
            n for n in holding if cell in wrote[n] or (made and any(other[:2] == (table, key) for other in wrote[n]))
        ]
        if column == "*":
            right = made and (now is None) == (mine[cell][0] is None)
        else:
            right = (made and column == "deleted_at") or (cell in mine and now == mine[cell][0])
        if later or not right:
            wrong.append((cell, changed[cell], mine.get(cell), later))
    return wrong
