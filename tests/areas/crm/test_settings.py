"""The settings: people, departments, roles, sharing, through the very pages, and that each change holds at once."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from app.core import tenancy
from app.core.audit import AuditEvent
from app.crm.access.models import CrmUser, Department, Role, UserRole
from app.crm.records.rules import SharingRule
from tests.company import CrmBrowser

pytestmark = pytest.mark.database


def roles(company) -> dict[str, str]:
    """{key: id} of the company's roles."""
    with tenancy.scope(tenancy.tenant(company.id)) as session:
        return dict(session.execute(select(Role.key, Role.id)).all())


def grid(company, key: str) -> dict[str, str]:
    """The form of a role as its page sends it."""
    with tenancy.scope(tenancy.tenant(company.id)) as session:
        role = session.scalars(select(Role).where(Role.key == key)).one()
        sent = {"name": role.name, "description": role.description}
        sent |= {
            f"r.{thing}.{action}": scope for thing, rights in role.rights.items() for action, scope in rights.items()
        }
        return sent | {
            f"f.{thing}.{name}": right for thing, names in role.fields.items() for name, right in names.items()
        }


def audited(company, action: str) -> list[AuditEvent]:
    with tenancy.scope(tenancy.tenant(company.id)) as session:
        found = list(session.scalars(select(AuditEvent).where(AuditEvent.action == action)))
        session.expunge_all()
        return found


@pytest.mark.parametrize(
    "path",
    ["users", "users/new", "departments", "roles", "sharing", "sharing/new", "audit", "audit/cases", "audit/rights"],
)
def test_only_who_manages_comes_in(ours, browser, path):
    assert browser(ours).get(f"/crm/settings/{path}").status_code == 200
    assert browser(ours, "manager").get(f"/crm/settings/{path}").status_code == 403
    assert "用户" not in re.findall(r'class="vtab"[^>]*>([^<]+)', browser(ours, "sales1").get("/crm/settings").text)


def test_a_colleague_is_taken_on_with_a_password_that_is_shown_once(app, ours, browser):
    admin = browser(ours)
    sent = {
        "name": "许南乔", "username": "Nanqiao", "role": [roles(ours)["sales"], roles(ours)["marketing"]],
        "department": ours.departments["华东"], "manager": ours.people["manager"],
    }  # fmt: skip
    answer = admin.post("/crm/settings/users/new", data=sent)
    password = re.search(r'data-copy="((?:[0-9a-z]{4}-){2}[0-9a-z]{4})"', answer.text).group(1)

    assert "只显示这一次" in answer.text
    assert password not in admin.get("/crm/settings/users").text
    fresh = CrmBrowser(app, app.response_class)
    came = fresh.post("/crm/login", data={"code": ours.code, "username": "nanqiao", "password": password})
    assert came.status_code == 303
    assert fresh.get("/crm/").location == "/crm/password"
    assert len(audited(ours, "user_created")) == 1
    assert password not in str([event.changes for event in audited(ours, "user_created")])


def test_the_package_holds_so_many_and_says_so(make_company, browser):
    ours = make_company(max_users=7)
    sent = {"name": "许南乔", "username": "nanqiao", "role": roles(ours)["sales"], "department": "", "manager": ""}
    answer = browser(ours).post("/crm/settings/users/new", data=sent)

    assert answer.status_code == 422
    assert "企业版最多 7 个用户，已经用满。停用一个用户，或者升级套餐。" in answer.text


def test_who_is_let_go_is_out_at_once_and_leaves_a_place_and_may_come_back(make_company, browser, record):
    ours = make_company(max_users=7)
    record(ours, "lead", owner="sales1")
    admin, leaver = browser(ours), browser(ours, "sales1")
    page = f"/crm/settings/users/{ours.people['sales1']}"
    assert "名下还有" in admin.get(page).text

    assert admin.post(f"{page}/deactivate").status_code == 303
    assert leaver.get("/crm/").location.startswith("/crm/login")
    sent = {"name": "许南乔", "username": "nanqiao", "role": roles(ours)["sales"], "department": "", "manager": ""}
    assert admin.post("/crm/settings/users/new", data=sent).status_code == 200
    admin.post(f"{page}/reactivate")
    assert "已经用满" in admin.get(page).text
    assert [event.label for event in audited(ours, "user_left")] == ["林知远"]


