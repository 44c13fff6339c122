"""A record's page and its forms, the same for a lead, a customer and a contact."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from app.core.audit import AuditEvent
from app.core.db import db
from app.crm.customers.models import Contact, CrmCustomer
from app.crm.leads.models import Lead
from app.crm.records.models import Operation
from tests.company import Company, CrmBrowser, working

pytestmark = pytest.mark.database

LI = {
    "name": "李牧之",
    "company": "宁波远帆跨境电商有限公司",
    "title": "采购总监",
    "phone": "13900136721",
    "tags": "API,专业版",
}
HTMX = {"HX-Request": "true"}


def hidden(page: str, name: str) -> str:
    """The value of a hidden field of a form."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name}"
    return found[1].replace("&#34;", '"').replace("&quot;", '"')


@pytest.fixture
def li(ours: Company, record: Callable[..., str]) -> str:
    return record(ours, "lead", owner="sales1", **LI)


@pytest.fixture
def sales(ours: Company, browser: Callable[..., CrmBrowser]) -> CrmBrowser:
    return browser(ours, "sales1")


def only(model: type) -> Any:
    return db.session.scalars(db.select(model).execution_options(whole_tenant=True)).one()


@pytest.mark.parametrize(
    ("thing", "plural", "name"),
    [("lead", "leads", "李牧之"), ("customer", "customers", "北京优远"), ("contact", "contacts", "王沐阳")],
)
def test_every_object_has_its_page_and_forms(
    ours: Company, sales: CrmBrowser, record: Callable[..., str], thing: str, plural: str, name: str
) -> None:
    key = record(ours, thing, owner="sales1", name=name)

    assert name in sales.get(f"/crm/{plural}/{key}").text
    assert name in sales.get(f"/crm/{plural}/{key}/edit").text
    assert sales.get(f"/crm/{plural}/new").status_code == 200


def test_the_page_shows_the_mask_and_never_the_number(ours: Company, li: str, sales: CrmBrowser) -> None:
    page = sales.get(f"/crm/leads/{li}").text

    assert "139****6721" in page and "采购总监，宁波远帆跨境电商有限公司" in page and "专业版" in page
    assert "13900136721" not in page and "139 0013 6721" not in page


def test_a_new_record_is_made_once_however_often_its_form_is_sent(ours: Company, sales: CrmBrowser) -> None:
    draft = hidden(sales.get("/crm/leads/new").text, "draft")
    sent = {"draft": draft, "name": "王沐阳", "phone": "13700137000", "tags": "API、专业版", "priority": "high"}

    first, second = sales.post("/crm/leads/new", data=sent), sales.post("/crm/leads/new", data=sent)

    assert first.status_code == second.status_code == 303 and first.location == second.location
    with working(ours):
        lead = only(Lead)
        assert (lead.name, lead.tags, lead.priority, lead.source) == ("王沐阳", ["API", "专业版"], "high", "other")


def test_what_is_wrong_is_said_beside_each_field_and_what_was_typed_stays(ours: Company, sales: CrmBrowser) -> None:
    answer = sales.post("/crm/leads/new", data={"name": "", "phone": "138001380", "email": "nobody", "amount": "很多"})

    assert answer.status_code == 422
    for words in ("请填姓名。", "少了 2 位", "这不像一个邮箱地址", "预计金额要填金额", "138001380", "nobody"):
        assert words in answer.text


def test_a_field_one_may_not_write_is_refused_by_name(
    ours: Company, li: str, sales: CrmBrowser, set_fields: Callable[..., None]
) -> None:
    set_fields("sales", {"lead": {"amount": "read", "region": "hidden"}})

    page = sales.get(f"/crm/leads/{li}/edit").text
    assert "地区" not in page and 'name="amount"' not in page

    refused = sales.post(f"/crm/leads/{li}/edit", data={"name": "李牧之", "amount": "5"})
    assert refused.status_code == 403 and "预计金额" in refused.text


