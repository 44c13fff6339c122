"""What a subscription and a licence show over the years: reminders, the end of the term, versions that came too late."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from app.blueprints.center.holdings import Subscription
from app.core import clock, tenancy
from app.core.db import db
from app.orders.models import Order
from app.provisioning.models import DeliveryStep, License, Tenant
from app.provisioning.releases import publish_release
from tests.areas.center.conftest import STRANGER, Company, log_in
from tests.areas.center.test_doors import change

HTMX = {"HX-Request": "true"}


def left(days: int) -> Subscription:
    tenant = Tenant(status="active", expires_on=clock.today() + timedelta(days=days))
    return Subscription(tenant, days, 3)


@pytest.mark.parametrize(
    ("days", "now", "past"),
    [
        (200, None, 0),
        (31, None, 0),
        (30, "30 天", 0),
        (15, "15 天", 1),
        (8, "15 天", 1),
        (1, "1 天", 4),
        (0, "到期", 5),
    ],
)
def test_the_reminders_light_up_one_after_the_other(days: int, now: str | None, past: int) -> None:
    dots = left(days).milestones

    assert [dot.label for dot in dots if dot.state == "now"] == ([now] if now else [])
    assert sum(dot.state == "past" for dot in dots) == past


@pytest.mark.parametrize(
    ("days", "words"), [(15, "还剩 15 天"), (0, "今天到期"), (-3, "已到期 3 天"), (209, "还剩 209 天")]
)
def test_the_days_left_are_said_in_words(days: int, words: str) -> None:
    assert left(days).left == words


@pytest.mark.parametrize(
    ("days", "state", "sentence", "button"),
    [
        (31, "使用中", "", "一键登录 CRM"),
        (30, "快到期", "到期后还能照常使用 7 天", "一键登录 CRM"),
        (0, "快到期", "到期后还能照常使用 7 天", "一键登录 CRM"),
        (-1, "已到期，宽限中", "还能照常使用到", "一键登录 CRM"),
        (-7, "已到期，宽限中", "还能照常使用到", "一键登录 CRM"),
        (-8, "已到期，只能查看", "现在只能查看", "登录 CRM 查看"),
        (-97, "已到期，只能查看", "现在只能查看", "登录 CRM 查看"),
        (-98, "已到期，只能导出", "现在只能导出", "登录 CRM 导出数据"),
    ],
)
def test_state_sentence_and_button_say_what_still_works(days: int, state: str, sentence: str, button: str) -> None:
    item = left(days)

    assert (item.state[1], item.enter_words) == (state, button)
    assert sentence in item.what_now
    assert bool(item.what_now) == bool(sentence)


@pytest.mark.parametrize(
    ("days", "now"), [(-1, "宽限期"), (-7, "宽限期"), (-8, "只能查看"), (-97, "只能查看"), (-98, "只能导出")]
)
def test_after_the_term_the_dots_say_what_becomes_of_the_tenant(days: int, now: str) -> None:
    dots = left(days).milestones

    assert [dot.label for dot in dots if dot.state == "now"] == [now]
    assert next(dot.begins_on for dot in dots if dot.label == now) <= clock.today()  # type: ignore[operator]


def test_the_last_day_counts_to_its_end_in_shanghai(at_home: FlaskClient, owner: Company) -> None:
    last_evening = datetime(2026, 12, 31, 15, 59, tzinfo=UTC)
    with clock.held(last_evening):
        change(Tenant, owner.tenant.id, expires_on=last_evening.date())
        log_in(at_home)  # weeks have passed
        assert "今天到期" in at_home.get("/my/subscription").text

    with clock.held(last_evening + timedelta(minutes=1)):
        page = at_home.get("/my/subscription").text

    assert "已到期 1 天" in page and "照常使用到 2027-01-07" in page


@pytest.mark.parametrize(
    ("utc_hour", "words"), [(0, "上午好"), (3, "中午好"), (6, "下午好"), (12, "晚上好"), (17, "夜深了"), (22, "上午好")]
)
def test_the_greeting_goes_by_the_clock_in_shanghai(at_home: FlaskClient, utc_hour: int, words: str) -> None:
    tomorrow = (clock.now() + timedelta(hours=1)).replace(minute=30)
    with clock.held(tomorrow.replace(hour=utc_hour)):
        assert f"，{words}" in at_home.get("/my/").text


@pytest.mark.parametrize(("status", "words"), [("preparing", "正在开通"), ("closed", "已停用")])
def test_a_tenant_that_is_not_open_has_no_door(at_home: FlaskClient, owner: Company, status: str, words: str) -> None:
    change(Tenant, owner.tenant.id, status=status)

    page = at_home.get("/my/subscription").text
    answer = at_home.post(f"/my/tenants/{owner.tenant.id}/open")

    assert words in page and "一键登录 CRM" not in page
    assert answer.status_code == 409


# Deliveries under way


def test_a_delivery_under_way_asks_for_itself_until_it_is_done(at_home: FlaskClient, owner: Company) -> None:
    change(Order, owner.order.id, delivery="delivering")
    path = f"/my/orders/{owner.order.order_no}"
    ask = {**HTMX, "HX-Target": "order_steps"}

    page, fragment = at_home.get(path).text, at_home.get(path, headers=ask).text
    change(Order, owner.order.id, delivery="delivered")
    end = at_home.get(path, headers=ask)

    assert 'hx-trigger="every 2s"' in page and 'hx-trigger="every 2s"' in fragment and "<html" not in fragment
    assert end.headers["HX-Refresh"] == "true"
    assert "hx-trigger" not in at_home.get(path).text.split('id="order_steps"')[1]


def test_the_words_of_an_error_are_for_staff(at_home: FlaskClient, owner: Company) -> None:
    change(Order, owner.order.id, delivery="failed")
    with tenancy.scope(tenancy.everyone("a test breaks a step")) as session:
        step = session.scalars(db.select(DeliveryStep).where(DeliveryStep.name == "open_tenant")).one()
        step.state, step.error = "failed", "ConnectionError: db-7.internal does not answer"

    page = at_home.get(f"/my/orders/{owner.order.order_no}").text

    assert "ConnectionError" not in page and "internal" not in page
    assert "不用再付" in page and "没有成功" in page and "自动重试" not in page


# Versions and maintenance


@pytest.fixture
def licensee(client: FlaskClient, stranger: Company) -> FlaskClient:
    log_in(client, STRANGER)
    return client


def publish(version: str, days: int = 0) -> None:
    with clock.held(clock.now() + timedelta(days=days)), tenancy.scope(tenancy.everyone("publish a release")):
        publish_release(version)


def test_after_maintenance_the_last_covered_version_stays_and_the_newer_one_is_explained(
    licensee: FlaskClient, stranger: Company
) -> None:
    publish("6.0.2")
    publish("7.0.0", days=400)

    page = licensee.get("/my/licenses").text
    links = re.findall(r'href="(/my/downloads/[^"]+)"', page)

    assert page.count("V6.0.2") == 3 and len(links) == 3
    assert page.index("Linux 版") < page.index("Windows 版") < page.index("Docker 版")
    assert "V7.0.0 在维护服务到期" in page and "上面的版本一直可以下载" in page
    with licensee.get(links[0]) as download:
        assert download.status_code == 200


def test_a_revoked_licence_says_so_and_gives_nothing(licensee: FlaskClient, stranger: Company) -> None:
    publish("6.0.2")
    change(License, stranger.license.id, status="revoked")

    page = licensee.get("/my/licenses").text

    assert "已作废，不能再下载" in page and "/my/downloads/" not in page


def test_an_old_link_says_how_to_get_a_new_one(licensee: FlaskClient) -> None:
    publish("6.0.2")
    link = re.search(r'href="(/my/downloads/[^"]+)"', licensee.get("/my/licenses").text)[1]

    with clock.held(clock.now() + timedelta(minutes=11)):
        late = licensee.get(link)

    assert late.status_code == 422 and "10 分钟" in late.text