def test_a_new_password_ends_the_sessions_and_must_be_changed(ours, browser):
    colleague = browser(ours, "sales1")
    answer = browser(ours).post(f"/crm/settings/users/{ours.people['sales1']}/password")

    assert "只显示这一次" in answer.text
    assert colleague.get("/crm/").location.startswith("/crm/login")


def test_the_last_administrator_stays_one(ours, browser):
    admin = browser(ours)
    me = f"/crm/settings/users/{ours.people['admin']}"
    sent = {"name": "陈嘉禾", "role": roles(ours)["sales"], "department": "", "manager": ""}

    refused = admin.post(me, data=sent)
    assert refused.status_code == 422 and "至少要留一位管理员" in refused.text
    assert "不能停用自己" in admin.post(f"{me}/deactivate", follow_redirects=True).text
    assert admin.get("/crm/settings/users").status_code == 200

    second = {"name": "顾长宁", "role": [roles(ours)["admin"], roles(ours)["manager"]], "department": "", "manager": ""}
    admin.post(f"/crm/settings/users/{ours.people['manager']}", data=second)
    assert admin.post(me, data=sent).status_code == 303
    assert admin.get("/crm/settings/users").status_code == 403


def test_nobody_is_his_own_superior(ours, browser):
    sent = {"name": "顾长宁", "role": roles(ours)["manager"], "department": "", "manager": ours.people["sales1"]}
    answer = browser(ours).post(f"/crm/settings/users/{ours.people['manager']}", data=sent)

    assert answer.status_code == 422 and "上级不能是本人或本人的下属" in answer.text


def test_a_department_moved_takes_its_rights_along_with_the_next_request(ours, browser, record):
    """顾长宁 sees 本部门及下级 of 华东; 何景行 works in 华南, until 华南 is put under 华东."""
    lead = record(ours, "lead", owner="sales3", name="季云舟")
    manager, admin = browser(ours, "manager"), browser(ours)
    assert manager.get(f"/crm/leads/{lead}").status_code == 404

    east, south = ours.departments["华东"], ours.departments["华南"]
    admin.post(f"/crm/settings/departments/{south}", data={"name": "华南", "parent": east})
    assert manager.get(f"/crm/leads/{lead}").status_code == 200

    looped = admin.post(f"/crm/settings/departments/{east}", data={"name": "华东", "parent": south})
    assert looped.status_code == 422 and "不能放到自己或自己的下级里" in looped.text
    admin.post(f"/crm/settings/departments/{south}", data={"name": "华南", "parent": ""})
    assert manager.get(f"/crm/leads/{lead}").status_code == 404


def test_a_department_goes_only_when_it_is_empty(ours, browser):
    admin = browser(ours)
    admin.post("/crm/settings/departments", data={"name": "华北", "parent": ""})
    assert "已经有" in admin.post("/crm/settings/departments", data={"name": "华北", "parent": ""}).text
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        empty = session.scalars(select(Department.id).where(Department.name == "华北")).one()

    said = admin.post(f"/crm/settings/departments/{ours.departments['华东']}/delete", follow_redirects=True)
    assert "还有3 位同事" in said.text
    assert admin.post(f"/crm/settings/departments/{empty}/delete").status_code == 303
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        assert session.get(Department, empty) is None


