"""通知: what colleagues and reminders said to a user, and the numbers beside the menu."""

from __future__ import annotations

from flask import g, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select, update
from wtforms import BooleanField, StringField
from wtforms.validators import Length

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import own
from app.core import clock
from app.core.db import db
from app.core.errors import NotFound, Refused
from app.crm.access.notices import Notice
from app.crm.activities import counts, reminders
from app.notifications import send
from app.web import tables
from app.web.area import safe_next
from app.web.forms import Form
from app.web.pages import done, page

ICONS = {
    "reminder": "alarm-clock",
    "task": "list-checks",
    "mention": "message-circle",
    "export": "download",
    "assign": "user-plus",
}


class ChannelsForm(Form):
    app = BooleanField("系统内")
    mail = BooleanField("邮件")
    email = StringField("邮箱", [Length(max=120, message="邮箱最多 120 个字")])
    sms = BooleanField("短信")
    phone = StringField("手机号", [Length(max=30, message="手机号没有这么长")])
    wechat_on = BooleanField("微信")
    wechat = StringField("微信 OpenID", [Length(max=60, message="OpenID 没有这么长")])


@area.app_template_global()
def rail_counts() -> dict[str, str]:
    """{"tasks", "notices"}: the numbers beside the menu, "" for none; reckoned once a page."""
    if "rail_counts" not in g:
        tasks, unread = counts.of(me())
        g.rail_counts = {"tasks": _shown(tasks), "notices": _shown(unread)}
    return g.rail_counts  # type: ignore[no-any-return]


def _shown(number: int) -> str:
    return "99+" if number >= counts.MOST else str(number or "")


@area.get("/notices", endpoint="notices")
@own
def list_notices() -> ResponseReturnValue:
    found = tables.keyset(
        select(Notice).where(Notice.user_id == me().id), (Notice.id.desc(),), request.args.get(tables.CURSOR), limit=50
    )
    previous, following = tables.paths(found)
    return page("crm/activities/notices.html", rows=found.rows, icons=ICONS, previous=previous, next=following)


@area.post("/notices/<notice_id>/open")
@own
def open_notice(notice_id: str) -> ResponseReturnValue:
    """Read it and go where it leads."""
    notice = db.session.scalars(select(Notice).where(Notice.id == notice_id, Notice.user_id == me().id)).first()
    if notice is None:
        raise NotFound("没有找到这条通知。")
    notice.read_at = notice.read_at or clock.now()
    return done(safe_next(notice.path, url_for("crm.notices")))


@area.post("/notices/read")
@own
def read_notices() -> ResponseReturnValue:
    db.session.execute(
        update(Notice)
        .where(Notice.user_id == me().id, Notice.read_at.is_(None))
        .values(read_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    return done(url_for("crm.notices"), "全部标为已读")


@area.route("/settings/reminders", methods=["GET", "POST"])
@own
def reminder_settings() -> ResponseReturnValue:
    """Where one wants to be reminded. A channel that nobody carries here is not offered."""
    choice = reminders.choice_of(me().id or "")
    channels = choice.channels if choice else ["app"]
    form = ChannelsForm(
        data={
            "app": "app" in channels, "mail": "mail" in channels, "sms": "sms" in channels, "wechat_on": "wechat" in channels,
            "email": choice.email if choice else "", "phone": (choice.phone if choice else "") or "", "wechat": choice.wechat if choice else "",
        }
    )  # fmt: skip
    offered = {channel: send.reaches(channel) for channel in ("mail", "sms", "wechat")}
    if form.validate_on_submit():
        try:
            reminders.choose(
                me().id or "", me().tenant_id, _chosen(form, offered), email=form.email.data or "", phone=form.phone.data or "",
                wechat=form.wechat.data or "",
            )  # fmt: skip
            return done(url_for("crm.reminder_settings"), "提醒方式已保存")
        except Refused as error:
            form.refuse(error)
    status = 422 if form.is_submitted() else 200
    return page("crm/activities/reminder_settings.html", form=form, offered=offered, status=status)


def _chosen(form: ChannelsForm, offered: dict[str, bool]) -> list[str]:
    ticked = {"app": form.app.data, "mail": form.mail.data, "sms": form.sms.data, "wechat": form.wechat_on.data}
    return [channel for channel, yes in ticked.items() if yes and offered.get(channel, True)]
