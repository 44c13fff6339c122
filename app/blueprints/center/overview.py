"""概览: what the company has, until when, how full, and what it bought last."""

from __future__ import annotations

from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy import select

from app.blueprints.center import area
from app.blueprints.center.holdings import Subscription, subscriptions_of
from app.blueprints.center.roles import may_enter, room
from app.core import clock
from app.core.db import db
from app.orders.models import Order
from app.provisioning import queries as provisioning
from app.web.agreements import OPERATOR
from app.web.pages import page

_RECENT = 5


@area.get("/", endpoint="overview")
@room("overview")
def overview() -> ResponseReturnValue:
    sees_service, sees_orders = may_enter(current_user, "service"), may_enter(current_user, "orders")
    subscriptions: list[Subscription] = subscriptions_of(current_user.customer_id) if sees_service else []
    return page(
        "center/overview.html",
        greeting=_greeting(),
        subscriptions=subscriptions,
        licenses=provisioning.licenses_of(current_user.customer_id) if sees_service else [],
        orders=_recent_orders() if sees_orders else [],
        sees_service=sees_service,
        sees_orders=sees_orders,
        help_email=OPERATOR.email,
    )


def _recent_orders() -> list[Order]:
    return list(db.session.scalars(select(Order).order_by(Order.id.desc()).limit(_RECENT)))


def _greeting() -> str:
    hour = clock.now().astimezone(clock.SHANGHAI).hour
    for until, words in ((6, "夜深了"), (11, "上午好"), (13, "中午好"), (18, "下午好")):
        if hour < until:
            return words
    return "晚上好"
