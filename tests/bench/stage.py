"""The stage of the benchmark: a running product with a tenant of many customers, and the cookies of its people."""

from __future__ import annotations

import base64
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from flask import Flask, Response, session
from sqlalchemy import Engine, create_engine, event, func, insert, make_url, select, text, update

from app import create_app
from app.config import load
from app.core import clock, tenancy
from app.core.db import db, uuid7
from app.crm.access import tenants, users
from app.crm.access.models import CrmUser
from app.crm.customers.models import CrmCustomer
from app.crm.leads.models import Lead
from app.customers.models import Person
from app.demo import million
from app.gateways.sandbox import Sandbox
from app.orders.models import Order
from app.payments.models import GatewayNotice, Payment
from app.provisioning.models import DeliveryStep, Tenant
from app.web import identity
from tests.bench.measure import Request
from tests.journeys.buyer import Buyer
from tests.journeys.product import Product

Found = TypeVar("Found")

SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦许何吕施张孔曹严华金魏陶姜"
TRADES = ["电子商务", "信息科技", "机械制造", "教育咨询", "物流", "医疗器械", "建筑装饰", "食品贸易"]
CITIES = ["杭州", "上海", "苏州", "深圳", "成都", "武汉", "西安", "厦门"]
SOURCES = ["官网", "转介绍", "展会", "电话", "抖音", "其他"]


@dataclass
class Stage:
    """Everything the measurements need of the product."""

    product: Product
    sandbox: Sandbox
    app: Flask
    tenant_id: str = ""
    cookies: dict[str, str] | None = None
    order_no: str = ""
    lead_id: str = ""  # one of the salesperson's
    paid_attempt: str = ""


def application(product: Product) -> Flask:
    """The product's application in this process, over the same database: for seeding, and for counting queries."""
    os.environ.update({name: value for name, value in product.environment.items() if name.isupper()})
    return create_app(load())


