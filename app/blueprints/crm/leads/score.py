"""为什么是 86 分: a lead's score with its reasons, and points given by hand (CRM §4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import url_for
from flask.typing import ResponseReturnValue
from wtforms import IntegerField, SelectField, StringField
from wtforms.validators import InputRequired, Length

from app.blueprints.crm import area, me
from app.blueprints.crm.records import panels
from app.blueprints.crm.records.panels import Panel
from app.blueprints.crm.rights import right
from app.core.errors import Refused
from app.crm.access.actor import Actor
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.leads.scoring import keep
from app.crm.leads.scoring.models import ScoreEntry
from app.crm.records import reach
from app.web.forms import Form, as_choices
from app.web.pages import done, page


class GiveForm(Form):
    points = IntegerField("加减分数", [InputRequired("请填分数")])
    reason = StringField("原因", [InputRequired("请写明调整的原因。"), Length(max=200, message="最多 200 个字")])
    days = SelectField(
        "有效期", choices=as_choices((("", "一直有效"), ("7", "7 天"), ("30", "30 天"), ("90", "90 天")))
    )


@area.route("/leads/<record_id>/score", methods=["GET", "POST"])
@right("read", "lead")
def lead_score(record_id: str) -> ResponseReturnValue:
    """Every reason of the score, what would add most, and a form for points by hand."""
    form = GiveForm()
    lead: Lead = reach.find(LEAD, record_id, me().policy, for_update=form.is_submitted())
    if form.validate_on_submit():
        try:
            keep.give(lead, form.points.data or 0, form.reason.data or "", me(), days=int(form.days.data or 0) or None)
            return done(url_for("crm.lead_score", record_id=lead.id), "评分已调整")
        except Refused as error:
            form.refuse(error)
    return page(
        "crm/leads/score.html",
        lead=lead,
        form=form,
        bars=bars(keep.entries(lead.id)),
        helpful=keep.would_help(lead, keep.in_force(me()), me()),
        higher=keep.higher_than(lead),
        may_give=reach.allows(LEAD, me().policy, "edit", lead),
        version=keep.in_force(me()).version,
        status=422 if form.is_submitted() else 200,
    )


@area.post("/leads/<record_id>/score/<gift_id>/remove")
@right("edit", "lead")
def take_back_score(record_id: str, gift_id: str) -> ResponseReturnValue:
    lead = reach.find(LEAD, record_id, me().policy, "edit", for_update=True)
    keep.take_back(lead, gift_id, me())
    return done(url_for("crm.lead_score", record_id=record_id), "已取消这次调整")


def bars(entries: Any) -> list[dict[str, Any]]:
    """Each reason with its bar, in percent of a width where zero stands at a quarter if anything is negative."""
    least = min((entry.points for entry in entries), default=0)
    most = max((abs(entry.points) for entry in entries), default=1)
    zero = 25 if least < 0 else 0
    return [_bar(entry, zero, (100 - zero) / max(most, 1)) for entry in entries]


def _bar(entry: ScoreEntry, zero: int, unit: float) -> dict[str, Any]:
    width = min(abs(entry.points) * unit, 100 - zero if entry.points > 0 else zero)
    return {
        "entry": entry, "zero": zero, "left": round(zero if entry.points > 0 else zero - width, 1), "width": round(width, 1),
        "gift_id": entry.key.removeprefix("manual:") if entry.family == "manual" else "",
    }  # fmt: skip


def _context(record: Any, actor: Actor, reasons: Sequence[ScoreEntry]) -> dict[str, Any] | None:
    return {"bars": bars(keep.by_weight(reasons)[:8])}


panels.add(
    Panel(
        "lead-score", "above_facts", "crm/leads/_score.html", _context, objects=("lead",), order=10,
        rows=lambda record: keep.of(record.id),
    )
)  # fmt: skip
