"""The sandbox's page speaks for WeChat and Weibo: what it delivers, the product takes in as it would from the real ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response

from app.core import tenancy
from app.core.db import db
from app.crm.capture.models import Channel
from app.crm.leads.models import Lead
from tests.company import Company, CrmBrowser

pytestmark = pytest.mark.database


@pytest.mark.parametrize("kind", ["wechat", "weibo"])
def test_an_account_connected_by_hand_receives_what_the_sandbox_sends(
    app: Flask, ours: Company, browser: Callable[..., Any], kind: str
) -> None:
    admin, fan = browser(ours), CrmBrowser(app, Response)
    assert "还没有接入渠道" in fan.get("/sandbox/channels").text
    details = {
        "name": "云客",
        "account": "wx5823bf96d3bd56c7" if kind == "wechat" else "",
        "secret": "s3cret",
        "is_active": "1",
    }
    made = admin.post(f"/crm/settings/channels/new/{kind}", data={**details, "mode": "aes"})
    assert made.status_code == 303, made.text
    key = made.location.rsplit("/", 1)[1]
    assert "等待接通" in admin.get(made.location).text

    for action in ("verify", "join", "text"):
        sent = {"kind": action, "fan": "fan-1", "text": "我的电话 13800138000"}
        assert fan.post(f"/sandbox/channels/{key}", data=sent).status_code == 303

    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        (lead,) = session.scalars(db.select(Lead)).all()
        assert (lead.source, lead.phone) == (kind, "+8613800138000")
        channel = session.scalars(db.select(Channel)).one()
        assert channel.verified_at and channel.last_message_at
    page = admin.get(made.location).text
    assert "正常" in page and ("s3cret" not in page)
    assert fan.post("/sandbox/channels/nobody").status_code == 404


def test_channels_are_the_administrators(ours: Company, theirs: Company, browser: Callable[..., Any]) -> None:
    admin = browser(ours)
    made = admin.post("/crm/settings/channels/new/wechat", data={"name": "云客", "account": "wx1", "is_active": "1"})

    assert browser(ours, "sales1").get("/crm/settings/channels").status_code == 403
    for path in ("", "/renew", "/remove"):
        assert browser(theirs).post(f"{made.location}{path}").status_code == 404
    old = admin.get(made.location).text
    assert admin.post(f"{made.location}/renew").status_code == 303
    assert admin.get(made.location).text != old
    assert admin.post(made.location, data={"name": "", "account": "wx1"}).status_code == 422
    assert (
        admin.post("/crm/settings/channels/new/wechat", data={"name": "<img src=x>", "account": "wx2"}).status_code
        == 303
    )
    assert "<img src=x" not in admin.get("/crm/settings/channels").text
    assert admin.post("/crm/settings/channels/new/sms", data={}).status_code == 404
    assert admin.post(f"{made.location}/remove").status_code == 303
    assert admin.get(made.location).status_code == 404
