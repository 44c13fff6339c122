"""公海: its leads as a list to pick from, claiming one or several, giving back (CRM §3)."""

from __future__ import annotations

from typing import Any

from flask import flash, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from wtforms import SelectField, TextAreaField
from wtforms.validators import Length

from app.blueprints.crm import area, me
from app.blueprints.crm.records import cells, panels
from app.blueprints.crm.records.panels import Panel
from app.blueprints.crm.rights import everybody, right
from app.core.db import db
from app.core.errors import Refused
from app.crm.access.actor import Actor
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.leads.pools import claims, membership, release, settings, watch
from app.crm.leads.pools.claims import Claimed
from app.crm.leads.pools.models import Pool
from app.crm.records import lists, reach, terms
from app.crm.records import names as known_names
from app.crm.records import show as shown_values
from app.web import tables
from app.web.area import begin_writing, keep_now
from app.web.forms import Form, as_choices
from app.web.pages import done, page

_COLUMNS = ("name", "phone", "source", "region", "tags", "score", "last_contact_at")


class ReleaseForm(Form):
    pool = SelectField("退回到", validate_choice=False)
    reason = TextAreaField("原因", [Length(max=300, message="最多 300 个字")])


@area.get("/pools")
@everybody
def pools() -> ResponseReturnValue:
    """The pools one belongs to, with how many leads lie in each."""
    me().policy.insist("lead", "read")
    return page("crm/leads/pools.html", pools=membership.visible(me().policy), counts=settings.counts())


@area.get("/pools/<pool_id>")
@everybody
def pool(pool_id: str) -> ResponseReturnValue:
    """The leads of a pool, the newest arrivals first."""
    return _pool_page(membership.find_pool(pool_id, me().policy))


@area.post("/pools/<pool_id>/claim")
@everybody
def claim_from_pool(pool_id: str) -> ResponseReturnValue:
    """One lead by its button, or all that are ticked; each with its own result."""
    found = membership.find_pool(pool_id, me().policy)
    ids = request.form.getlist("one") or request.form.getlist("ids")
    if not ids:
        return done(url_for("crm.pool", pool_id=found.id), "先勾选要领取的线索", kind="warn")
    results = claims.claim_many(found.id, ids, me())
    refused = [one for one in results if one.refusal]
    if refused and len(results) > 1:
        return _pool_page(found, results)
    if refused:
        return done(url_for("crm.pool", pool_id=found.id), refused[0].refusal, kind="warn")
    if len(results) == 1:
        return done(
            url_for("crm.record", things="leads", record_id=results[0].lead_id), f"「{results[0].name}」是你的了"
        )
    return done(url_for("crm.pool", pool_id=found.id), f"领取了 {len(results)} 条线索")


@area.post("/leads/<record_id>/claim")
@right("claim", "lead")
def claim_lead(record_id: str) -> ResponseReturnValue:
    """From its own page."""
    lead = claims.claim(record_id, me())
    return done(url_for("crm.record", things="leads", record_id=lead.id), f"「{lead.name}」是你的了")


@area.route("/leads/<record_id>/release", methods=["GET", "POST"])
@right("transfer", "lead")
def release_lead(record_id: str) -> ResponseReturnValue:
    """Back to a pool: which one, and why."""
    lead: Lead = reach.find(LEAD, record_id, me().policy, "transfer")
    there = release.places(me())
    form = ReleaseForm()
    form.pool.choices = as_choices([("", "请选择公海"), *((one.id, one.name) for one in there)])
    if form.validate_on_submit():
        try:
            operation = release.release(lead.id, form.pool.data or "", me(), reason=form.reason.data or "")
            flash(f"「{lead.name}」已退回公海", f"undo:{url_for('crm.undo', operation_id=operation.id)}")
            return done(url_for("crm.record_list", things="leads"))
        except Refused as error:
            error.field = "pool" if error.field == "pool_id" else error.field
            form.refuse(error)
    return page(
        "crm/leads/pool_release.html", lead=lead, form=form, pools=there, status=422 if form.is_submitted() else 200
    )


@area.before_request
def _count_looks() -> None:
    """Opening a lead of a pool counts, where the pool has a daily number; elsewhere this costs nothing."""
    arguments = request.view_args or {}
    if request.endpoint != "crm.record" or arguments.get("things") is not LEAD:
        return
    if not membership.limits_looking(me().policy):
        return
    found = db.session.scalars(select(Lead).where(Lead.id == arguments["record_id"])).first()
    if found is not None and watch.is_limited(found, me()):
        begin_writing()
        watch.look(db.session.scalars(select(Lead).where(Lead.id == found.id)).one(), me())
        keep_now()


def _pool_page(found: Pool, results: list[Claimed] | None = None) -> ResponseReturnValue:
    actor = me()
    q = request.args.get("q", "").strip()[:100]
    fields = [field for key, field in terms.fields(LEAD, actor).items() if key in _COLUMNS]
    statement = lists.statement(LEAD, lists.Query({}, q), actor, fields).where(*_lies_in(found))
    statement = statement.add_columns(Lead.entered_pool_at)
    rows = tables.keyset(statement, (Lead.entered_pool_at.desc(), Lead.id.desc()), request.args.get(tables.CURSOR), 50)
    names = known_names.behind(((f, shown_values.value(f, row)) for row in rows.rows for f in fields), actor)
    columns = cells.columns(LEAD, fields, actor, "", {})
    before, after = tables.paths(rows)
    return page(
        "crm/leads/pool.html",
        fragments=("pool_leads",),
        pool=found,
        pools=membership.visible(actor.policy),
        q=q,
        columns=columns,
        rows=list(zip(cells.rows(LEAD, rows.rows, columns, actor, names), rows.rows, strict=True)),
        total=_total(found),
        before=before,
        after=after,
        room=claims.left_today(found, actor),
        looked=watch.count_today(found, actor) if found.views_per_day is not None else 0,
        may_claim=actor.policy.may("lead", "claim") and found.is_open,
        results=results or [],
        status=200,
    )


def _lies_in(found: Pool) -> tuple[Any, ...]:
    return Lead.pool_id == found.id, Lead.owner_id.is_(None), Lead.entered_pool_at.is_not(None)


def _total(found: Pool) -> int:
    """Counted up to a thousand and no further."""
    some = select(Lead.id).where(*_lies_in(found), Lead.deleted_at.is_(None), Lead.merged_into_id.is_(None)).limit(1001)
    return db.session.scalar(select(func.count()).select_from(some.subquery())) or 0


def _claim_context(record: Any, actor: Actor) -> dict[str, Any] | None:
    may = actor.policy.may("lead", "claim") and record.pool_id in membership.pools_of(actor.policy)
    return {} if may and record.owner_id is None and not record.is_deleted else None


def _release_context(record: Any, actor: Actor) -> dict[str, Any] | None:
    is_there = record.is_open and record.pool_id is None and not record.is_deleted
    return {} if is_there and reach.allows(LEAD, actor.policy, "transfer", record) else None


panels.add(Panel("lead-claim", "actions", "crm/leads/pool_claim.html", _claim_context, objects=("lead",), order=10))
panels.add(Panel("lead-release", "menu", "crm/leads/pool_menu.html", _release_context, objects=("lead",), order=30))
