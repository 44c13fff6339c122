"""The list that every object shares: what it shows to whom, how it is searched, filtered, sorted and paged."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from urllib.parse import quote

import pytest
from sqlalchemy import insert, select

from app.core import clock, tenancy
from app.core.db import uuid7
from app.crm.access import policy
from app.crm.access.models import Role
from app.crm.leads.models import Lead

pytestmark = pytest.mark.database


def listed(text: str) -> list[str]:
    """The names of the rows of a page, in order."""
    return re.findall(r'aria-label="选择 ([^"]+)"', text)


@pytest.mark.parametrize(("plural", "thing"), [("leads", "lead"), ("customers", "customer"), ("contacts", "contact")])
def test_every_object_has_a_list(ours, browser, record, plural, thing):
    record(ours, thing, owner="sales1", name="北京优远")

    page = browser(ours).get(f"/crm/{plural}")

    assert page.status_code == 200 and listed(page.text) == ["北京优远"]
    assert browser(ours).get("/crm/suppliers").status_code == 404


def test_a_list_holds_what_its_reader_may_see(ours, browser, record):
    record(ours, "lead", owner="sales1", name="甲")
    record(ours, "lead", owner="sales2", name="乙")
    record(ours, "lead", owner="sales3", name="丙")

    seen = {who: set(listed(browser(ours, who).get("/crm/leads").text)) for who in ("sales1", "manager", "looker")}

    assert seen == {"sales1": {"甲"}, "manager": {"甲", "乙"}, "looker": {"甲", "乙", "丙"}}


def names(client, path):
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return listed(answer.text)


def leaf(field, op, value=None):
    return {"field": field, "op": op} | ({} if value is None else {"value": value})


def f(*leaves):
    return "f=" + quote(json.dumps({"all": leaves}, ensure_ascii=False))


def fields(ours, key, /, **rights):
    """Field rights of a shipped role on leads."""
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        session.scalars(select(Role).where(Role.key == key)).one().fields = {"lead": rights}
        policy.changed(ours.id)


def test_a_list_is_searched_filtered_and_sorted(ours, browser, record):
    record(ours, "lead", name="李牧之", company="北京优远", priority="high", more={"score": 86})
    record(ours, "lead", name="赵清妍", company="成都蜀味", priority="low", more={"score": 40})
    client = browser(ours)

    assert names(client, "/crm/leads?q=bjyy") == ["李牧之"]
    assert names(client, "/crm/leads?q=蜀味") == ["赵清妍"]
    assert names(client, "/crm/leads?" + f(leaf("score", "gte", 60))) == ["李牧之"]
    assert names(client, "/crm/leads?" + f(leaf("priority", "is_in", ["low"]))) == ["赵清妍"]
    assert names(client, "/crm/leads?sort=-score") == ["李牧之", "赵清妍"]
    assert names(client, "/crm/leads?sort=score") == ["赵清妍", "李牧之"]


def test_the_pages_of_a_list_hold_every_row_once_in_every_order(ours, browser, record):
    for n in range(35):
        record(ours, "lead", name=f"线索{n:02}", more={"score": n % 4})
    client = browser(ours)

    for sort in ("", "name", "-score", "next_follow_at"):
        path, found = f"/crm/leads?per=15&sort={sort}", []
        while path:
            text = client.get(path).text
            found += listed(text)
            more = re.search(r'rel="next" href="([^"]+)"', text)
            path = more[1].replace("&amp;", "&") if more else ""
        assert len(found) == 35 == len(set(found)), sort


@pytest.mark.parametrize(
    "query",
    ["f='", "f={", "f=[]", "f=%7B%22field%22%3A%22x'--%22%7D", "sort='; DROP TABLE x", "sort=phone", "view='%20OR%201=1", "q=%00", "f=" + "[" * 4000],
)  # fmt: skip
def test_nonsense_in_an_address_is_refused_in_words(ours, browser, record, query):
    record(ours, "lead")

    answer = browser(ours).get(f"/crm/leads?{query}")

    assert answer.status_code in {400, 404, 422} and "服务出错" not in answer.text


@pytest.mark.parametrize(
    "query", ["cursor='", "cursor=AAAA", "per=7", "per='", "q=%25", "q='", "q=%22)", "q=" + "字" * 100]
)
def test_other_nonsense_shows_the_list(ours, browser, record, query):
    record(ours, "lead")

    assert browser(ours).get(f"/crm/leads?{query}").status_code == 200


def test_hidden_fields_are_in_no_cell_no_filter_no_order_and_no_column(ours, browser, record):
    record(ours, "lead", owner="sales1", name="李牧之", company="远帆商贸", phone="13800138000", more={"score": 77})
    fields(ours, "sales", company="hidden", score="hidden", phone="hidden", source="hidden")
    client = browser(ours, "sales1")

    page = client.get("/crm/leads").text

    assert "李牧之" in page and not any(word in page for word in ("远帆", ">77<", "138****8000", "评分", "来源"))
    assert client.get("/crm/leads?" + f(leaf("score", "gte", 60))).status_code == 422
    assert client.get("/crm/leads?sort=-score").status_code == 422
    assert "评分" not in client.get("/crm/leads/columns").text and "评分" not in client.get("/crm/leads/filter").text
    assert "高分未联系" not in page, "a shipped view that speaks of a hidden field is not offered"


def test_masked_fields_are_masked_in_the_list(ours, browser, record):
    record(ours, "lead", owner="sales1", name="李牧之", phone="13800138000", email="lmz@qq.com", company="远帆商贸")
    fields(ours, "sales", email="masked", company="masked")
    client = browser(ours, "sales1")
    client.post("/crm/leads/columns", data={"do": "save", "columns": ["phone", "email", "company"]})

    page = client.get("/crm/leads").text

    assert "138****8000" in page and "l***@qq.com" in page and "远***" in page
    assert not any(word in page for word in ("13800138000", "lmz@", "远帆商贸"))


def test_what_is_masked_is_not_told_by_filter_or_order(ours, browser, record):
    record(ours, "lead", owner="sales1", name="李牧之", phone="13800138000", company="远帆", more={"score": 77})
    fields(ours, "sales", company="masked", score="masked", phone="masked")
    client = browser(ours, "sales1")

    assert client.get("/crm/leads?" + f(leaf("company", "starts_with", "远"))).status_code == 422
    assert client.get("/crm/leads?" + f(leaf("score", "gt", 70))).status_code == 422
    assert client.get("/crm/leads?sort=-score").status_code == 422
    assert names(client, "/crm/leads?" + f(leaf("phone", "is", "13800138000"))) == ["李牧之"]


def test_ones_own_columns_are_kept_and_are_nobody_elses(ours, browser, record):
    record(ours, "lead", name="李牧之", region="杭州")
    client = browser(ours)

    client.post("/crm/leads/columns", data={"do": "save", "columns": ["region", "score"], "per_page": "15"})

    def heads(who):
        return re.findall(r'<th scope="col"[^>]* data-key="(?!name)(\w+)"', browser(ours, who).get("/crm/leads").text)

    assert heads("admin") == ["region", "score"] and "region" not in heads("looker")
    client.post("/crm/leads/columns", data={"do": "usual"})
    assert heads("admin") == heads("looker")


def test_the_filter_form_makes_the_address_without_script(ours, browser, record):
    record(ours, "lead", name="李牧之", more={"score": 86})
    record(ours, "lead", name="赵清妍", more={"score": 10})
    client = browser(ours)

    answer = client.get(
        "/crm/leads/filter?n=2&field-0=score&op-0=gte&value-0=60&field-1=status&op-1=is_in&value-1=new&value-1=closed&do=apply"
    )

    assert answer.status_code == 303 and names(client, answer.location) == ["李牧之"]
    again = client.get(answer.location.replace("/leads?", "/leads/filter?")).text
    assert 'value="60"' in again and again.count("checked") >= 2
    assert "请填「评分」的筛选值" in client.get("/crm/leads/filter?n=1&field-0=score&op-0=gte&do=apply").text


@pytest.mark.parametrize(("who", "seen"), [("sales1", 400), ("manager", 800), ("admin", 1200)])
def test_a_list_costs_few_queries_and_few_bytes(ours, browser, who, seen, count_queries):
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        session.execute(insert(Lead), [_lead(ours, n) for n in range(1200)])
    client = browser(ours, who)
    client.get("/crm/leads")

    with count_queries() as queries:
        page = client.get("/crm/leads")

    assert len(listed(page.text)) == 30
    assert queries.number <= 5, queries.statements
    assert len(page.data) <= 39 * 1024
    assert ("1,000+" if seen > 1000 else str(seen)) in page.text


def _lead(company, n):
    """A lead with something in every column that the list shows."""
    now = clock.now()
    owner = ("sales1", "sales2", "sales3")[n % 3]
    return {
        "id": uuid7(), "tenant_id": company.id, "name": f"欧阳景{n}", "company": "宁波远帆跨境电商有限公司", "extra": {},
        "tags": ["私有部署", "数据安全"], "next_follow_at": now - timedelta(days=n % 9), "next_key": now - timedelta(days=n % 9),
        "last_contact_at": now - timedelta(days=n % 30), "created_at": now, "updated_at": now, "version": 1, "status": "qualified",
        "score": n % 100, "priority": "high", "source": "website", "owner_id": company.people[owner],
    }  # fmt: skip


def test_a_search_as_a_fragment_is_the_rows_alone(ours, browser, record):
    record(ours, "lead", name="李牧之")

    text = browser(ours).get("/crm/leads?q=lmz", headers={"HX-Request": "true", "HX-Target": "record_list"}).text

    assert text.lstrip().startswith('<form id="record_list"') and "李牧之" in text and "<html" not in text


def test_who_may_not_read_the_object_gets_no_list(ours, browser):
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        session.scalars(select(Role).where(Role.key == "sales")).one().rights = {"lead": {"read": "own"}}
        policy.changed(ours.id)
    client = browser(ours, "sales1")

    assert client.get("/crm/leads").status_code == 200
    for path in (
        "/crm/customers",
        "/crm/customers/filter",
        "/crm/customers/views",
        "/crm/customers/columns",
        "/crm/leads/export",
    ):
        assert client.get(path).status_code == 403, path


def test_empty_lists_say_what_to_do(ours, browser):
    client = browser(ours)

    assert "还没有线索" in client.get("/crm/leads").text
    assert "没有符合条件的线索" in client.get("/crm/leads?q=nobody").text