def test_two_people_at_one_record_lose_nothing(ours: Company, li: str, browser: Callable[..., CrmBrowser]) -> None:
    sales, manager = browser(ours, "sales1"), browser(ours, "manager")
    mine, theirs = (who.get(f"/crm/leads/{li}/edit").text for who in (sales, manager))
    base = {"name": "李牧之", "company": LI["company"], "title": LI["title"], "phone": "139****6721", "tags": "API、专业版",
            "source": "other", "priority": "medium", "owner_id": ours.people["sales1"]}  # fmt: skip

    manager.post(
        f"/crm/leads/{li}/edit", data=base | {"seen": hidden(theirs, "seen"), "title": "副总", "region": "宁波"}
    )
    answer = sales.post(
        f"/crm/leads/{li}/edit", data=base | {"seen": hidden(mine, "seen"), "title": "总监", "wechat": "li"}
    )

    assert answer.status_code == 422 and '同事保存的是「<b class="font-medium">副总</b>」' in answer.text
    assert "同事改过职位" in answer.text

    region = re.search(r'name="region"[^>]*value="([^"]*)"|value="([^"]*)"[^>]*name="region"', answer.text)
    # What only the other changed stands in the form, or it would be lost now
    assert region and "宁波" in region.groups()
    again = base | {"seen": hidden(answer.text, "seen"), "title": "总监", "wechat": "li", "region": "宁波"}
    assert sales.post(f"/crm/leads/{li}/edit", data=again).status_code == 303
    with working(ours):
        lead = only(Lead)
        assert (lead.title, lead.wechat, lead.region) == ("总监", "li", "宁波")


def test_what_only_one_of_them_changed_needs_no_question(
    ours: Company, li: str, browser: Callable[..., CrmBrowser]
) -> None:
    sales, manager = browser(ours, "sales1"), browser(ours, "manager")
    mine = hidden(sales.get(f"/crm/leads/{li}/edit").text, "seen")
    manager.post(f"/crm/leads/{li}/facts/region", data={"region": "宁波"})

    answer = sales.post(f"/crm/leads/{li}/edit", data={"name": "李牧之", "region": "", "wechat": "li", "seen": mine})

    assert answer.status_code == 303
    with working(ours):
        lead = only(Lead)
        assert (lead.region, lead.wechat) == ("宁波", "li")


def test_an_old_form_without_marks_does_not_write_over_a_newer_version(
    ours: Company, li: str, sales: CrmBrowser
) -> None:
    sales.post(f"/crm/leads/{li}/facts/region", data={"region": "宁波"})

    answer = sales.post(f"/crm/leads/{li}/edit", data={"name": "李牧之", "region": "杭州", "version": "1"})

    assert answer.status_code == 422 and "刚被别人改过" in answer.text


def test_a_fact_is_changed_in_place(ours: Company, li: str, sales: CrmBrowser) -> None:
    form = sales.get(f"/crm/leads/{li}?edit=region", headers=HTMX | {"HX-Target": "record_facts"}).text
    assert 'name="region"' in form and "<html" not in form

    answer = sales.post(
        f"/crm/leads/{li}/facts/region", data={"region": "宁波", "seen": hidden(form, "seen")},
        headers=HTMX | {"HX-Target": "record_facts"},
    )  # fmt: skip

    assert answer.status_code == 200 and "宁波" in answer.text and "record_changed" in answer.headers["HX-Trigger"]


def test_a_colleagues_new_value_is_not_overwritten_in_place(
    ours: Company, li: str, browser: Callable[..., CrmBrowser]
) -> None:
    sales, manager = browser(ours, "sales1"), browser(ours, "manager")
    seen = hidden(sales.get(f"/crm/leads/{li}?edit=region").text, "seen")
    manager.post(f"/crm/leads/{li}/facts/region", data={"region": "宁波"})

    answer = sales.post(f"/crm/leads/{li}/facts/region", data={"region": "杭州", "seen": seen})

    assert answer.status_code == 422 and "同事刚把它改成「宁波」" in answer.text


