"""The decision, one lead after the other under the tenant's lock, and what is written of it (CRM §3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm.attributes import set_committed_value

from app.core import clock, events, tenancy
from app.core.db import db
from app.core.errors import Invalid
from app.crm.access import actor as actors
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.leads.assignment import candidates, load, record, strategies, twins
from app.crm.leads.assignment.candidates import Board, Candidate
from app.crm.leads.assignment.models import AssignCursor, AssignLog
from app.crm.leads.assignment.rules import Published
from app.crm.leads.assignment.strategies import Turn
from app.crm.leads.assignment.twins import Twin
from app.crm.leads.models import Lead
from app.crm.leads.pools import entering, membership
from app.crm.leads.pools.models import Pool

CHUNK = 200
GIVEN = {"assigned", "twin"}
_ALL: dict[str, Any] = {"whole_tenant": True}


@dataclass(slots=True)
class Decision:
    """What becomes of a lead, and all that was looked at on the way.

    ``outcome``: assigned (by a rule, or its fallback), twin (to the owner of the same customer), held (待查重), pool, nobody.
    """

    outcome: str = "nobody"
    rule: Published | None = None
    strategy: str = ""
    chosen: str | None = None
    pool_id: str | None = None
    twin: Twin | None = None
    is_counted: bool = False  # the owner's counter has it already
    said: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What ``assign`` did with one lead; ``log_id`` is the row that explains it. ``owned``, ``closed`` and ``gone`` did nothing."""

    lead_id: str
    outcome: str
    chosen: str | None = None
    pool_id: str | None = None
    log_id: str = ""


def assign(lead_id: str, trigger: str, actor: Actor, *, from_pool: bool = False) -> Outcome:
    """Give a lead without owner to somebody, by the rules, in the caller's transaction.

    ``trigger`` names the occasion ("created", "bulk:<operation>"): a second run for the same one gives the first result.
    """
    return assign_many([lead_id], trigger, actor, from_pool=from_pool)[0]


def assign_many(lead_ids: Sequence[str], trigger: str, actor: Actor, *, from_pool: bool = False) -> list[Outcome]:
    """The same for up to 200 leads in one transaction, one after the other in this order. Raises ValueError for more."""
    if len(lead_ids) > CHUNK:
        raise ValueError(f"at most {CHUNK} leads in one transaction")
    load.settle()
    cursors = _hold_turns(actor.tenant_id)
    known = record.results(actor.tenant_id, lead_ids, trigger)
    leads = _hold_leads([key for key in lead_ids if key not in known])
    seen = candidates.board(actor.tenant_id, for_update=True)
    done: dict[str, Outcome] = {key: _told(log) for key, log in known.items()}
    with db.session.no_autoflush:  # what is written of all of them goes to the database together
        for key in lead_ids:
            if key not in done:
                done[key] = _assign(leads.get(key), key, trigger, actor, seen, cursors, from_pool)
    fresh = [key for key in done if key not in known and done[key].outcome in GIVEN]
    events.record_many("lead.assigned", fresh, actor=str(actor), tenant_id=actor.tenant_id)
    return [done[key] for key in lead_ids]


def assign_in_chunks(tenant_id: str, lead_ids: Sequence[str], trigger: str) -> list[Outcome]:
    """Any number of leads, in transactions of their own of 200 each: an import, a list. Run again, it goes on where it was."""
    done: list[Outcome] = []
    for start in range(0, len(lead_ids), CHUNK):
        with tenancy.scope(tenancy.tenant(tenant_id)):
            done += assign_many(lead_ids[start : start + CHUNK], trigger, actors.job(tenant_id, "分配线索"))
    return done


