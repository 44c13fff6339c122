"""The pages of assignment and pools, as they are clicked: rules written, tried, published; leads claimed and given back."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.core import clock, tenancy
from app.core.db import db
from app.crm.access.notices import Notice
from app.crm.leads.assignment import rules
from app.crm.leads.assignment.models import AssignLog, AssignRule
from app.crm.leads.models import Lead
from app.crm.leads.pools import capacity, recycle, settings
from app.crm.leads.pools.models import Pool, RecycleRule
from app.crm.records.models import Operation
from tests.company import working

pytestmark = pytest.mark.database

FILTER = {"n": "1", "field-0": "source", "op-0": "is_in", "value-0": ["wechat"]}
RULE = {
    "name": "微信线索",
    "strategy": "weighted",
    "sticky": "1",
    "fallback": "next",
    "hours_from": "09:00",
    "hours_to": "18:00",
}


@pytest.fixture
def pool(ours):
    with working(ours) as actor:
        return settings.save(None, {"name": "公共公海"}, [("all", "")], actor).id


@pytest.fixture
def lying(ours, record, pool):
    def put(name="李牧之", **values):
        return record(ours, "lead", name=name, more={"pool_id": pool, "entered_pool_at": clock.now()}, **values)

    return put


def rows(ours, model):
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        found = list(session.scalars(select(model).order_by(model.id)))
        session.expunge_all()
        return found


def write_rule(client, ours, **more):
    member = ours.people["sales1"]
    data = RULE | FILTER | {"member": [member], f"weight-{member}": "3", f"open-{member}": "20", "do": "publish"} | more
    return client.post("/crm/settings/assignment/new", data=data)


def test_a_rule_is_written_published_and_assigns(ours, browser, record, work, stored):
    client = browser(ours)

    answer = write_rule(client, ours)

    assert answer.status_code == 303
    page = client.get("/crm/settings/assignment").text
    assert "微信线索" in page and "来源是微信" in page and "第 1 版" in page and "林知远" in page
    lead = record(ours, "lead", source="wechat")
    work()
    assert stored(Lead, lead).owner_id == ours.people["sales1"]
    with working(ours):
        (member,) = rules.members(rules.listed()[0])
        assert (member.weight, member.max_open, member.max_per_day) == (3, 20, None)


def test_a_member_takes_only_the_leads_that_fit_his_own_conditions(ours, browser, record, work, stored):
    client, first, second = browser(ours), ours.people["sales1"], ours.people["sales2"]
    both = {"member": [first, second], "strategy": "round_robin"}
    write_rule(client, ours, **both)
    with working(ours):
        rule = rules.listed()[0].id

    answer = client.post(f"/crm/settings/assignment/{rule}", data=RULE | FILTER | both | {"do": f"only-{first}"})
    assert answer.status_code == 303 and answer.location.endswith(f"/members/{first}")
    assert "林知远接哪些线索" in client.get(answer.location).text
    only = {"n": "1", "field-0": "region", "op-0": "contains", "value-0": "杭州", "do": "save"}
    assert client.post(answer.location, data=only).status_code == 303
    assert "只接：地区包含杭州" in client.get(f"/crm/settings/assignment/{rule}").text

    client.post(f"/crm/settings/assignment/{rule}", data=RULE | FILTER | both | {"do": "publish"})
    ids = [
        record(ours, "lead", name=f"第{n}位", source="wechat", region=place)
        for n, place in enumerate(["北京", "杭州", "上海"])
    ]
    work()
    assert [stored(Lead, key).owner_id for key in ids] == [second, first, second]


def test_a_condition_of_a_member_without_a_value_is_refused_and_nobody_else_s_page_is_there(ours, browser):
    client, first = browser(ours), ours.people["sales1"]
    write_rule(client, ours)
    with working(ours):
        rule = rules.listed()[0].id

    bad = {"n": "1", "field-0": "region", "op-0": "contains", "do": "save"}
    assert client.post(f"/crm/settings/assignment/{rule}/members/{first}", data=bad).status_code == 422
    assert client.get(f"/crm/settings/assignment/{rule}/members/{ours.people['sales3']}").status_code == 404


def test_a_draft_shows_rows_as_they_are_added_and_taken_away_and_stores_nothing(ours, browser):
    client = browser(ours)

    added = client.post("/crm/settings/assignment/new", data=RULE | FILTER | {"do": "add"}).text
    removed = client.post("/crm/settings/assignment/new", data=RULE | FILTER | {"do": "remove-0"}).text
    member = client.post(
        "/crm/settings/assignment/new", data=RULE | {"n": "0", "do": "member", "new_member": ours.people["sales2"]},
        headers={"HX-Request": "true", "HX-Target": "rule_members"},
    ).text  # fmt: skip

    assert 'name="field-1"' in added and 'name="field-0"' not in removed
    assert "苏晚晴" in member and "<html" not in member
    assert rows(ours, AssignRule) == []


def test_a_refused_rule_says_what_is_wrong_and_keeps_what_was_typed(ours, browser):
    client = browser(ours)

    nobody = client.post("/crm/settings/assignment/new", data=RULE | {"n": "0", "do": "publish"})
    nameless = write_rule(client, ours, name="")
    silly = write_rule(client, ours, **{f"weight-{ours.people['sales1']}": "很多"})
    no_pool = write_rule(client, ours, fallback="pool")

    assert [one.status_code for one in (nobody, nameless, silly, no_pool)] == [422] * 4
    assert "请先添加至少一位成员" in nobody.text and "请填规则名称" in nameless.text and "要填整数" in silly.text
    assert "请选择一个公海" in no_pool.text and "很多" in silly.text
    assert rows(ours, AssignRule) == []


def test_a_member_is_paused_at_once_and_the_rest_of_the_form_stays(ours, browser):
    client = browser(ours)
    write_rule(client, ours)
    rule = rows(ours, AssignRule)[0].id
    member = ours.people["sales1"]

    data = RULE | FILTER | {"name": "没存的名字", "member": [member], "do": f"pause-{member}"}
    page = client.post(f"/crm/settings/assignment/{rule}", data=data).text

    assert "已暂停" in page and "没存的名字" in page
    assert rows(ours, AssignRule)[0].name == "微信线索"
    with working(ours):
        assert rules.members(rules.find(rule))[0].paused_until is not None


def test_rules_are_moved_switched_off_and_deleted(ours, browser):
    client = browser(ours)
    write_rule(client, ours)
    write_rule(client, ours, name="其他线索")
    first, second = (one.id for one in rows(ours, AssignRule))

    client.post(f"/crm/settings/assignment/{second}/move", data={"to": "up"})
    client.post(f"/crm/settings/assignment/{first}/switch", data={"to": "off"})

    page = client.get("/crm/settings/assignment").text
    assert page.index("其他线索") < page.index("微信线索") and "已停用" in page
    client.post(f"/crm/settings/assignment/{first}/delete")
    assert [one.name for one in rows(ours, AssignRule)] == ["其他线索"]


def test_a_colleague_goes_on_leave_and_comes_back(ours, browser):
    client = browser(ours)
    write_rule(client, ours)
    path = f"/crm/settings/assignment/away/{ours.people['sales1']}"

    client.post(path, data={"days": "3"})
    assert "回来了" in client.get("/crm/settings/assignment").text
    client.post(path, data={"days": ""})
    assert "回来了" not in client.get("/crm/settings/assignment").text


def test_what_would_happen_is_shown_rule_by_rule_and_nothing_is_written(ours, browser, record):
    client = browser(ours)
    write_rule(client, ours)
    lead = record(ours, "lead", name="旧线索", source="phone", owner="sales2")

    typed = client.post("/crm/settings/assignment/try", data={"name": "张先生", "source": "wechat", "priority": "high"})
    real = client.get(f"/crm/settings/assignment/try?lead={lead}")
    wrong = client.post("/crm/settings/assignment/try", data={"name": "张先生", "source": "wechat", "phone": "12"})

    assert "按规则「微信线索」分给林知远" in typed.text and "分给他" in typed.text
    assert "条件不符" in real.text and "没有人可分" in real.text
    assert wrong.status_code == 422
    assert rows(ours, AssignLog) == [] and len(rows(ours, Lead)) == 1


def test_the_lead_s_page_says_why_it_is_his(ours, browser, record, work):
    write_rule(browser(ours), ours)
    lead = record(ours, "lead", source="wechat")
    work()
    client = browser(ours, "sales1")

    page, why = client.get(f"/crm/leads/{lead}").text, client.get(f"/crm/leads/{lead}/why").text

    assert "为什么分给他" in page and "按规则「微信线索」分给林知远" in page
    assert "按规则「微信线索」分给林知远" in why and "命中" in why
    assert browser(ours, "sales2").get(f"/crm/leads/{lead}/why").status_code == 404


def test_a_manager_hands_a_lead_on_and_takes_that_back(ours, browser, record, stored):
    lead = record(ours, "lead", owner="sales1")
    client = browser(ours, "manager")

    answer = client.post(f"/crm/leads/{lead}/give", data={"owner": ours.people["sales2"], "reason": "他熟"})

    assert answer.status_code == 303 and stored(Lead, lead).owner_id == ours.people["sales2"]
    assert "他熟" in browser(ours, "sales2").get(f"/crm/leads/{lead}").text
    (operation,) = [one for one in rows(ours, Operation) if one.kind == "transfer"]
    client.post(f"/crm/operations/{operation.id}/undo")
    assert stored(Lead, lead).owner_id == ours.people["sales1"]
    assert client.post(f"/crm/leads/{lead}/give", data={"owner": ""}).status_code == 422


def test_a_lead_that_is_nobody_s_is_given_by_the_rules(ours, browser, record, stored):
    client = browser(ours)
    write_rule(client, ours)
    lead = record(ours, "lead", source="wechat")

    assert client.post(f"/crm/leads/{lead}/give", data={"do": "rules"}).status_code == 303

    assert stored(Lead, lead).owner_id == ours.people["sales1"]


def test_a_salesperson_picks_a_lead_from_a_pool(ours, browser, lying, pool, stored):
    first, second = lying(phone="13800138000"), lying("王沐阳")
    client = browser(ours, "sales1")

    page = client.get(f"/crm/pools/{pool}").text
    assert "李牧之" in page and "138****8000" in page and "13800138000" not in page and "共 2 条" in page
    assert "公共公海" in client.get("/crm/pools").text
    answer = client.post(f"/crm/pools/{pool}/claim", data={"one": first})

    assert answer.location == f"/crm/leads/{first}"
    assert stored(Lead, first).owner_id == ours.people["sales1"]
    assert "领取" in client.get(f"/crm/leads/{second}").text
    client.post(f"/crm/leads/{second}/claim")
    assert stored(Lead, second).owner_id == ours.people["sales1"]


def test_a_batch_says_what_became_of_each(ours, browser, lying, pool):
    leads = [lying(name) for name in ("甲", "乙", "丙")]
    with working(ours) as actor:
        capacity.set_all([{"subject_kind": "all", "subject_id": "", "most": 2}], actor)

    page = browser(ours, "sales1").post(f"/crm/pools/{pool}/claim", data={"ids": leads}).text

    assert re.search(r"领取了 <span class=\"num\">2</span> 条", page) and "已经满了" in page


def test_who_comes_second_is_told_plainly(ours, browser, lying, pool):
    lead = lying()
    slow = browser(ours, "sales2")
    browser(ours, "sales1").post(f"/crm/pools/{pool}/claim", data={"one": lead})

    answer = slow.post(f"/crm/pools/{pool}/claim", data={"one": lead}, follow_redirects=True)

    assert "手慢了" in answer.text


def test_a_lead_is_given_back_to_the_pool_one_chooses(ours, browser, record, pool, stored):
    lead = record(ours, "lead", owner="sales1")
    client = browser(ours, "sales1")

    unsaid = client.post(f"/crm/leads/{lead}/release", data={"pool": ""})
    said = client.post(f"/crm/leads/{lead}/release", data={"pool": pool, "reason": "没有需求"})

    assert unsaid.status_code == 422 and "请选择退回到哪个公海" in unsaid.text
    assert said.status_code == 303 and stored(Lead, lead).pool_id == pool
    assert "退回公共公海" in client.get(f"/crm/leads/{lead}").text


def test_a_pool_is_nobody_else_s_business(ours, theirs, browser, lying, pool):
    lead = lying()
    stranger = browser(theirs)

    for path in (f"/crm/pools/{pool}", f"/crm/leads/{lead}/why", f"/crm/settings/pools/{pool}"):
        assert stranger.get(path).status_code == 404
    assert stranger.post(f"/crm/pools/{pool}/claim", data={"one": lead}).status_code == 404
    assert browser(ours, "looker").post(f"/crm/pools/{pool}/claim", data={"one": lead}).status_code == 403
    for path in ("/crm/settings/assignment", "/crm/settings/pools", "/crm/settings/assignment/try"):
        assert browser(ours, "sales1").get(path).status_code == 403


def test_opening_too_many_leads_of_a_pool_is_refused_until_tomorrow(ours, browser, lying, pool):
    with working(ours) as actor:
        settings.save(settings.find(pool), {"views_per_day": 1}, [("all", "")], actor)
    first, second = lying(), lying("王沐阳")
    client = browser(ours, "sales1")

    answers = [client.get(f"/crm/leads/{key}").status_code for key in (first, first, second)]

    assert answers == [200, 200, 429]
    assert "今天已看" in client.get(f"/crm/pools/{pool}").text


def test_an_administrator_sets_up_a_pool_with_limits_and_recycling(ours, browser):
    client = browser(ours)

    made = client.post(
        "/crm/settings/pools/new",
        data={
            "name": "华东公海",
            "members": [f"department:{ours.departments['华东']}"],
            "claims_per_day": "5",
            "is_open": "y",
        },
    )
    pool = rows(ours, Pool)[0]
    rule = client.post(
        f"/crm/settings/pools/{pool.id}/recycling/new",
        data={
            "name": "两周没跟进",
            "measure": "no_follow_up",
            "after_days": "14",
            "warn_days": "2",
            "enabled": "y",
            "n": "0",
            "do": "save",
        },
    )

    assert (made.status_code, rule.status_code) == (303, 303)
    assert (pool.claims_per_day, pool.views_per_day, pool.is_default) == (5, None, True)
    page = client.get(f"/crm/settings/pools/{pool.id}").text
    assert "两周没跟进" in page and "天没有跟进" in page
    assert "华东" in client.get("/crm/settings/pools").text
    saved = rows(ours, RecycleRule)[0]
    assert "会收回的" in client.get(f"/crm/settings/pools/{pool.id}/recycling/{saved.id}").text
    refused = client.post(
        f"/crm/settings/pools/{pool.id}/recycling/{saved.id}",
        data={"name": "反了", "measure": "no_follow_up", "after_days": "3", "warn_days": "5", "n": "0", "do": "save"},
    )
    assert refused.status_code == 422 and "提醒要早于" in refused.text


def test_capacity_is_saved_and_a_bad_figure_refused(ours, browser):
    client = browser(ours)
    who = f"user:{ours.people['sales1']}"

    client.post("/crm/settings/pools/capacity", data={"subject": ["all:", who, ""], "most": ["50", "80", ""]})
    client.post("/crm/settings/pools/capacity", data={"subject": ["all:"], "most": ["很多"]})

    with working(ours):
        assert [(row.subject_kind, row.most) for row in capacity.listed()] == [("all", 50), ("user", 80)]


def test_what_was_recycled_can_be_taken_back_from_the_settings(ours, browser, record, pool, stored):
    with working(ours) as actor:
        found = settings.find(pool)
        settings.save_recycling(
            found, None, {"name": "太久", "measure": "no_follow_up", "after_days": 5, "warn_days": 0}, actor
        )
        db.session.query(RecycleRule).update({"created_at": clock.now() - timedelta(days=90)})
    lead = record(ours, "lead", owner="sales1", more={"created_at": clock.now() - timedelta(days=30)})
    with tenancy.scope(tenancy.tenant(ours.id)):
        operation = recycle.run(ours.id).id
    client = browser(ours)

    assert "公海回收" in client.get("/crm/settings/pools").text
    client.post(f"/crm/operations/{operation}/undo")

    assert stored(Lead, lead).owner_id == ours.people["sales1"]


def test_an_alarm_leads_to_the_very_leads_it_speaks_of(ours, browser, record, work):
    record(ours, "lead", name="没人要")
    record(ours, "lead", name="有人管", owner="sales1")
    work()

    with working(ours) as actor:
        path = db.session.scalars(select(Notice.path).where(Notice.user_id == actor.id)).one()
    page = browser(ours).get(path)

    assert page.status_code == 200 and "没人要" in page.text and "有人管" not in page.text