def test_a_contact_names_its_customer_by_id_or_by_a_name_that_only_one_has(
    ours: Company, sales: CrmBrowser, record: Callable[..., str]
) -> None:
    first = record(ours, "customer", owner="sales1", name="北京优远")
    hits = sales.get("/crm/customers/suggest?q=bjyy").json
    assert [hit["id"] for hit in hits] == [first]

    assert sales.post("/crm/contacts/new", data={"name": "王沐阳", "customer_id": "北京优远"}).status_code == 303
    second = record(ours, "customer", owner="sales1", name="北京优远")
    unclear = sales.post("/crm/contacts/new", data={"name": "李牧之", "customer_id": "北京优远"})
    assert unclear.status_code == 422 and "有几位客户叫这个名字" in unclear.text
    chosen = {"name": "李牧之", "customer_id": "北京优远", "id_of_customer_id": second}
    assert sales.post("/crm/contacts/new", data=chosen).status_code == 303

    with working(ours):
        there = dict(db.session.execute(db.select(Contact.name, Contact.customer_id)).all())
        assert there == {"王沐阳": first, "李牧之": second}


def test_the_name_of_an_unseen_customer_is_no_way_to_it(
    ours: Company, sales: CrmBrowser, record: Callable[..., str]
) -> None:
    record(ours, "customer", owner="sales3", name="别人的客户")

    answer = sales.post("/crm/contacts/new", data={"name": "王沐阳", "customer_id": "别人的客户"})

    assert answer.status_code == 422 and "没有找到叫这个名字的客户" in answer.text


def test_a_stranger_and_a_colleague_without_the_right_find_no_page(
    ours: Company, theirs: Company, li: str, browser: Callable[..., CrmBrowser]
) -> None:
    for company, username in ((theirs, "admin"), (ours, "sales2")):
        client = browser(company, username)
        assert client.get(f"/crm/leads/{li}").status_code == 404
        assert client.get(f"/crm/leads/{li}/edit").status_code == 404
        assert client.post(f"/crm/leads/{li}/edit", data={"name": "x"}).status_code == 404
        assert client.get(f"/crm/leads/{li}/delete").status_code in {403, 404}
        assert client.post(f"/crm/leads/{li}/reveal/phone", data={"reason": "x"}).status_code in {403, 404}


def test_a_reader_sees_the_page_and_no_way_to_change_it(
    ours: Company, li: str, browser: Callable[..., CrmBrowser]
) -> None:
    looker = browser(ours, "looker")

    page = looker.get(f"/crm/leads/{li}").text
    assert "李牧之" in page and "/edit" not in page and "/reveal/" not in page and "?edit=" not in page
    assert looker.get(f"/crm/leads/{li}/edit").status_code == 403
    assert looker.post(f"/crm/leads/{li}/facts/region", data={"region": "x"}).status_code == 403
    assert looker.post(f"/crm/leads/{li}/reveal/phone", data={"reason": "x"}).status_code == 403


def test_a_number_is_shown_with_a_reason_that_stands_in_the_audit(ours: Company, li: str, sales: CrmBrowser) -> None:
    without = sales.post(f"/crm/leads/{li}/reveal/phone", data={"reason": " "})
    assert without.status_code == 422 and "为什么要看" in without.text

    answer = sales.post(f"/crm/leads/{li}/reveal/phone", data={"quick": "打电话跟进"})

    assert "139 0013 6721" in answer.text
    with working(ours):
        seen = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "unmask")).one()
        assert (seen.actor_id, seen.reason, seen.entity_id) == (ours.people["sales1"], "打电话跟进", li)


