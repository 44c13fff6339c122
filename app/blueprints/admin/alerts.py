"""Alerts that somebody has dealt with."""

from __future__ import annotations

from flask import url_for
from flask.typing import ResponseReturnValue

from app.blueprints.admin import area
from app.blueprints.admin.rights import actor, needs
from app.core.db import db
from app.core.errors import NotFound
from app.notifications import alerts
from app.notifications.models import Alert
from app.web.pages import done


@area.post("/alerts/<alert_id>/resolution")
@needs("alerts.resolve")
def resolve_alert(alert_id: str) -> ResponseReturnValue:
    alert = db.session.get(Alert, alert_id)
    if alert is None:
        raise NotFound("没有找到这条提醒。")
    alerts.resolve(alert, actor=actor())
    return done(url_for("admin.overview"), "已标记为处理完")
