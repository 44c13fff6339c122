"""Customers: written down, found, changed by two at once, taken away and brought back."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape

from sqlalchemy import select

from app.core import clock, tenancy
from app.core.db import db
from app.core.events import Event
from app.crm.customers import keep, queries, words
from app.crm.customers.models import CrmCustomer

HTMX = {"HX-Request": "true"}


def happened(name):
    with tenancy.scope(tenancy.everyone("a test looks")):
        return list(db.session.scalars(select(Event).where(Event.name == name)))


def seen(page):
    """The words of a page without tags and blanks."""
    return re.sub(r"\s+", "", re.sub(r"<[^>]+>", "", page))


def next_path(page):
    link = re.search(r'rel="next"\s+href="([^"]+)"', page)
    return unescape(link.group(1)) if link else ""


def as_form(**changes):
    return {
        "name": "北京优远科技有限公司",
        "contact_name": "李牧之",
        "phone": "138 0013 8000",
        "email": "",
        "region": "北京",
        "source": "微信",
        "owner_id": "",
        "remark": "",
        **changes,
    }


def test_a_new_customer_is_on_the_list_with_a_masked_phone(ours, browser, stored):
    client = browser(ours)

    answer = client.post("/crm/customers/new", data=as_form(owner_id=ours.people["sales1"]))

    assert answer.status_code == 303
    page = client.get("/crm/customers").text
    assert "北京优远科技有限公司" in page and "138****8000" in page and "林知远" in page
    assert "13800138000" not in page
    added = stored(CrmCustomer, answer.location.rsplit("/", 1)[1])
    assert added.tenant_id == ours.id and added.phone == "+8613800138000"


def test_the_phone_is_not_readable_in_the_database(ours, known):
    known(ours, phone="13800138000")

    with db.engine.connect() as connection:
        row = connection.exec_driver_sql("SELECT phone, phone_index, search_text FROM crm_customers").one()

    assert not any("13800138000" in str(value) for value in row)


def test_the_same_phone_has_another_index_at_another_tenant(ours, theirs, known, stored):
    one, other = known(ours, phone="13800138000"), known(theirs, phone="13800138000")

    assert stored(CrmCustomer, one).phone_index != stored(CrmCustomer, other).phone_index


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(ours, browser):
    answer = browser(ours).post("/crm/customers/new", data=as_form(name="", phone="1380013800", email="nobody"))

    assert answer.status_code == 422
    for word in ("请填公司名称", "少了1位，手机号是11位", "这不像一个邮箱地址"):
        assert word in seen(answer.text)
    assert "李牧之" in answer.text


def test_a_customer_is_found_by_name_pinyin_initials_contact_and_whole_phone(ours, browser, known):
    known(ours, "北京优远科技有限公司", contact_name="单晓红", phone="13800138000")
    known(ours, "重庆山城机电有限公司", contact_name="曾一诺", phone="0571-8888 6666")
    client = browser(ours)

    def found(q):
        text = client.get("/crm/customers", query_string={"q": q}).text
        return [name for name in ("北京优远", "重庆山城") if name in text]

    for q in (
        "优远",
        "bjyy",
        "youyuan",
        "BJYY",
        "单晓红",
        "shanxiaohong",
        "sxh",
        "ｂｊｙｙ",
        "13800138000",
        "+86 138-0013-8000",
    ):
        assert found(q) == ["北京优远"], q
    for q in ("chongqing", "cqsc", "zengyinuo", "0571 88886666"):
        assert found(q) == ["重庆山城"], q
    assert found("1380013") == found("100%") == found("'; --") == []


def test_the_list_is_narrowed_by_owner_source_and_month(ours, browser, known):
    with clock.held(datetime(2026, 5, 31, 15, 59, tzinfo=UTC)):  # the last minute of May in Shanghai
        known(ours, "老客户有限公司", source="微信", owner_id=ours.people["sales1"])
    with clock.held(datetime(2026, 5, 31, 16, 0, tzinfo=UTC)):
        known(ours, "新客户有限公司", source="官网表单")
    client = browser(ours)

    with clock.held(datetime(2026, 6, 18, 4, 0, tzinfo=UTC)):
        month = client.get("/crm/customers?added=month").text
        nobodys = client.get("/crm/customers?owner=none").text
        chat = client.get("/crm/customers?source=微信").text

    assert "新客户有限" in month and "老客户有限" not in month
    assert "新客户有限" in nobodys and "老客户有限" not in nobodys
    assert "老客户有限" in chat and "新客户" not in chat


def test_a_filter_answers_htmx_with_the_list_alone(ours, browser, known):
    known(ours)

    answer = browser(ours).get("/crm/customers?q=bjyy", headers={**HTMX, "HX-Target": "customer_list"})

    assert answer.text.lstrip().startswith('<div id="customer_list"') and "<html" not in answer.text
    assert 'id="customer_chips"' in answer.text and "HX-Target" in answer.headers["Vary"]


def test_pages_follow_each_other_without_gap_or_repeat(ours, browser, known):
    for number in range(70):
        known(ours, f"第{number:03d}号有限公司")
    client = browser(ours)

    for sort in ("changed", "added", "name"):
        seen, path = [], f"/crm/customers?sort={sort}"
        while path:
            text = client.get(path).text
            seen += [number for number in range(70) if f"第{number:03d}号" in text]
            path = next_path(text)
        assert sorted(seen) == list(range(70)), sort


def test_a_change_is_written_with_who_and_what(ours, browser, known, stored):
    id = known(ours, contact_name="李牧之", phone="13800138000")

    answer = browser(ours, "sales1").post(
        f"/crm/customers/{id}/edit", data=as_form(phone="138****8000", contact_name="赵清妍", version="1")
    )

    assert answer.status_code == 303
    changed = stored(CrmCustomer, id)
    assert (changed.contact_name, changed.phone, changed.version) == ("赵清妍", "+8613800138000", 2)
    [event] = happened("crm_customer.changed")
    assert event.actor == f"crm_user:{ours.people['sales1']}"
    assert event.payload["changes"]["contact_name"] == ["李牧之", "赵清妍"] and "phone" not in event.payload["changes"]


def test_an_event_never_holds_a_phone(ours, browser, known):
    id = known(ours, phone="13800138000")

    browser(ours).post(
        f"/crm/customers/{id}/edit", data=as_form(phone="13900139000", remark="电话 13900139000", version="1")
    )

    [event] = happened("crm_customer.changed")
    assert "13900139000" not in str(event.payload) and {"phone", "remark"} <= set(event.payload["changes"])


def test_of_two_who_write_at_once_the_second_is_told_and_keeps_his_words(ours, browser, known, stored):
    id = known(ours, contact_name="李牧之")
    browser(ours, "sales1").post(
        f"/crm/customers/{id}/edit", data=as_form(contact_name="赵清妍", phone="", version="1")
    )
    client = browser(ours)

    refused = client.post(f"/crm/customers/{id}/edit", data=as_form(contact_name="孙思远", phone="", version="1"))

    assert refused.status_code == 409
    assert "林知远在" in seen(refused.text) and "联系人现在是：赵清妍" in seen(refused.text)
    assert 'value="孙思远"' in refused.text and 'name="version" type="hidden" value="2"' in refused.text
    assert stored(CrmCustomer, id).contact_name == "赵清妍"

    again = client.post(f"/crm/customers/{id}/edit", data=as_form(contact_name="孙思远", phone="", version="2"))
    assert again.status_code == 303 and stored(CrmCustomer, id).contact_name == "孙思远"


def test_a_twin_is_pointed_out_and_not_refused(ours, browser, known):
    known(ours, "杭州青禾商贸有限公司", phone="13800138000")
    client = browser(ours)

    by_company = client.post("/crm/customers/duplicates", data={"name": "（杭州）青禾商贸", "phone": ""}, headers=HTMX)
    by_phone = client.post(
        "/crm/customers/duplicates", data={"name": "别的公司", "phone": "+86 13800138000"}, headers=HTMX
    )
    none = client.post("/crm/customers/duplicates", data={"name": "别的公司", "phone": ""}, headers=HTMX)
    saved = client.post("/crm/customers/new", data=as_form(name="杭州青禾商贸"))

    assert "可能已经有这位客户" in by_company.text and "可能已经有这位客户" in by_phone.text
    assert "可能已经有" not in none.text
    assert saved.status_code == 303 and "像是同一家" in client.get(saved.location).text


def test_the_whole_number_is_shown_on_request_and_that_is_on_record(ours, browser, known):
    id = known(ours, phone="13800138000")
    client = browser(ours, "sales1")
    assert "138 0013 8000" not in client.get(f"/crm/customers/{id}").text
    assert "13800138000" not in client.get(f"/crm/customers/{id}/edit").text

    answer = client.post(f"/crm/customers/{id}/phone", headers={**HTMX, "HX-Target": "customer_phone"})

    assert "138 0013 8000" in answer.text and answer.text.lstrip().startswith('<div id="customer_phone"')
    [event] = happened("crm_customer.phone_revealed")
    assert event.actor == f"crm_user:{ours.people['sales1']}" and event.subject_id == id
    assert "林知远查看了完整电话" in client.get(f"/crm/customers/{id}").text


def test_a_deleted_customer_is_out_of_lists_and_figures_and_can_come_back(ours, browser, known):
    id = known(ours)
    client = browser(ours)

    gone = client.post(f"/crm/customers/{id}/delete")
    page = client.get(gone.location).text

    assert "撤销" in page and f"/crm/customers/{id}/restore" in page
    assert "还没有客户" in client.get("/crm/customers").text and "从这里开始" in client.get("/crm/").text
    assert "北京优远" in client.get("/crm/customers?deleted=1").text
    assert "恢复客户" in client.get(f"/crm/customers/{id}").text
    assert client.get(f"/crm/customers/{id}/edit").status_code == 404

    assert client.post(f"/crm/customers/{id}/restore").status_code == 303
    assert "北京优远" in client.get("/crm/customers").text


def test_without_script_a_deletion_is_asked_about_on_a_page_of_its_own(ours, browser, known):
    id = known(ours)

    page = browser(ours).get(f"/crm/customers/{id}/delete").text

    assert "删除客户「北京优远科技有限公司」？" in page and f'action="/crm/customers/{id}/delete"' in page


def test_an_owner_must_be_a_colleague(ours, theirs, browser):
    answer = browser(ours).post("/crm/customers/new", data=as_form(owner_id=theirs.people["sales1"]))

    assert answer.status_code == 422


def test_who_may_only_read_is_refused_in_words(ours, browser, known):
    id = known(ours)
    client = browser(ours, "looker")

    refused = client.post(f"/crm/customers/{id}/delete")

    assert refused.status_code == 403 and "你的角色是「只读」" in refused.text
    assert "新建客户" not in client.get("/crm/customers").text


def test_what_people_write_is_never_markup(ours, browser, known):
    id = known(ours, "<img src=x onerror=alert(1)>公司", contact_name="<script>", remark="<b>x</b>", region='"><i>')
    client = browser(ours)

    for path in ("/crm/", "/crm/customers", f"/crm/customers/{id}", f"/crm/customers/{id}/edit"):
        text = client.get(path).text
        assert "<img src=x" not in text and "<script>" not in text.split("</head>")[1] and "<b>x</b>" not in text, path


def test_figures_on_the_first_page_equal_the_lists_behind_them(ours, browser, known):
    for number in range(5):
        known(ours, f"第{number}号有限公司", owner_id=ours.people["admin"] if number < 2 else "")
    client = browser(ours)

    page = client.get("/crm/").text

    for query, expected in (("owner=me", 2), ("owner=none", 3), ("added=month", 5)):
        assert f"本页 {expected} 位客户" in client.get(f"/crm/customers?{query}").text
    assert [int(part.split("<")[0]) for part in page.split('text-2xl font-semibold">')[1:5]] == [5, 2, 3, 5]


def test_pages_cost_few_queries(ours, browser, known, count_queries):
    for number in range(40):
        id = known(ours, f"第{number:03d}号有限公司", owner_id=ours.people["sales1"], phone="13800138000")
    client = browser(ours)

    for path, most in (
        ("/crm/", 6),
        ("/crm/customers", 5),
        ("/crm/customers?q=dihao&owner=me&sort=name", 5),
        (f"/crm/customers/{id}", 6),
        ("/crm/customers/new", 5),
    ):
        with count_queries() as queries:
            assert client.get(path).status_code == 200
        assert queries.number <= most, (path, queries.statements)


def test_names_sort_as_in_a_dictionary():
    names = ["重庆山城", "北京优远", "长沙橘洲", "ABC 科技", "青岛海纳"]

    assert sorted(names, key=words.name_key) == ["ABC 科技", "北京优远", "长沙橘洲", "重庆山城", "青岛海纳"]


def test_two_spellings_of_a_company_have_one_key():
    spellings = ["杭州青禾商贸有限公司", "杭州 青禾商贸", "（杭州）青禾商贸（有限公司）", "杭州青禾商贸股份有限公司"]

    assert len({words.company_key(name) for name in spellings}) == 1
    assert words.company_key("有限公司") == "有限公司"


def test_the_details_of_a_customer_are_what_was_written(ours, known):
    id = known(ours, contact_name="李牧之", phone="13800138000")

    with tenancy.scope(tenancy.tenant(ours.id)):
        assert keep.written(queries.live(id)).phone == "138****8000"