def test_nobody_collects_numbers(ours: Company, li: str, sales: CrmBrowser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.crm.records.unmask.MOST", 3)
    codes = [sales.post(f"/crm/leads/{li}/reveal/phone", data={"quick": "打电话跟进"}).status_code for _ in range(4)]

    assert codes == [200, 200, 200, 429]


def test_a_deleted_record_is_in_the_bin_and_comes_back(ours: Company, li: str, sales: CrmBrowser) -> None:
    assert "移到回收站" in sales.get(f"/crm/leads/{li}/delete").text
    assert sales.post(f"/crm/leads/{li}/delete").status_code == 303
    assert sales.get(f"/crm/leads/{li}").status_code == 404
    assert "李牧之" in sales.get("/crm/leads/bin").text

    assert sales.post(f"/crm/leads/{li}/restore").status_code == 303
    assert sales.get(f"/crm/leads/{li}").status_code == 200 and "李牧之" not in sales.get("/crm/leads/bin").text


def test_the_bin_shows_only_what_one_may_delete_and_restores_each_for_itself(
    ours: Company, li: str, record: Callable[..., str], browser: Callable[..., CrmBrowser]
) -> None:
    sales, admin = browser(ours, "sales1"), browser(ours, "admin")
    foreign = record(ours, "lead", owner="sales3", name="孙思远")
    for key in (li, foreign):
        admin.post(f"/crm/leads/{key}/delete")

    assert "孙思远" not in sales.get("/crm/leads/bin").text
    sales.post("/crm/leads/bin/restore", data={"ids": [li, foreign]})

    page = admin.get("/crm/leads/bin").text
    assert "选择 孙思远" in page and "选择 李牧之" not in page


def test_a_deletion_is_taken_back_from_the_toast_and_from_the_list_of_operations(
    ours: Company, li: str, sales: CrmBrowser
) -> None:
    sales.post(f"/crm/leads/{li}/delete")
    assert "/undo" in sales.get("/crm/leads").text
    page = sales.get("/crm/operations").text
    assert "删除线索「李牧之」" in page

    with working(ours):
        operation = db.session.scalars(db.select(Operation).where(Operation.kind == "delete")).one().id
    assert sales.post(f"/crm/operations/{operation}/undo").status_code == 303
    assert sales.get(f"/crm/leads/{li}").status_code == 200
    assert sales.post(f"/crm/operations/{operation}/undo").status_code == 409


def test_an_undo_says_what_it_left_as_it_is(ours: Company, li: str, sales: CrmBrowser) -> None:
    for region in ("宁波", "杭州"):
        sales.post(f"/crm/leads/{li}/facts/region", data={"region": region})
    with working(ours):
        first = db.session.scalars(
            db.select(Operation).where(Operation.kind == "change").order_by(Operation.id)
        ).first()
        assert first is not None

    answer = sales.post(f"/crm/operations/{first.id}/undo")

    assert answer.status_code == 200 and "地区" in answer.text and "李牧之" in answer.text


def test_the_operations_of_others_are_for_whoever_manages(
    ours: Company, li: str, browser: Callable[..., CrmBrowser]
) -> None:
    browser(ours, "sales1").post(f"/crm/leads/{li}/delete")

    assert "李牧之" not in browser(ours, "manager").get("/crm/operations?who=all").text
    assert "李牧之" in browser(ours, "admin").get("/crm/operations?who=all").text


def test_whoever_gives_a_lead_away_is_led_to_the_list(ours: Company, li: str, sales: CrmBrowser) -> None:
    answer = sales.post(f"/crm/leads/{li}/facts/owner_id", data={"owner_id": ours.people["sales3"]})

    assert answer.status_code == 303 and answer.location.endswith("/crm/leads")


def test_a_customer_bears_what_its_form_says(ours: Company, sales: CrmBrowser) -> None:
    sales.post(
        "/crm/customers/new", data={"name": "北京优远", "level": "A", "industry": "制造", "remark": "第一行\r\n第二行"}
    )

    with working(ours):
        customer = only(CrmCustomer)
        assert (customer.level, customer.industry, customer.remark) == ("A", "制造", "第一行\n第二行")
