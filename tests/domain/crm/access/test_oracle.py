"""Who may do what to which record, told three times: by an oracle that reads the rules as people do, by SQL, and in words.

The oracle below knows nothing of the product's code but its tables' meaning (CRM §12): roles and their scopes, departments,
superiors, collaborators until a moment, sharing rules, pools. 10,000 random pairs of a made-up company must agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from app.core import clock, tenancy
from app.core.db import db, uuid7
from app.crm.access import actor as actors
from app.crm.access import policy as policies
from app.crm.access import sight
from app.crm.access.models import CrmUser, Department, Role, UserRole
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.leads.pools.models import Pool, PoolMember
from app.crm.records import keep, reach
from app.crm.records.reach import Collaborator
from app.crm.records.rules import SharingRule

pytestmark = pytest.mark.database

ACTIONS = ("read", "edit", "delete", "export", "transfer", "claim", "unmask")
SCOPES = ("none", "own", "team", "department", "tree", "chosen", "all")
SOURCES = ("website", "event", "phone")
USERS, RECORDS, PAIRS = 20, 60, 10_000


@dataclass
class World:
    """A company in plain words: ids, and who has what."""

    parent: dict[str, str | None] = field(default_factory=dict)  # of a department
    department: dict[str, str | None] = field(default_factory=dict)  # of a user
    manager: dict[str, str | None] = field(default_factory=dict)
    roles: dict[str, list[str]] = field(default_factory=dict)  # of a user
    rights: dict[str, dict[str, Any]] = field(default_factory=dict)  # of a role: action → scope
    records: dict[str, tuple[str | None, str, str | None]] = field(default_factory=dict)  # owner, source, pool
    helpers: dict[tuple[str, str], tuple[str, bool]] = field(default_factory=dict)  # (record, user): right, is over
    shared: list[tuple[str, str, str]] = field(default_factory=list)  # source, role, right
    pools: dict[str, tuple[bool, list[tuple[str, str]]]] = field(default_factory=dict)  # is open, members


# ── the oracle ──


def may(world: World, user: str, action: str, record: str) -> bool:
    owner, source, pool = world.records[record]
    scopes = [world.rights[role].get(action) for role in world.roles[user]]
    if any(holds(world, scope, user, owner) for scope in scopes):
        return True
    right, is_over = world.helpers.get((record, user), ("", True))
    if not is_over and (action == "read" or (action == "edit" and right == "edit")):
        return True
    for wanted, role, given in world.shared:
        if wanted == source and role in world.roles[user] and (action == "read" or (action == given == "edit")):
            return True
    reads = any(world.rights[role].get("read") for role in world.roles[user])
    does = any(world.rights[role].get(action) for role in world.roles[user])
    return action in {"read", "claim"} and reads and does and owner is None and belongs(world, user, pool)


def holds(world: World, scope: Any, user: str, owner: str | None) -> bool:
    if scope is None:
        return False
    if scope == "all":
        return True
    if owner is None:
        return False
    if isinstance(scope, list):
        return world.department[owner] in scope
    if owner == user:
        return True
    if scope == "team":
        return user in superiors(world, owner)
    mine, his = world.department[user], world.department[owner]
    if scope == "department":
        return mine is not None and mine == his
    return scope == "tree" and mine is not None and mine in above(world, his)


def superiors(world: World, user: str) -> list[str]:
    found: list[str] = []
    while (boss := world.manager[user]) and boss not in found:
        found.append(boss)
        user = boss
    return found


def above(world: World, department: str | None) -> list[str]:
    """The department itself and all over it."""
    found = []
    while department is not None:
        found.append(department)
        department = world.parent[department]
    return found


def belongs(world: World, user: str, pool: str | None) -> bool:
    if pool is None or not world.pools[pool][0]:
        return False
    for kind, subject in world.pools[pool][1]:
        if kind == "all" or (kind == "user" and subject == user) or (kind == "role" and subject in world.roles[user]):
            return True
        if kind == "department" and subject in above(world, world.department[user]):
            return True
    return False


# ── the company, made at random and written down ──


def make_up(company: Any, seed: int) -> World:
    dice, world = Random(seed), World()
    with tenancy.scope(tenancy.tenant(company.id)):
        _departments(dice, world)
        _roles(dice, world)
        _people(dice, world)
        _pools(dice, world)
    with tenancy.scope(tenancy.tenant(company.id)):
        _records(dice, world, actors.system(company.id, "测试"))
        _grants(dice, world)
        policies.changed(company.id)
    return world


def _departments(dice: Random, world: World) -> None:
    paths: dict[str, str] = {}
    for number in range(8):
        key, parent = uuid7(), dice.choice([None, *world.parent])
        paths[key] = f"{paths[parent] if parent else '/'}{key}/"
        world.parent[key] = parent
        db.session.add(Department(id=key, name=f"部门{number}", parent_id=parent, path=paths[key]))
        db.session.flush()


def _roles(dice: Random, world: World) -> None:
    for number in range(8):
        key, rights = uuid7(), {}
        for action in ACTIONS:
            scope = dice.choice(SCOPES)
            if scope != "none":
                rights[action] = sorted(dice.sample(list(world.parent), 2)) if scope == "chosen" else scope
        world.rights[key] = rights
        db.session.add(Role(id=key, key=key, name=f"角色{number}", rights={"lead": rights}, fields={}))
    db.session.flush()


def _people(dice: Random, world: World) -> None:
    for number in range(USERS):
        key = uuid7()
        world.department[key] = dice.choice([None, *world.parent])
        world.manager[key] = dice.choice([None, *world.manager])
        world.roles[key] = dice.sample(list(world.rights), dice.choice([0, 1, 1, 2, 3]))
        user = CrmUser(
            id=key, username=f"user{number}", name=f"同事{number}", password="", department_id=world.department[key], manager_id=world.manager[key]
        )  # fmt: skip
        db.session.add(user)
        db.session.flush()
        db.session.add_all(UserRole(user_id=key, role_id=role) for role in world.roles[key])
    db.session.flush()


def _pools(dice: Random, world: World) -> None:
    for number in range(4):
        key, is_open = uuid7(), number != 3
        members = [
            (kind, subject)
            for kind, subject in [
                ("user", dice.choice(list(world.roles))), ("role", dice.choice(list(world.rights))),
                ("department", dice.choice(list(world.parent))), ("all", ""),
            ]
            if dice.random() < (0.1 if kind == "all" else 0.6)
        ]  # fmt: skip
        world.pools[key] = is_open, members
        db.session.add(Pool(id=key, name=f"公海{number}", is_open=is_open))
        db.session.flush()
        db.session.add_all(PoolMember(pool_id=key, subject_kind=kind, subject_id=subject) for kind, subject in members)
    db.session.flush()


def _records(dice: Random, world: World, actor: Any) -> None:
    for number in range(RECORDS):
        owner, source = dice.choice([None, *world.roles]), dice.choice(SOURCES)
        pool = dice.choice([None, *world.pools])
        made = keep.create(
            LEAD, {"name": f"线索{number}", "source": source}, actor, more={"owner_id": owner, "pool_id": pool}
        )
        made.owner_id, made.pool_id = owner, pool
        world.records[made.id] = owner, source, pool


def _grants(dice: Random, world: World) -> None:
    now = clock.now()
    for _ in range(120):
        pair = dice.choice(list(world.records)), dice.choice(list(world.roles))
        until = dice.choice([None, now + timedelta(days=1), now - timedelta(seconds=1)])
        right = dice.choice(["read", "edit"])
        if pair not in world.helpers:
            world.helpers[pair] = right, until is not None and until <= now
            db.session.add(Collaborator(object="lead", record_id=pair[0], user_id=pair[1], right=right, until=until))
    for number in range(4):
        source, role, right = dice.choice(SOURCES), dice.choice(list(world.rights)), dice.choice(["read", "edit"])
        tree, is_active = {"field": "source", "op": "is_in", "value": [source]}, number != 3
        db.session.add(
            SharingRule(object="lead", name=f"规则{number}", role_id=role, right=right, tree=tree, is_active=is_active)
        )
        if is_active:
            world.shared.append((source, role, right))


# ── the three of them side by side ──


@pytest.mark.parametrize("seed", [7, 2026])
def test_oracle_sql_and_words_agree_on_ten_thousand_pairs(ours, seed):
    world = make_up(ours, seed)
    dice = Random(seed)
    asked = [
        (dice.choice(list(world.roles)), dice.choice(list(world.records)), dice.choice(ACTIONS)) for _ in range(PAIRS)
    ]
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        policy = {user: policies.of(session.get_one(CrmUser, user)) for user in world.roles}
        by_sql = {
            (user, action): set(session.scalars(select(Lead.id).where(reach.condition(LEAD, policy[user], action))))
            for user in world.roles
            for action in ACTIONS
        }
        grounds: dict[tuple[str, str, str], bool] = {}
        wrong = []
        for user, record, action in asked:
            if (user, record, action) not in grounds:
                grounds[user, record, action] = bool(reach.because(LEAD, policy[user], action, record))
            told = may(world, user, action, record), record in by_sql[user, action], grounds[user, record, action]
            if len(set(told)) != 1:
                wrong.append((user, record, action, told))

    assert wrong == []
    allowed = sum(may(world, *(user, action, record)) for user, record, action in asked)
    assert PAIRS * 0.2 < allowed < PAIRS * 0.8  # else the company would prove nothing


def test_one_record_and_the_list_agree(ours):
    """What a list shows is what can be opened, for everybody."""
    world = make_up(ours, 11)
    for user in world.roles:
        with tenancy.scope(tenancy.tenant(ours.id)) as session:
            policy = policies.of(session.get_one(CrmUser, user))
            sight.enter(policy)
            listed = set(session.scalars(select(Lead.id)))
            assert listed == {record for record in world.records if may(world, user, "read", record)}
