"""What a person rarely meets and must not be left alone with: a late delivery, an ended term, an expired code, a fault of
ours, and paying inside WeChat. The database is brought into each state behind the product's back.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from app.core import clock
from tests.journeys.buyer import Buyer
from tests.journeys.product import Product
from tests.journeys.test_every_page import LOOKS, log_in_to_the_center
from tests.journeys.test_first_sale import register
from tests.journeys.visitor import DESK, PHONE, Visitor, visitor

pytestmark = pytest.mark.browser

INSIDE_WECHAT = {**PHONE, "user_agent": f"{PHONE['user_agent']} MicroMessenger/8.0.50"}
DEMO = "TENANT-DEMO-DEMO-DEMO-DEMO"


def change(product: Product, statement: str, *values: object) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(product.folder / "instance" / "yunke.db", timeout=20)
    try:
        with connection:
            return connection.execute(statement, values).fetchall()
    finally:
        connection.close()


@contextmanager
def nobody_at_work(product: Product) -> Iterator[None]:
    """Without workers and schedule things stay as they are."""
    hands = ("worker", "worker2", "clock")
    product.stop(*hands)
    try:
        yield
    finally:
        product.start(*hands)
        product.wait_until_ready()


@contextmanager
def without_table(product: Product, name: str) -> Iterator[None]:
    """Every request that reads the table fails, as it would with a broken database."""
    change(product, f"ALTER TABLE {name} RENAME TO {name}_gone")
    try:
        yield
    finally:
        change(product, f"ALTER TABLE {name}_gone RENAME TO {name}")


def at_home(person: Visitor, theme: str) -> None:
    person.context.add_cookies([{"name": "theme", "value": theme, "url": person.product.base_url}])
    log_in_to_the_center(person.page, person.product.base_url)


@pytest.mark.parametrize(("device", "theme"), [look[1:] for look in LOOKS], ids=[look[0] for look in LOOKS])
def test_a_customer_sees_how_his_late_delivery_and_his_ended_term_stand(
    product: Product, browser: Browser, device: dict[str, Any], theme: str
) -> None:
    [(order_no, order_id, ends)] = change(
        product,
        "SELECT o.order_no, o.id, t.expires_on FROM purchase_orders o JOIN tenants t ON t.order_id = o.id"
        " WHERE t.code = ?",
        DEMO,
    )
    with visitor(product, browser, device) as person, nobody_at_work(product):
        at_home(person, theme)
        try:
            for delivery, step, words in (("delivering", "running", "进行中"), ("failed", "failed", "没有成功")):
                change(product, "UPDATE purchase_orders SET delivery = ? WHERE id = ?", delivery, order_id)
                change(
                    product, "UPDATE delivery_steps SET state = ? WHERE order_id = ? AND position = 1", step, order_id
                )
                person.go(f"/my/orders/{order_no}")
                expect(person.page.locator("#order_steps")).to_contain_text(words)
                person.look()
            for days, words in ((3, "登录 CRM"), (30, "登录 CRM 查看"), (200, "登录 CRM 导出数据")):
                over = (clock.today() - timedelta(days=days)).isoformat()
                change(product, "UPDATE tenants SET expires_on = ? WHERE code = ?", over, DEMO)
                person.go("/my/")
                expect(person.page.get_by_role("button", name=words)).to_be_visible()
                person.look()
        finally:
            change(product, "UPDATE tenants SET expires_on = ? WHERE code = ?", ends, DEMO)
            change(product, "UPDATE delivery_steps SET state = 'done' WHERE order_id = ?", order_id)
            change(product, "UPDATE purchase_orders SET delivery = 'delivered' WHERE id = ?", order_id)


def test_an_expired_code_is_changed_for_a_new_one(product: Product, browser: Browser) -> None:
    buyer = Buyer(product.base_url, "13611110021")
    order_no = buyer.place()
    with visitor(product, browser, DESK) as person:
        person.context.add_cookies(
            [{"name": one.name, "value": one.value or "", "url": product.base_url} for one in buyer.session.cookies]
        )
        person.go(f"/checkout/orders/{order_no}")
        person.page.get_by_text("等待付款").wait_for()
        with nobody_at_work(product):
            change(
                product,
                "UPDATE payment_transactions SET expires_at = '2026-01-01 00:00:00.000000'"
                " WHERE order_id = (SELECT id FROM purchase_orders WHERE order_no = ?)",
                order_no,
            )
            expect(person.page.get_by_text("二维码已失效")).to_be_visible()
            person.look()
            person.page.get_by_role("button", name="换一个二维码").click()

        expect(person.page.get_by_text("等待付款")).to_be_visible(timeout=30_000)
        expect(person.page.get_by_role("img", name=re.compile("微信支付二维码"))).to_be_visible()


def test_inside_wechat_one_pays_in_place_and_takes_a_link_along_to_alipay(product: Product, browser: Browser) -> None:
    with visitor(product, browser, INSIDE_WECHAT) as person:
        page = person.page
        person.go("/checkout/saas?package=pro&months=12")
        page.get_by_role("button", name="下一步：填写信息").click()
        register(person, "13611110022", "微信里的贸易有限公司")
        sheet = page.get_by_role("button", name=re.compile("微信支付 ¥"))
        sheet.wait_for()
        person.look()
        order = page.url
        page.get_by_role("link", name="支付宝").click()
        expect(page.get_by_role("button", name="复制付款链接")).to_be_visible()
        person.look()

        page.goto(order)
        sheet.click()
        expect(page.get_by_text("没有打开微信支付")).to_be_visible()
        page.get_by_role("link", name=re.compile("模拟微信的付款界面")).click()
        page.get_by_role("button", name="确认付款").click()

        expect(page.locator(".code").first).to_contain_text("TENANT-", timeout=30_000)


def test_a_fault_of_ours_leaves_nobody_alone(product: Product, browser: Browser) -> None:
    with visitor(product, browser, PHONE) as person:
        page = person.page
        at_home(person, "light")
        person.go("/my/orders")
        with without_table(product, "purchase_orders"):
            page.locator("#order_list").get_by_role("link", name="已支付", exact=True).click()
            expect(page.get_by_role("alert").get_by_role("button", name="复制编号")).to_be_visible()
            person.look()
            person.go("/my/orders?status=paid")
            expect(page.get_by_role("heading", name="服务出错了，我们正在处理")).to_be_visible()
            person.look()

        page.get_by_role("link", name="重试").click()
        expect(page.get_by_role("heading", name="订单")).to_be_visible()
        assert page.url.endswith("/my/orders?status=paid")
        # The fault was ours: what the browser said of it is no trouble.
        person.troubles = [one for one in person.troubles if "500" not in one]
