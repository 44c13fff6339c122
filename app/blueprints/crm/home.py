"""工作台: where the day begins."""

from __future__ import annotations

from flask import g
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.blueprints.crm import area
from app.core import clock
from app.crm.access import users
from app.crm.customers import queries
from app.web.pages import page


@area.get("/")
def home() -> ResponseReturnValue:
    return page(
        "crm/home.html",
        greeting=_greeting(),
        figures=queries.figures(current_user.id, g.tenant.id),
        recent=queries.recent(),
        user_count=users.count(g.tenant.id),
        days_left=(g.tenant.expires_on - clock.today()).days,
        count_up_to=queries.COUNT_UP_TO,
    )


def _greeting() -> str:
    hour = clock.now().astimezone(clock.SHANGHAI).hour
    return (
        "夜深了"
        if hour < 5
        else "早上好"
        if hour < 11
        else "中午好"
        if hour < 13
        else "下午好"
        if hour < 18
        else "晚上好"
    )