def rehearse(lead: Lead) -> Decision:
    """What would become of a lead now: a stored one, or one that was only typed. Writes nothing and holds nothing."""
    with db.session.no_autoflush:
        seen = candidates.board(lead.tenant_id, for_update=False)
        statement = select(AssignCursor).where(AssignCursor.tenant_id == lead.tenant_id)
        cursors = {row.rule_id: row for row in db.session.scalars(statement.execution_options(**_ALL))}
        decision, order = _decide(lead, seen, cursors)
        if order:
            _choose(decision, order, 0, seen)
        return decision


# ── one lead ──


def _assign(
    lead: Lead | None, key: str, trigger: str, actor: Actor, seen: Board, cursors: dict[str, AssignCursor], from_pool: bool
) -> Outcome:  # fmt: skip
    if lead is None or lead.is_deleted or lead.merged_into_id is not None:
        return Outcome(key, "gone")
    if lead.owner_id is not None or (lead.pool_id is not None and not from_pool):
        return Outcome(key, "owned", lead.owner_id, lead.pool_id)
    if not lead.is_open:
        return Outcome(key, "closed")
    decision, order = _decide(lead, seen, cursors)
    if order:
        _take_first_free(decision, order, seen, cursors)
    if decision.outcome in GIVEN and not _give(lead, decision, actor, seen):
        return Outcome(key, "lost")
    _put_aside(lead, decision, actor)
    return _told(record.write(lead, decision, trigger, actor))


def _give(lead: Lead, decision: Decision, actor: Actor, seen: Board) -> bool:
    """Write the owner; False, and the count given back, if somebody was faster."""
    chosen = str(decision.chosen)
    if not decision.is_counted:
        _count_without_limit(lead.tenant_id, chosen, seen)
    if not _write_owner(lead, chosen, actor):
        load.give_back(chosen)
        return False
    load.counted(lead.id, lead.tenant_id, chosen)
    return True


def _put_aside(lead: Lead, decision: Decision, actor: Actor) -> None:
    if decision.outcome == "pool" and decision.pool_id != lead.pool_id:
        pool = db.session.scalars(select(Pool).where(Pool.id == decision.pool_id)).one()
        entering.put(lead, pool, actor, "entered", reason="没有人可分")
    elif decision.outcome == "held":
        record.hold(lead, actor)


def _decide(
    lead: Lead, seen: Board, cursors: dict[str, AssignCursor]
) -> tuple[Decision, list[tuple[Published, list[Candidate], list[Candidate]]]]:
    """The decision as far as it needs no counting, and per matching rule its candidates, and the eligible ones in order."""
    decision = Decision(twin=twins.find(lead))
    matching = [rule for rule in seen.rules if _matches(rule, lead, seen, decision)]
    if decision.twin is not None:
        _decide_by_twin(decision, matching)
        return decision, []
    order = []
    for rule in matching:
        found = candidates.of(rule, lead, seen)
        turn = _turn(cursors.get(rule.id))
        ranked = strategies.order(rule.strategy, [one.player for one in found if not one.refusal], turn, lead.id or "")
        by_user = {one.member.user_id: one for one in found}
        order.append((rule, found, [by_user[player.user_id] for player in ranked]))
    if not any(free for _, _, free in order):
        for rule, found, _ in order:
            _say(decision, rule, found)
        _fall_back(decision, matching, seen)
        return decision, []
    return decision, order


def _matches(rule: Published, lead: Lead, seen: Board, decision: Decision) -> bool:
    try:
        fits, why = seen.fits(rule.filter_ast, lead), "条件不符"
    except Invalid:
        fits, why = False, "筛选条件用到的字段已不存在"
    if not fits:
        decision.said.append({"rule": rule.id, "name": rule.name, "version": rule.version, "why": why, "members": []})
    return fits


def _decide_by_twin(decision: Decision, matching: list[Published]) -> None:
    """To the owner of the same customer, or aside as 待查重 if the rule says so; never to a second rep."""
    assert decision.twin is not None
    decision.rule = matching[0] if matching else None
    if decision.rule is None or decision.rule.sticky:
        decision.outcome, decision.chosen = "twin", decision.twin.owner_id
    else:
        decision.outcome = "held"
    decision.said.append({
        "twin": decision.twin.object, "id": decision.twin.record_id, "owner": decision.twin.owner_id, "why": decision.twin.words,
    })  # fmt: skip