def test_a_role_is_copied_changed_and_holds_with_the_next_request(ours, browser, record):
    lead = record(ours, "lead", owner="sales3", name="季云舟", phone="13800138000")
    sales, admin = browser(ours, "sales1"), browser(ours)
    assert sales.get(f"/crm/leads/{lead}").status_code == 404
    key = roles(ours)["sales"]

    wider = grid(ours, "sales") | {"r.lead.read": "all", "f.lead.company": "hidden"}
    previewed = admin.post(f"/crm/settings/roles/{key}/preview", data=wider)
    assert (
        "谁会受影响" in previewed.text and "林知远" in previewed.text and "线索·查看：1 人的 → 全部" in previewed.text
    )
    assert sales.get(f"/crm/leads/{lead}").status_code == 404

    assert admin.post(f"/crm/settings/roles/{key}", data=wider).status_code == 303
    assert sales.get(f"/crm/leads/{lead}").status_code == 200
    changed = audited(ours, "role_changed")[0].changes
    assert changed["lead.read"] == ["本人", "全部"] and changed["lead:company"] == ["可编辑", "不可见"]
    assert len(audited(ours, "role_widened")) == 1

    admin.post(f"/crm/settings/roles/{key}/copy")
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        copied = session.scalars(select(Role).where(Role.name == "销售 副本")).one()
        assert not copied.is_shipped and copied.rights["lead"]["read"] == "all"
        copied_id = copied.id
    assert admin.post(f"/crm/settings/roles/{copied_id}/delete").status_code == 303
    assert "内置角色不能删除" in admin.post(f"/crm/settings/roles/{key}/delete", follow_redirects=True).text


def test_chosen_departments_are_a_scope(ours, browser, record):
    lead = record(ours, "lead", owner="sales3", name="季云舟")
    other = record(ours, "lead", owner="manager", name="贺知秋")
    sales = browser(ours, "sales1")
    sent = grid(ours, "sales") | {"r.lead.read": "departments"}
    key = roles(ours)["sales"]

    refused = browser(ours).post(f"/crm/settings/roles/{key}", data=sent)
    assert refused.status_code == 422 and "请为「指定部门」选择部门" in refused.text
    browser(ours).post(f"/crm/settings/roles/{key}", data=sent | {"departments": [ours.departments["华南"]]})
    assert sales.get(f"/crm/leads/{lead}").status_code == 200
    assert sales.get(f"/crm/leads/{other}").status_code == 404


def test_the_administrators_role_stays_as_it_is(ours, browser):
    answer = browser(ours).post(f"/crm/settings/roles/{roles(ours)['admin']}", data={"name": "x", "r.lead.read": "own"})

    assert answer.status_code == 422 and "管理员角色不能修改" in answer.text
    assert grid(ours, "admin")["r.lead.read"] == "all"


def test_a_role_that_somebody_has_stays(ours, browser):
    admin = browser(ours)
    admin.post(f"/crm/settings/roles/{roles(ours)['sales']}/copy")
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        copied = session.scalars(select(Role.id).where(Role.name == "销售 副本")).one()
        session.add(UserRole(user_id=ours.people["looker"], role_id=copied))

    assert "还有 1 位同事" in admin.post(f"/crm/settings/roles/{copied}/delete", follow_redirects=True).text


def shared(ours, right="read", **more):
    return {
        "object": "lead", "n": "1", "name": "活动线索", "role": roles(ours)["sales"], "right": right, "is_active": "1",
        "field-0": "source", "op-0": "is_in", "value-0": "event", **more,
    }  # fmt: skip


def test_a_sharing_rule_gives_and_takes_with_the_next_request(ours, browser, record):
    fits = record(ours, "lead", owner="marketing", name="季云舟", source="event")
    other = record(ours, "lead", owner="marketing", name="贺知秋", source="phone")
    sales, admin = browser(ours, "sales1"), browser(ours)
    assert sales.get(f"/crm/leads/{fits}").status_code == 404

    assert admin.post("/crm/settings/sharing/new?object=lead", data=shared(ours)).status_code == 303
    assert sales.get(f"/crm/leads/{fits}").status_code == 200
    assert sales.get(f"/crm/leads/{other}").status_code == 404
    assert "季云舟" in sales.get("/crm/leads").text and "贺知秋" not in sales.get("/crm/leads").text
    assert sales.get(f"/crm/leads/{fits}/edit").status_code == 403
    assert "共享规则「活动线索」让角色「销售」可以查看" in sales.get(f"/crm/leads/{fits}/who").text

    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        rule = session.scalars(select(SharingRule.id)).one()
    admin.post(f"/crm/settings/sharing/{rule}", data=shared(ours, "edit"))
    assert sales.get(f"/crm/leads/{fits}/edit").status_code == 200
    admin.post(f"/crm/settings/sharing/{rule}/delete")
    assert sales.get(f"/crm/leads/{fits}").status_code == 404
    assert [len(audited(ours, f"sharing_{what}")) for what in ("created", "changed", "deleted")] == [1, 1, 1]


