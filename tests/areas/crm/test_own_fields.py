"""设置 → 字段: the administrator adds fields of the company's own, and they work like any other."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.core.db import db
from app.core.errors import Conflict
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.records import lists, own_fields
from app.crm.records.custom import CustomField
from tests.company import Company, CrmBrowser, working

pytestmark = pytest.mark.database


@pytest.fixture
def admin(ours: Company, browser: Callable[..., CrmBrowser]) -> CrmBrowser:
    return browser(ours, "admin")


def field_of(ours: Company, label: str) -> CustomField:
    with working(ours):
        found = db.session.scalars(select(CustomField).where(CustomField.label == label)).one()
        db.session.expunge_all()
        return found


def seen(page: str) -> str:
    return re.search(r'name="seen" value="([^"]*)"', page)[1].replace("&#34;", '"')  # type: ignore[index]


def test_a_field_stands_in_form_page_list_and_filter_at_once(
    ours: Company, admin: CrmBrowser, browser: Callable[..., CrmBrowser]
) -> None:
    admin.post("/crm/settings/fields?object=lead", data={"label": "门店数", "kind": "number"})
    admin.post(
        "/crm/settings/fields?object=lead", data={"label": "渠道", "kind": "choice", "choices": "天猫\n京东\n抖音"}
    )
    stores, channel = field_of(ours, "门店数"), field_of(ours, "渠道")
    sales = browser(ours, "sales1")

    made = sales.post("/crm/leads/new", data={"name": "李牧之", stores.key: "12", channel.key: "京东"})
    page = sales.get(made.location).text

    assert "门店数" in page and ">12<" in page and "京东" in page
    tree = {
        "all": [
            {"field": stores.key, "op": "gte", "value": "10"},
            {"field": channel.key, "op": "is_in", "value": ["京东"]},
        ]
    }
    with working(ours, "sales1") as actor:
        query = lists.statement(LEAD, lists.Query(tree=tree), actor, lists.shown_fields(LEAD, actor))
        assert [row.name for row in db.session.execute(query)] == ["李牧之"]


def test_a_required_field_is_asked_for(ours: Company, admin: CrmBrowser) -> None:
    admin.post("/crm/settings/fields?object=lead", data={"label": "渠道", "kind": "text", "required": "1"})

    answer = admin.post("/crm/leads/new", data={"name": "李牧之"})

    assert answer.status_code == 422 and "请填渠道" in answer.text


def test_a_choice_is_renamed_in_place_and_one_left_out_stays_on_its_records(ours: Company, admin: CrmBrowser) -> None:
    admin.post("/crm/settings/fields?object=lead", data={"label": "渠道", "kind": "choice", "choices": "天猫\n京东"})
    channel = field_of(ours, "渠道")
    first, second = (
        admin.post("/crm/leads/new", data={"name": word, channel.key: word}).location for word in ("天猫", "京东")
    )

    admin.post(f"/crm/settings/fields/{channel.id}", data={"label": "渠道", "choices": "天猫旗舰店"})

    assert "天猫旗舰店" in admin.get(first).text and ">京东<" in admin.get(second).text
    form = admin.get(f"{second}/edit").text
    sent = {"seen": seen(form), "name": "京东", channel.key: "京东", "wechat": "jd"}
    assert admin.post(f"{second}/edit", data=sent).status_code == 303
    with working(ours):
        lead = db.session.scalars(select(Lead).where(Lead.wechat == "jd")).one()
        assert lead.extra == {channel.key: "京东"}


def test_an_archived_field_is_gone_from_the_forms_and_comes_back_with_its_values(
    ours: Company, admin: CrmBrowser
) -> None:
    admin.post("/crm/settings/fields?object=lead", data={"label": "门店数", "kind": "number"})
    stores = field_of(ours, "门店数")
    path = admin.post("/crm/leads/new", data={"name": "李牧之", stores.key: "12"}).location

    admin.post(f"/crm/settings/fields/{stores.id}/archive")
    admin.get(path)  # shows the toast
    assert "门店数" not in admin.get(path).text and "门店数" not in admin.get("/crm/leads/new").text
    admin.post(f"/crm/settings/fields/{stores.id}/archive", data={"back": "1"})
    assert ">12<" in admin.get(path).text


def test_fields_are_put_in_order(ours: Company, admin: CrmBrowser) -> None:
    for label in ("甲", "乙", "丙"):
        admin.post("/crm/settings/fields?object=lead", data={"label": label, "kind": "text"})

    admin.post(f"/crm/settings/fields/{field_of(ours, '丙').id}/move", data={"up": "1"})
    admin.post(f"/crm/settings/fields/{field_of(ours, '甲').id}/move", data={"up": "1"})

    with working(ours):
        assert [one.label for one in own_fields.each(LEAD)] == ["甲", "丙", "乙"]


@pytest.mark.parametrize(
    ("data", "words"),
    [({"label": "", "kind": "text"}, "1 到 30 个字"), ({"label": "姓名", "kind": "text"}, "已经有叫「姓名」"),
     ({"label": "渠道", "kind": "choice"}, "至少写一个选项"), ({"label": "渠道", "kind": "phone"}, "Not a valid choice")],
)  # fmt: skip
def test_a_field_that_can_not_be_is_refused_in_words(
    ours: Company, admin: CrmBrowser, data: dict[str, str], words: str
) -> None:
    answer = admin.post("/crm/settings/fields?object=lead", data=data)

    assert answer.status_code == 422
    if data["kind"] != "phone":
        assert words in answer.text


def test_fifty_fields_are_enough(ours: Company) -> None:
    with working(ours) as actor:
        for number in range(own_fields.MOST):
            own_fields.add(LEAD, f"字段{number}", "text", "", False, actor)
        with pytest.raises(Conflict):
            own_fields.add(LEAD, "再来一个", "text", "", False, actor)


def test_only_an_administrator_sets_fields_and_only_his_own_company_s(
    ours: Company, theirs: Company, admin: CrmBrowser, browser: Callable[..., CrmBrowser]
) -> None:
    admin.post("/crm/settings/fields?object=lead", data={"label": "门店数", "kind": "number"})
    stores = field_of(ours, "门店数")

    assert browser(ours, "manager").get("/crm/settings/fields").status_code == 403
    assert browser(theirs).get(f"/crm/settings/fields/{stores.id}").status_code == 404
    assert "门店数" not in browser(theirs).get("/crm/leads/new").text