def _take_first_free(
    decision: Decision, order: list[tuple[Published, list[Candidate], list[Candidate]]], seen: Board,
    cursors: dict[str, AssignCursor],
) -> None:  # fmt: skip
    """Count the lead for the first who has room: the counters are held, and each UPDATE has the limit in it once more."""
    for place, (rule, _, free) in enumerate(order):
        for candidate in free:
            member = candidate.member
            if not load.take(member.user_id, member.max_open, member.max_per_day, seen.now):
                candidate.refusal = "名额刚被占满"
                continue
            _count_here(member.user_id, seen)
            decision.is_counted = True
            cursor = cursors.get(rule.id)
            if cursor is not None:
                _advance(cursor, rule, [one.player for one in free], candidate)
            _choose(decision, order, place, seen, candidate)
            return
    for rule, found, _ in order:
        _say(decision, rule, found)
    _fall_back(decision, [rule for rule, _, _ in order], seen)


def _choose(
    decision: Decision, order: list[tuple[Published, list[Candidate], list[Candidate]]], start: int, seen: Board,
    chosen: Candidate | None = None,
) -> None:  # fmt: skip
    """Note who it is: in the first rule from ``start`` with somebody eligible, the first one unless he is named."""
    for place, (rule, found, free) in enumerate(order):
        if place < start or not free:
            _say(decision, rule, found)
            continue
        winner = chosen or free[0]
        decision.outcome, decision.rule, decision.strategy = "assigned", rule, rule.strategy
        decision.chosen = winner.member.user_id
        _say(decision, rule, found, free, winner)
        return


def _say(
    decision: Decision, rule: Published, found: list[Candidate], free: Sequence[Candidate] = (), chosen: Candidate | None = None
) -> None:  # fmt: skip
    places = {one.member.user_id: place for place, one in enumerate(free, 1)}
    decision.said.append({
        "rule": rule.id, "name": rule.name, "version": rule.version, "strategy": rule.strategy,
        "why": "" if chosen else "没有符合条件的成员",
        "members": [one.said(chosen=one is chosen, place=places.get(one.member.user_id)) for one in found],
    })  # fmt: skip


# ── nobody of the rules ──


def _fall_back(decision: Decision, matching: Sequence[Published], seen: Board) -> None:
    """The fallback of each rule that matched, then the default pool, then nobody. Never a user who left (PITFALLS 23)."""
    for rule in matching:
        decision.rule = rule
        if rule.fallback == "pool" and _is_open_pool(rule.fallback_id):
            decision.outcome, decision.pool_id = "pool", rule.fallback_id
        elif rule.fallback in {"user", "manager"}:
            _fall_to_person(decision, rule, seen)
        if decision.outcome != "nobody":
            decision.said.append({"fallback": rule.fallback, "name": rule.name, "why": "规则的后备"})
            return
    decision.rule = None
    pool = membership.default_pool(seen.tenant_id)
    if pool is not None:
        decision.outcome, decision.pool_id = "pool", pool.id
        decision.said.append({"fallback": "default_pool", "why": "没有规则能分，放入默认公海"})
    else:
        decision.said.append({"fallback": "nobody", "why": "没有规则能分，也没有默认公海，已提醒主管"})


def _fall_to_person(decision: Decision, rule: Published, seen: Board) -> None:
    wanted = [rule.fallback_id] if rule.fallback == "user" else _superiors(rule, seen)
    for user_id in wanted:
        if user_id and not candidates.may_get(user_id, _with(user_id, seen)):
            decision.outcome, decision.chosen, decision.strategy = "assigned", user_id, f"fallback:{rule.fallback}"
            return


