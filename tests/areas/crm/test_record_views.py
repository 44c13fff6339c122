"""Saved views: one's own and shared ones, each showing its reader what he may see, whatever his scope (PITFALLS 16)."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest
from sqlalchemy import select

from app.core import tenancy
from app.crm.access import policy
from app.crm.access.models import Role

pytestmark = pytest.mark.database

HOT = {"field": "score", "op": "gte", "value": 60}


def rows(text):
    return sorted(re.findall(r'aria-label="选择 ([^"]+)"', text))


def tabs(text):
    return re.findall(r'class="vtab" href="[^"]*"[^>]*>([^<]+)<span', text)


def save(client, name="高分", tree=HOT, **more):
    return client.post("/crm/leads/views", data={"name": name, "f": json.dumps(tree), "sort": "-score", **more})


def role_id(company, key):
    with tenancy.scope(tenancy.tenant(company.id)) as session:
        return session.scalars(select(Role.id).where(Role.key == key)).one()


def scope(company, key, reach):
    with tenancy.scope(tenancy.tenant(company.id)) as session:
        session.scalars(select(Role).where(Role.key == key)).one().rights = {"lead": {"read": reach}}
        policy.changed(company.id)


def test_what_the_list_shows_is_kept_under_a_name(ours, browser, record):
    record(ours, "lead", name="高", more={"score": 86})
    record(ours, "lead", name="低", more={"score": 10})
    client = browser(ours)

    answer = save(client)

    assert answer.status_code == 303
    page = client.get(answer.location).text
    assert rows(page) == ["高"] and "高分" in tabs(page)
    assert "高分" not in tabs(browser(ours, "looker").get("/crm/leads").text), "private until it is shared"
    assert browser(ours, "looker").get(answer.location).status_code == 404


@pytest.fixture
def everywhere(ours, record):
    for owner in ("manager", "sales1", "sales2", "sales3", ""):
        record(ours, "lead", owner=owner, name=owner or "nobody", more={"score": 80})


@pytest.mark.parametrize(
    ("reach", "seen"),
    [("own", ["sales1"]), ("team", ["sales1"]), ("department", ["manager", "sales1", "sales2"]),
     ("tree", ["manager", "sales1", "sales2"]), ("all", ["manager", "nobody", "sales1", "sales2", "sales3"]), (["华南"], ["sales3"])],
)  # fmt: skip
def test_a_shared_view_shows_each_scope_its_rows(ours, browser, everywhere, reach, seen):
    path = save(browser(ours), shared="all").location
    scope(ours, "sales", [ours.departments[name] for name in reach] if isinstance(reach, list) else reach)
    client = browser(ours, "sales1")

    page = client.get(path)

    assert page.status_code == 200 and rows(page.text) == seen
    counts = client.get("/crm/leads/counts", headers={"HX-Request": "true"}).text
    assert re.search(rf'id="n-{path.rpartition("=")[2]}"[^>]*>(\d+)<', counts)[1] == str(len(seen))


def test_the_mine_of_a_shared_view_is_its_readers(ours, browser, everywhere):
    path = save(browser(ours), tree={"field": "owner_id", "op": "is_in", "value": ["me"]}, shared="all").location

    assert rows(browser(ours, "sales1").get(path).text) == ["sales1"]
    assert rows(browser(ours, "sales3").get(path).text) == ["sales3"]


def test_a_view_for_roles_is_for_these_roles(ours, browser, everywhere):
    path = save(browser(ours), shared="roles", roles=[role_id(ours, "sales")]).location

    assert browser(ours, "sales1").get(path).status_code == 200
    assert browser(ours, "manager").get(path).status_code == 404
    assert save(browser(ours), "别的", shared="roles").status_code == 422


def test_a_view_of_a_field_that_is_hidden_says_so_and_counts_nothing(ours, browser, everywhere):
    path = save(browser(ours), shared="all").location
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        session.scalars(select(Role).where(Role.key == "sales")).one().fields = {"lead": {"score": "hidden"}}
        policy.changed(ours.id)
    client = browser(ours, "sales1")

    page = client.get(path)

    assert (
        page.status_code == 422 and "这个视图打不开" in page.text and "没有权限" in page.text and rows(page.text) == []
    )
    assert client.get("/crm/leads/counts", headers={"HX-Request": "true"}).status_code == 200
    assert client.get("/crm/leads/views").status_code == 200


def test_who_made_a_view_changes_it_and_nobody_else(ours, browser, everywhere):
    client = browser(ours, "sales1")
    key = save(client, shared="all").location.rpartition("=")[2]
    stranger = browser(ours, "sales3")

    assert stranger.post(f"/crm/leads/views/{key}", data={"name": "我的了"}).status_code == 403
    assert stranger.post(f"/crm/leads/views/{key}/delete").status_code == 403
    assert client.post(f"/crm/leads/views/{key}", data={"name": "更高分", "shared": ""}).status_code == 303

    assert "更高分" in tabs(client.get("/crm/leads").text) and "更高分" not in tabs(stranger.get("/crm/leads").text)
    assert client.post(f"/crm/leads/views/{key}/delete").status_code == 303
    assert client.get(f"/crm/leads?view={key}").status_code == 404


def test_a_view_can_take_up_what_the_list_shows_now(ours, browser, record):
    record(ours, "lead", name="甲", more={"score": 86})
    record(ours, "lead", name="乙", more={"score": 10})
    client = browser(ours)
    path = save(client).location
    key = path.rpartition("=")[2]

    client.post(
        f"/crm/leads/views/{key}",
        data={"name": "低分", "view": key, "f": json.dumps(HOT | {"op": "lt"}), "refill": "1"},
    )

    assert rows(client.get(path).text) == ["乙"]


@pytest.mark.parametrize(("name", "said"), [("", "起个名字"), ("字" * 21, "最多 20 个字"), ("高分", "已经有一个叫")])
def test_a_view_needs_a_name_of_its_own(ours, browser, name, said):
    client = browser(ours)
    save(client)

    answer = save(client, name)

    assert answer.status_code == 422 and said in answer.text


def test_a_favourite_stands_in_the_rail_of_its_owner(ours, browser):
    client = browser(ours)

    client.post("/crm/leads/views/hot/favourite", data={"yes": "1"})

    assert "收藏的视图" in client.get("/crm/leads").text and "收藏的视图" in client.get("/crm/").text
    assert "收藏的视图" in client.get("/crm/customers").text
    assert "收藏的视图" not in browser(ours, "looker").get("/crm/leads").text
    client.post("/crm/leads/views/hot/favourite", data={"yes": "0"})
    assert "收藏的视图" not in client.get("/crm/leads").text


def test_a_changed_view_keeps_its_tab_and_its_own_filter_can_be_taken_away(ours, browser, record):
    record(ours, "lead", owner="admin", name="甲", more={"status": "closed"})
    client = browser(ours)

    page = client.get("/crm/leads?view=mine&f=%7B%7D&q=x").text
    assert "保存视图" in page and 'aria-current="page">我的线索' in page
    assert client.get("/crm/leads?view=stale&f=" + quote("{}")).status_code == 200