def test_a_sharing_rule_without_a_condition_or_value_is_refused(ours, browser):
    admin = browser(ours)
    empty = admin.post("/crm/settings/sharing/new?object=lead", data=shared(ours) | {"n": "0"})
    blank = admin.post("/crm/settings/sharing/new?object=lead", data=shared(ours) | {"value-0": ""})

    assert empty.status_code == 422 and "至少填一个条件" in empty.text
    assert blank.status_code == 422 and "请填「来源」的筛选值" in blank.text
    more = admin.get("/crm/settings/sharing/new", query_string=shared(ours) | {"do": "add"})
    assert "条件 2" in more.text and "活动线索" in more.text


def test_through_a_colleagues_eyes_one_sees_what_he_sees_and_changes_nothing(ours, browser, record):
    mine = record(ours, "lead", owner="sales1", name="季云舟", phone="13800138000")
    foreign = record(ours, "lead", owner="sales3", name="贺知秋")
    admin = browser(ours)
    admin.post(f"/crm/settings/users/{ours.people['sales1']}/view-as")

    seen = admin.get("/crm/leads").text
    assert "正以" in seen and "林知远" in seen and "季云舟" in seen and "贺知秋" not in seen
    assert admin.get(f"/crm/leads/{foreign}").status_code == 404
    assert admin.get("/crm/settings/users").status_code == 403
    assert admin.post(f"/crm/leads/{mine}/edit", data={"name": "改了"}).status_code == 403
    assert admin.get(f"/crm/leads/{mine}").status_code == 200

    assert admin.post("/crm/settings/view-as/end").status_code == 303
    assert admin.get(f"/crm/leads/{foreign}").status_code == 200
    assert [event.actor_name for event in audited(ours, "viewed_as") + audited(ours, "viewed_as_over")] == [
        "陈嘉禾"
    ] * 2
    assert browser(ours, "manager").post(f"/crm/settings/users/{ours.people['sales1']}/view-as").status_code == 403


def test_the_page_of_grounds_tells_why_and_why_not(ours, browser, record):
    lead = record(ours, "lead", owner="sales1", name="季云舟")
    page = browser(ours, "sales1").get(f"/crm/leads/{lead}/who").text
    seeing = re.sub(r"\s+", "", re.sub(r"<[^>]+>", "", page))

    assert "角色「销售」可以查看本人的线索" in seeing
    assert "角色「销售主管」可以查看本部门及下级的线索" in seeing
    missing = browser(ours).get(f"/crm/leads/{lead}/who?user={ours.people['sales3']}").text
    assert "何景行看不到" in missing and "角色「销售」可以查看本人的线索——不适用于这条" in missing
    assert browser(ours, "sales3").get(f"/crm/leads/{lead}/who").status_code == 404
    assert f"/crm/leads/{lead}/who" in browser(ours, "sales1").get(f"/crm/leads/{lead}").text


def test_nothing_of_a_neighbour_can_be_named(ours, theirs, browser, stored):
    admin = browser(ours)
    for path in (
        f"users/{theirs.people['sales1']}",
        f"departments/{theirs.departments['华东']}",
        f"roles/{roles(theirs)['sales']}",
    ):
        assert admin.get(f"/crm/settings/{path}").status_code == 404
    sent = {"name": "林知远", "role": roles(theirs)["sales"], "department": theirs.departments["华东"], "manager": ""}
    assert admin.post(f"/crm/settings/users/{ours.people['sales1']}", data=sent).status_code == 422
    assert stored(CrmUser, ours.people["sales1"]).department_id == ours.departments["华东"]