def _superiors(rule: Published, seen: Board) -> list[str]:
    """To whom the members report, in their order."""
    people = [seen.people.get(member.user_id) for member in rule.members]
    return list(dict.fromkeys(user.manager_id for user in people if user is not None and user.manager_id))


def _with(user_id: str, seen: Board) -> Board:
    """The board with somebody on it who is no member of any rule."""
    if user_id not in seen.people:
        statement = select(CrmUser).where(CrmUser.tenant_id == seen.tenant_id, CrmUser.id == user_id)
        found = db.session.scalars(statement.execution_options(**_ALL)).first()
        seen.people = {**seen.people, **({user_id: found} if found is not None else {})}
    return seen


def _is_open_pool(pool_id: str | None) -> bool:
    statement = select(Pool.id).where(Pool.id == pool_id, Pool.is_open)
    return db.session.scalar(statement.execution_options(**_ALL)) is not None


# ── rows ──


def _hold_turns(tenant_id: str) -> dict[str, AssignCursor]:
    """All cursors of the tenant, held in one order: of two leads at once the second sees what the first one changed."""
    statement = select(AssignCursor).where(AssignCursor.tenant_id == tenant_id).order_by(AssignCursor.rule_id)
    statement = statement.with_for_update().execution_options(populate_existing=True, **_ALL)
    return {row.rule_id: row for row in db.session.scalars(statement)}


def _hold_leads(lead_ids: Sequence[str]) -> dict[str, Lead]:
    statement = select(Lead).where(Lead.id.in_(sorted(lead_ids))).order_by(Lead.id).with_for_update(of=Lead)
    return {row.id: row for row in db.session.scalars(statement.execution_options(populate_existing=True, **_ALL))}


def _turn(cursor: AssignCursor | None) -> Turn:
    return Turn() if cursor is None else Turn(cursor.last_pos, dict(cursor.swrr_state or {}))


def _advance(cursor: AssignCursor, rule: Published, players: list[strategies.Player], chosen: Candidate) -> None:
    turn = strategies.after(rule.strategy, players, _turn(cursor), chosen.player)
    cursor.last_pos, cursor.swrr_state = turn.last_pos, dict(turn.swrr)


def _count_here(user_id: str, seen: Board) -> None:
    """What the UPDATE wrote, on the row that we hold."""
    row, today = seen.loads[user_id], seen.now.astimezone(clock.SHANGHAI).date()
    values = {"open_count": row.open_count + 1, "day_count": (row.day_count if row.day == today else 0) + 1}
    for key, value in {**values, "day": today, "last_assigned_at": seen.now}.items():
        set_committed_value(row, key, value)


def _count_without_limit(tenant_id: str, user_id: str, seen: Board) -> None:
    """A twin's owner or a fallback gets it however much he has."""
    load.ensure(tenant_id, [user_id])
    load.take(user_id, None, None, seen.now)
    if user_id in seen.loads:
        _count_here(user_id, seen)


def _write_owner(lead: Lead, user_id: str, actor: Actor) -> bool:
    """Make him the owner if still nobody is; False if somebody is by now."""
    now = clock.now()
    values = {
        "owner_id": user_id, "version": lead.version + 1, "updated_at": now, "updated_by_id": actor.id, "pool_id": None,
        "claimed_at": now,
    }  # fmt: skip
    statement = (
        update(Lead).where(Lead.id == lead.id, Lead.owner_id.is_(None), Lead.version == lead.version).values(values)
    )
    if db.session.execute(statement.execution_options(synchronize_session=False, **_ALL)).rowcount != 1:  # type: ignore[attr-defined]
        return False
    for key, value in values.items():
        set_committed_value(lead, key, value)
    return True


def _told(log: AssignLog) -> Outcome:
    return Outcome(log.lead_id, log.outcome, log.chosen, log.pool_id, log.id)