def empty_database(url: str) -> str:
    """A database of the benchmark's own beside the one that ``url`` names, made anew; "" stays the SQLite default."""
    if not url or url.startswith("sqlite"):
        return url
    wanted = make_url(url)
    name = f"{wanted.database or 'test'}_bench"
    mark = '"' if wanted.get_backend_name() == "postgresql" else "`"
    engine = create_engine(wanted, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {mark}{name}{mark}"))
        connection.execute(text(f"CREATE DATABASE {mark}{name}{mark}"))
    engine.dispose()
    return wanted.set(database=name).render_as_string(hide_password=False)


def set_up(product: Product, rows: int) -> Stage:
    """Sell a tenant, fill it with ``rows`` customers and a fifth as many leads, leave another order unpaid, and log everybody in."""
    app = application(product)
    sandbox = Sandbox.open(product.folder / "instance", public_url=product.base_url)
    stage = Stage(product, sandbox, app)
    owner = Buyer(product.base_url, "13700000001", address="10.9.0.1")
    sold = owner.place()
    owner.choose("wechat")
    stage.paid_attempt = pay(stage, sold)
    owner.wait_until_delivered()
    waiting = Buyer(product.base_url, "13700000002", address="10.9.0.2")
    stage.order_no = waiting.place()
    waiting.choose("wechat")
    eventually(lambda: attempt_of(app, stage.order_no))
    with app.app_context():
        stage.tenant_id = _fill(sold, rows)
        salespeople = _take_on_salespeople(stage.tenant_id)
        for _ in million.fill(stage.tenant_id, salespeople, rows // 5):
            pass
        stage.lead_id = _a_lead_of(salespeople[0])
        _know_how_many_there_are()
        stage.cookies = {"buyer": waiting.cookies(), **_log_everybody_in(app, sold, salespeople[0])}
    owner.session.close()
    waiting.session.close()
    return stage


def pay(stage: Stage, order_no: str) -> str:
    """Scan and pay with a phone that knows the gateway's books; gives the attempt's number."""
    attempt = eventually(lambda: attempt_of(stage.app, order_no))
    trade = eventually(lambda: stage.sandbox.books.find("wechat", out_trade_no=attempt))
    stage.sandbox.books.pay(trade)
    return attempt


def eventually(look: Callable[[], Found | None], seconds: float = 30) -> Found:
    """What ``look`` finds, as soon as it finds something; raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing after {seconds} s")
        time.sleep(0.02)
    return found


def attempt_of(app: Flask, order_no: str) -> str | None:
    """The number of the order's attempt to pay, once the gateway knows it."""
    with app.app_context(), tenancy.scope(tenancy.everyone("the benchmark looks")) as work:
        statement = select(Payment.attempt_no).join(Order, Order.id == Payment.order_id)
        return work.scalars(statement.where(Order.order_no == order_no, Payment.started_at.is_not(None))).first()


def _fill(order_no: str, rows: int) -> str:
    chance = random.Random(7)
    now = clock.now()
    with tenancy.scope(tenancy.everyone("fill a tenant")) as work:
        tenant_id = work.scalars(
            select(Tenant.id).join(Order, Order.id == Tenant.order_id).where(Order.order_no == order_no)
        ).one()
        work.execute(
            update(CrmUser.__table__)
            .values(must_change_password=False)
            .where(CrmUser.__table__.c.tenant_id == tenant_id)
        )
        owner_id = work.scalars(select(CrmUser.id).where(CrmUser.tenant_id == tenant_id)).first()
        for begin in range(0, rows, 5000):
            batch = [_customer(n, chance, tenant_id, owner_id, now) for n in range(begin, min(begin + 5000, rows))]
            work.execute(insert(CrmCustomer.__table__), batch)
    return tenant_id


def _take_on_salespeople(tenant_id: str) -> list[str]:
    """The ids of five, each with leads of his own."""
    with tenancy.scope(tenancy.tenant(tenant_id)):
        tenant = tenants.by_id(tenant_id)
        assert tenant is not None
        return [
            users.create_user(tenant, f"sales{n}", f"销售{n}", "sales", "yunke-bench-2026", must_change=False).id
            for n in range(5)
        ]


def _a_lead_of(user_id: str) -> str:
    with tenancy.scope(tenancy.everyone("find a lead")) as work:
        return work.scalars(select(Lead.id).where(Lead.owner_id == user_id).limit(1)).one()


def _know_how_many_there_are() -> None:
    """The database plans by its statistics, as it does where rows come day by day."""
    if db.engine.dialect.name == "postgresql":
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
    elif db.engine.dialect.name == "sqlite":
        with db.engine.begin() as connection:
            connection.execute(text("ANALYZE"))


def _customer(n: int, chance: random.Random, tenant_id: str, owner_id: str | None, now: Any) -> dict[str, Any]:
    name = f"{chance.choice(CITIES)}{chance.choice(SURNAMES)}氏{n:06d}{chance.choice(TRADES)}有限公司"
    at = now - timedelta(seconds=60 * (n + 1))
    return {
        "id": uuid7(),
        "tenant_id": tenant_id,
        "name": name,
        "contact_name": chance.choice(SURNAMES) + "经理",
        "phone_masked": f"138****{n % 10000:04d}",
        "region": chance.choice(CITIES),
        "source": chance.choice(SOURCES),
        "remark": "",
        "owner_id": owner_id if n % 3 else None,
        "version": 1,
        "name_key": f"kehu{n:06d}",
        "company_key": name,
        "search_text": f"{name} kehu{n:06d}",
        "created_at": at,
        "updated_at": at,
    }


def _log_everybody_in(app: Flask, order_no: str, salesperson: str) -> dict[str, str]:
    with tenancy.scope(tenancy.everyone("who logs in")) as work:
        customer_id = work.scalars(select(Order.customer_id).where(Order.order_no == order_no)).one()
        person = work.scalars(select(Person).where(Person.customer_id == customer_id)).first()
        sales = work.get_one(CrmUser, salesperson)
        user = work.scalars(
            select(CrmUser).where(CrmUser.tenant_id == sales.tenant_id, CrmUser.username == "admin")
        ).one()
        work.expunge_all()
        return {
            "person": _cookie(app, "/my/", person),
            "crm_user": _cookie(app, "/crm/", user),
            "sales": _cookie(app, "/crm/", sales),
        }


def _cookie(app: Flask, path: str, person: Any) -> str:
    """The session cookie of somebody who has logged in."""
    with app.test_request_context(path):
        identity.log_in(person)
        answer = Response()
        app.session_interface.save_session(app, session._get_current_object(), answer)  # type: ignore[attr-defined]
        return answer.headers["Set-Cookie"].partition(";")[0]


def deep_cursor(stage: Stage, offset: int) -> str:
    """The list's place after ``offset`` rows, as its pages write it."""
    with stage.app.app_context(), tenancy.scope(tenancy.everyone("find a deep page")) as work:
        row = work.execute(
            select(CrmCustomer.updated_at, CrmCustomer.id)
            .where(CrmCustomer.tenant_id == stage.tenant_id)
            .order_by(CrmCustomer.updated_at.desc(), CrmCustomer.id.desc())
            .offset(offset)
            .limit(1)
        ).one()
    return base64.urlsafe_b64encode(json.dumps([">", row[0].isoformat(), row[1]]).encode()).decode().rstrip("=")


@contextmanager
def counting() -> Iterator[list[tuple[str, Any]]]:
    """The statements (with their parameters) that run meanwhile; transaction control does not count."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            seen.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def statements_of(app: Flask, request: Request) -> list[tuple[str, Any]]:
    """What a request asks the database, the second time it comes: caches are warm then, as in a running process."""
    client = app.test_client(use_cookies=False)
    for _ in range(2):
        body, more = request.make() if request.make else (None, {})
        with counting() as seen:
            client.open(request.path, method=request.method, data=body, headers={**request.headers, **more})
    return seen


def notice(stage: Stage) -> Request:
    """A genuine notice of a paid trade, signed anew each time: settled long ago, so it is verified, stored, and done."""
    notices, books = stage.sandbox.wechat.notices, stage.sandbox.books
    trade = books.find("wechat", out_trade_no=stage.paid_attempt)
    assert trade is not None

    def make() -> tuple[bytes, dict[str, str]]:
        body = notices.body(uuid7(), books.clock(), trade, None)
        return body, notices.headers(body, trade.signed_with)

    return Request("/pay/wechat/notify", method="POST", make=make)


def delays(app: Flask, since: Any) -> tuple[list[float], list[float]]:
    """Seconds to the delivered order, for every order delivered ``since``: from the gateway's notice at our door, and
    from the first step of the delivery, which is after the queue.
    """
    with app.app_context(), tenancy.scope(tenancy.everyone("the benchmark looks")) as work:
        rows = work.execute(
            select(func.min(GatewayNotice.created_at), func.min(DeliveryStep.started_at), Order.delivered_at)
            .join(Order, Order.id == GatewayNotice.order_id)
            .join(DeliveryStep, DeliveryStep.order_id == Order.id)
            .where(Order.delivered_at.is_not(None), Order.paid_at > since)
            .group_by(Order.id, Order.delivered_at)
        ).all()
    return (
        sorted((delivered - told).total_seconds() for told, _, delivered in rows),
        sorted((delivered - began).total_seconds() for _, began, delivered in rows),
    )
