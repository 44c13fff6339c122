"""The last weeks, written by the product's own verbs: whoever opens the demo finds work that is due today."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from app.core import clock
from app.crm.access import actor as actors
from app.crm.access.actor import Actor
from app.crm.activities import communications
from app.crm.leads import convert, status
from app.crm.leads.lead import LEAD
from app.crm.leads.scoring import keep as scores
from app.crm.records import keep, reach
from app.demo.company import people, stories
from app.demo.names import Namer


def live_through(tenant_id: str, now: datetime, days: int, count: int, names: Namer, dice: Random) -> None:
    """New leads, follow-ups with a next date, a few conversions; then every open lead is scored."""
    sellers, written = list(people.sellers()), []
    for at in sorted(_before(now, now - timedelta(days=dice.uniform(0, days)), dice) for _ in range(count)):
        owner = dice.choice(sellers) if dice.random() < 0.88 else None
        with clock.held(at):
            lead = keep.create(
                LEAD,
                stories.lead_values(names, at) | ({"owner_id": owner.id} if owner else {}),
                people.system(tenant_id),
            )
        written.append(lead.id)
        if owner is not None:
            _work_on(lead.id, actors.of(owner), at, now, dice)
    for lead_id in written:
        scores.rescore(lead_id, tenant_id)


def _work_on(lead_id: str, actor: Actor, came: datetime, now: datetime, dice: Random) -> None:
    moment = came
    for number in range(dice.choice((0, 1, 1, 2, 2, 3))):
        moment = stories.later(moment, dice.uniform(0.8, 5), dice)
        if moment >= now:
            return
        due = stories.later(moment, dice.choice((1, 2, 3, 5, 7)), dice)
        with clock.held(moment):
            said = stories.talk(dice, 0.6)
            communications.record(
                LEAD,
                lead_id,
                said,
                actor,
                next_at=due,
                next_what=dice.choice(stories.NEXT),
            )
            if number == 1:
                _go_further(lead_id, actor, dice)


def _go_further(lead_id: str, actor: Actor, dice: Random) -> None:
    lead = reach.find(LEAD, lead_id, actor.policy, "edit", for_update=True)
    luck = dice.random()
    if luck < 0.45:
        convert.do_step(lead, "verified", {"how": "call"}, actor)
        convert.do_step(lead, "needs", {"need": "二十人的销售团队，要线索分配和报表"}, actor)
    elif luck < 0.6:
        convert.do_step(lead, "proposal", {"title": "专业版 20 人方案", "amount": "7188"}, actor)
    elif luck < 0.72:
        status.move_stage(lead, "closed", actor, reason=stories.pick(stories.LOST, dice))
    elif luck < 0.82:
        convert.convert(lead, actor, reason=stories.pick(stories.WON, dice))


def _before(now: datetime, moment: datetime, dice: Random) -> datetime:
    """An office hour near ``moment`` that is over already."""
    at = stories.office_hour(moment, dice)
    while at >= now:
        at = stories.office_hour(at - timedelta(days=1), dice)
    return at
