"""A stranger opens the site, buys, pays, and works in what he bought: the whole tale, at a desk and with a phone."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.product import Product
from tests.journeys.visitor import DESK, PHONE, Visitor, visitor

pytestmark = pytest.mark.browser


def choose(person: Visitor, product_type: str) -> None:
    """From the home page over the price page to the first step of the checkout."""
    person.go("/")
    person.look()
    person.go("/pricing")
    person.look()
    page = person.page
    if product_type == "private":
        page.locator("label:has(input[name=mode][value=private])").click()
        person.look()
    page.locator(
        f"main a[href*='/checkout/{product_type}']:visible, main form[action*='/checkout/'] button:visible"
    ).first.click()
    person.page.wait_for_url(f"**/checkout/{product_type}**")
    person.look()
    person.page.get_by_role("button", name="下一步：填写信息").click()


def register(person: Visitor, phone: str, company: str) -> None:
    """Fill in who buys, with the code of a real SMS."""
    page = person.page
    page.wait_for_url("**/info**")
    person.look()
    page.get_by_label("企业名称").fill(company)
    page.get_by_label("联系人", exact=False).first.fill("周予安")
    page.get_by_label("邮箱").fill("zhou@qinghe.com")
    page.get_by_label("手机号", exact=True).fill(phone)
    page.get_by_role("button", name="获取验证码").click()
    page.get_by_text("验证码已发送").wait_for()
    person.wait_for_sms(phone)
    page.get_by_label("验证码", exact=True).fill(person.sms_code(phone))
    page.get_by_label(re.compile("我已阅读并同意")).check()
    page.get_by_role("button", name="下一步：确认订单").click()
    page.wait_for_url("**/checkout/orders/*")
    person.look()


def pay_by_wechat(person: Visitor) -> None:
    """At a desk: scan with a phone, which is another tab here. With a phone: WeChat's own cashier."""
    page = person.page
    if page.viewport_size and page.viewport_size["width"] < 600:
        page.get_by_role("link", name="打开微信付款").click()
        page.get_by_role("button", name="确认付款").click()
        return
    with page.expect_popup() as opened:
        page.get_by_role("link", name=re.compile("模拟微信扫码")).click()
    phone = opened.value
    person.look(phone)
    phone.get_by_role("button", name="确认付款").click()
    phone.wait_for_load_state()
    phone.close()


def pay_by_alipay(person: Visitor) -> None:
    """Alipay's cashier is a page of its own, in a tab of its own at a desk; it leads back to the order."""
    page = person.page
    page.get_by_role("link", name="支付宝").click()
    button = page.locator("#open-alipay")
    button.wait_for()
    cashier: Page = page
    if button.locator("xpath=ancestor::form").get_attribute("target") == "_blank":
        with page.expect_popup() as opened:
            button.click()
        cashier = opened.value
    else:
        button.click()
    cashier.get_by_role("button", name="登录并付款").wait_for()
    person.look(cashier)
    cashier.get_by_role("button", name="登录并付款").click()
    cashier.wait_for_url("**/checkout/orders/*")


def enter_the_crm(person: Visitor, code: str, password: str) -> None:
    """Log in with the code on the screen, and change the first password before anything else."""
    page = person.page
    page.get_by_role("link", name="登录 CRM 系统").click()
    page.wait_for_url("**/crm/login**")
    person.look()
    page.get_by_label("账号").fill("admin")
    page.get_by_label("密码", exact=True).fill(password)
    page.get_by_role("button", name="登录").click()
    page.wait_for_url("**/crm/password**")
    person.look()
    page.locator("[name=password]").fill("qinghe-2026-yunke")
    page.locator("[name=again]").fill("qinghe-2026-yunke")
    page.get_by_role("button", name="设好密码，开始使用").click()
    page.wait_for_url(re.compile(r"/crm/(?!password)"))
    person.look()


def add_a_customer(person: Visitor) -> None:
    page = person.page
    person.go("/crm/customers")
    person.look()
    person.go("/crm/customers/new")
    person.look()
    page.get_by_label("公司", exact=False).first.fill("杭州青禾电子商务有限公司")
    page.get_by_label("联系人", exact=False).first.fill("林知夏")
    page.get_by_label("电话", exact=False).first.fill("13712345678")
    page.get_by_role("button", name="保存", exact=True).first.click()
    page.wait_for_url(re.compile(r"/crm/customers(/[0-9a-f-]{36})?(\?.*)?$"))
    person.look()
    person.go("/crm/customers?q=青禾")
    expect(page.get_by_text("杭州青禾电子商务有限公司").filter(visible=True).first).to_be_visible()


@pytest.mark.parametrize(("device", "phone"), [(DESK, "13611110001"), (PHONE, "13611110002")], ids=["desk", "phone"])
def test_a_stranger_buys_a_tenant_with_wechat_pay_and_works_in_it(
    product: Product, browser: Browser, device: dict[str, Any], phone: str
) -> None:
    with visitor(product, browser, device) as person:
        choose(person, "saas")
        register(person, phone, f"青禾{phone[-4:]}电子商务有限公司")
        pay_by_wechat(person)

        code = person.page.locator(".code").first
        expect(code).to_contain_text("TENANT-", timeout=30_000)
        person.look()
        password = person.page.locator(".code").nth(1).inner_text().strip()
        enter_the_crm(person, code.inner_text().strip(), password)
        add_a_customer(person)


@pytest.mark.parametrize(("device", "phone"), [(DESK, "13611110003"), (PHONE, "13611110004")], ids=["desk", "phone"])
def test_a_stranger_buys_a_licence_with_alipay_and_finds_his_downloads(
    product: Product, browser: Browser, device: dict[str, Any], phone: str
) -> None:
    with visitor(product, browser, device) as person:
        choose(person, "private")
        register(person, phone, f"远山{phone[-4:]}制造有限公司")
        pay_by_alipay(person)

        expect(person.page.locator(".code").first).to_contain_text("PRIV-", timeout=30_000)
        person.look()
        expect(person.page.get_by_role("link", name=re.compile("下载")).first).to_be_visible()


def test_the_whole_purchase_works_without_script(product: Product, browser: Browser) -> None:
    with visitor(product, browser, DESK, java_script_enabled=False) as person:
        page = person.page
        person.go("/checkout/saas?package=pro&months=12")
        page.get_by_role("button", name="下一步：填写信息").click()
        page.get_by_label("企业名称").fill("无脚本贸易有限公司")
        page.get_by_label("联系人", exact=False).first.fill("许念")
        page.get_by_label("手机号", exact=True).fill("13611110005")
        page.get_by_role("button", name="获取验证码").click()
        person.wait_for_sms("13611110005")
        page.get_by_label("验证码", exact=True).fill(person.sms_code("13611110005"))
        page.get_by_label(re.compile("我已阅读并同意")).check()
        page.get_by_role("button", name="下一步：确认订单").click()
        page.wait_for_url("**/checkout/orders/*")
        order = page.url
        page.get_by_role("link", name="支付宝").click()
        with page.expect_popup() as opened:
            page.locator("#open-alipay").click()
        opened.value.get_by_role("button", name="登录并付款").click()

        page.goto(order)
        expect(page.locator(".code").first).to_contain_text("TENANT-", timeout=30_000)
