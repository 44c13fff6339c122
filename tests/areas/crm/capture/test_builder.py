"""Forms made in the settings, and the desk at an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.core import tenancy
from app.core.db import db
from app.crm.activities.models import BehaviourEvent
from app.crm.capture.models import LeadForm
from app.crm.leads.models import Lead
from tests.company import Company

pytestmark = pytest.mark.database

NEW = {
    "mode": "form", "name": "官网咨询", "title": "联系我们", "button": "提交", "consent": "我同意", "thanks": "谢谢",
    "source": "website", "is_active": "1", "field": ["name", "phone"], "label-name": "怎么称呼", "required-name": "1",
    "label-phone": "手机", "required-phone": "1",
}  # fmt: skip


def rows(ours: Company, model: Any) -> list[Any]:
    tenancy.leave()
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        found = session.scalars(db.select(model).order_by(model.id)).all()
        session.expunge_all()
        return list(found)


def test_a_form_is_built_shared_changed_and_taken_away(ours: Company, browser: Callable[..., Any]) -> None:
    admin = browser(ours)
    made = admin.post("/crm/settings/forms/new", data=NEW)
    assert made.status_code == 303, made.text
    (form,) = rows(ours, LeadForm)
    assert [row["label"] for row in form.fields] == ["怎么称呼", "手机"]
    share = admin.get(made.location)
    assert f"/f/{form.token}?embed=1" in share.text and "embed.js" in share.text

    changed = admin.post(f"/crm/settings/forms/{form.id}", data={**NEW, "consent": "我同意与我联系"})
    assert changed.status_code == 303
    assert rows(ours, LeadForm)[0].consent_version == 2
    assert "官网咨询" in admin.get("/crm/settings/forms").text
    assert admin.get(f"/crm/settings/forms/{form.id}/poster").status_code == 200

    assert admin.post(f"/crm/settings/forms/{form.id}/archive").status_code == 303
    assert admin.get(f"/f/{form.token}").status_code == 404
    assert admin.get(f"/crm/settings/forms/{form.id}").status_code == 404


@pytest.mark.parametrize(
    ("action", "order"),
    [("up:phone", ["phone", "name"]), ("down:name", ["phone", "name"]), ("drop:name", ["phone"]),
     ("add", ["name", "phone", "email"]), ("drop:nobody", ["name", "phone"]), ("preview", ["name", "phone"])],
)  # fmt: skip
def test_fields_are_moved_without_a_script_and_nothing_is_kept_yet(
    ours: Company, browser: Callable[..., Any], action: str, order: list[str]
) -> None:
    answer = browser(ours).post("/crm/settings/forms/new", data={**NEW, "action": action, "add": "email"})

    assert answer.status_code == 200
    found = [part.partition('"')[0] for part in answer.text.split('name="field" value="')[1:]]
    assert found == order
    assert rows(ours, LeadForm) == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"name": " "}, "请填表单名称"),
        ({"consent": ""}, "请写明收集信息做什么用"),
        ({"field": ["name"]}, "至少要问一样"),
        ({"redirect": "javascript:alert(1)"}, "要填完整的网址"),
        ({"consent_link": 'https://x" onload=alert(1)'}, "要填完整的网址"),
        ({"origins": "'none'; script-src *"}, "不是网站地址"),
        ({"mode": "checkin"}, "请填活动日期"),
        ({"field": ["phone", "tags"], "label-tags": "兴趣"}, "可以选哪些"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(
    ours: Company, browser: Callable[..., Any], changes: dict[str, Any], complaint: str
) -> None:
    answer = browser(ours).post("/crm/settings/forms/new", data={**NEW, **changes})

    assert answer.status_code == 422
    assert complaint in answer.text
    assert rows(ours, LeadForm) == []


def test_only_administrators_build_and_strangers_find_nothing(
    ours: Company, theirs: Company, browser: Callable[..., Any]
) -> None:
    browser(ours).post("/crm/settings/forms/new", data=NEW)
    (form,) = rows(ours, LeadForm)

    for path in ("", "/share", "/poster"):
        assert browser(ours, "sales1").get(f"/crm/settings/forms/{form.id}{path}").status_code == 403
        assert browser(theirs).get(f"/crm/settings/forms/{form.id}{path}").status_code == 404
    assert browser(theirs).get(f"/crm/checkin/{form.id}").status_code == 404


def test_hostile_words_stay_words_in_the_builder(ours: Company, browser: Callable[..., Any]) -> None:
    hostile = "<img src=x onerror=alert(1)>\"'"
    admin = browser(ours)
    admin.post("/crm/settings/forms/new", data={**NEW, "title": hostile, "label-name": hostile, "name": hostile})
    (form,) = rows(ours, LeadForm)

    for path in (
        "/crm/settings/forms",
        f"/crm/settings/forms/{form.id}",
        f"/crm/settings/forms/{form.id}/share",
        f"/f/{form.token}",
    ):
        assert "<img src=x" not in admin.get(path).text


def test_a_colleague_at_the_door_writes_a_guest_down_once(ours: Company, browser: Callable[..., Any]) -> None:
    admin, sales = browser(ours), browser(ours, "sales1")
    admin.post("/crm/settings/forms/new", data={**NEW, "mode": "checkin", "day": "2026-11-22", "source": "event"})
    (form,) = rows(ours, LeadForm)
    desk = f"/crm/checkin/{form.id}"
    assert "还没有人签到" in sales.get(desk).text

    guest = {"f_name": "李牧之", "f_phone": "13800138000", "key": "k1"}
    assert sales.post(desk, data={**guest, "f_phone": "12"}).status_code == 422
    for key in ("k1", "k1", "k2"):
        assert sales.post(desk, data={**guest, "key": key}).status_code == 303

    (lead,) = rows(ours, Lead)
    assert lead.created_by_id == ours.people["sales1"] and lead.source == "event"
    assert [one.type for one in rows(ours, BehaviourEvent)] == ["event_checkin"]
    assert "李牧之" in admin.get(desk).text
    assert browser(ours, "looker").post(desk, data=guest).status_code == 403


def test_the_timeline_shows_what_was_sent_masked(ours: Company, browser: Callable[..., Any]) -> None:
    admin = browser(ours)
    admin.post("/crm/settings/forms/new", data={**NEW, "mode": "checkin", "day": "2026-11-22"})
    (form,) = rows(ours, LeadForm)
    admin.post(f"/crm/checkin/{form.id}", data={"f_name": "李牧之", "f_phone": "13800138000", "key": "k"})
    (lead,) = rows(ours, Lead)

    page = admin.get(f"/crm/leads/{lead.id}").text
    assert "活动签到「官网咨询」" in page and "138****8000" in page and "13800138000" not in page
