"""WeChat and Weibo call us: proven, fresh, once; a follower becomes one lead, and his phone finds who he is."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, Response

from app.core import clock, tenancy
from app.core.db import db
from app.crm.activities.models import BehaviourEvent
from app.crm.capture import channels, sealing
from app.crm.capture.models import Arrival, Channel, ChannelPerson
from app.crm.leads.models import Lead
from tests.company import Company, CrmBrowser, working

pytestmark = pytest.mark.database
OPENID = "oLVPpjqs9BhvzwPj5A-vTYAX3GLc"


def connect(ours: Company, kind: str = "wechat", **changes: Any) -> Channel:
    details = {
        "name": "云客服务号",
        "account": "wx5823bf96d3bd56c7" if kind == "wechat" else "1902538057",
        "secret": "appsecret",
    }
    with working(ours) as actor:
        channel = channels.add(kind, {**details, **changes}, actor)
        db.session.flush()
        db.session.expunge_all()
        return channel


@pytest.fixture
def service(app: Flask) -> CrmBrowser:
    """WeChat's or Weibo's servers."""
    return CrmBrowser(app, Response)


def rows(ours: Company, model: Any) -> list[Any]:
    tenancy.leave()
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        found = session.scalars(db.select(model).order_by(model.id)).all()
        session.expunge_all()
        return list(found)


def xml(number: str = "1", *, sender: str = OPENID, **fields: str) -> str:
    known = {"ToUserName": "gh_1", "FromUserName": sender, "CreateTime": str(int(clock.now().timestamp()))}
    if "Event" not in fields:
        known |= {"MsgType": "text", "MsgId": number}
    else:
        known["MsgType"] = "event"
    inside = "".join(f"<{key}><![CDATA[{value}]]></{key}>" for key, value in {**known, **fields}.items())
    return f"<xml>{inside}</xml>"


def signed(
    channel: Channel, body: str = "", *, nonce: str = "n1", timestamp: str = "", secret: str = ""
) -> tuple[dict[str, str], str]:
    """The query and the body that the service would send."""
    seconds = int(clock.now().timestamp())
    timestamp = timestamp or str(seconds * 1000 if channel.kind == "weibo" else seconds)
    secret = secret or channel.secret
    query = {"timestamp": timestamp, "nonce": nonce, "signature": sealing.signature(secret, timestamp, nonce)}
    if channel.kind == "wechat" and channel.mode == "aes" and body:
        sealed = sealing.seal(body, channel.aes_key or "", channel.account)
        query["msg_signature"] = sealing.signature(secret, timestamp, nonce, sealed)
        body = f"<xml><ToUserName>gh_1</ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
    return query, body


def deliver(service: CrmBrowser, channel: Channel, body: str, **more: str) -> Any:
    query, body = signed(channel, body, **more)
    return service.post(f"/hooks/{channel.kind}/{channel.token}", query_string=query, data=body.encode())


def test_the_address_is_proven(ours: Company, service: CrmBrowser) -> None:
    for kind in ("wechat", "weibo"):
        channel = connect(ours, kind)
        query, _ = signed(channel)
        answer = service.get(f"/hooks/{kind}/{channel.token}", query_string={**query, "echostr": "<b>5923</b>"})
        assert (answer.status_code, answer.text, answer.mimetype) == (200, "<b>5923</b>", "text/plain")
        forged = {**query, "signature": "0" * 40, "echostr": "1"}
        assert service.get(f"/hooks/{kind}/{channel.token}", query_string=forged).status_code == 403
    assert all(channel.verified_at for channel in rows(ours, Channel))


@pytest.mark.parametrize("mode", ["aes", "plain"])
def test_a_follower_becomes_a_lead_and_his_phone_is_filled_in(ours: Company, service: CrmBrowser, mode: str) -> None:
    channel = connect(ours, mode=mode, tags="公众号", campaign="服务号")

    joined = deliver(service, channel, xml(Event="subscribe", EventKey="qrscene_展会"), nonce="1")
    wrote = deliver(service, channel, xml("7", Content="你好，我的电话 13800138000"), nonce="2")

    assert (joined.status_code, joined.text, wrote.text) == (200, "success", "success")
    (lead,) = rows(ours, Lead)
    assert (lead.name, lead.phone, lead.source, lead.campaign) == (
        "微信用户 AX3GLc",
        "+8613800138000",
        "wechat",
        "服务号",
    )
    assert lead.tags == ["公众号"]
    assert [one.type for one in rows(ours, BehaviourEvent)] == ["wechat_message"] * 2
    (person,) = rows(ours, ChannelPerson)
    assert (person.external_id, person.record_id) == (OPENID, lead.id)
    assert rows(ours, Channel)[0].last_message_at is not None


def test_a_phone_that_is_known_tells_who_he_is(ours: Company, service: CrmBrowser, record: Callable[..., str]) -> None:
    known = record(ours, "lead", owner="sales1", name="李牧之", phone="13800138000")
    channel = connect(ours)

    deliver(service, channel, xml("1", Content="在吗"), nonce="1")
    deliver(service, channel, xml("2", Content="13800138000"), nonce="2")
    deliver(service, channel, xml("3", Content="谢谢"), nonce="3")

    (person,) = rows(ours, ChannelPerson)
    assert person.record_id == known
    assert [one.record_id for one in rows(ours, BehaviourEvent)][1:] == [known, known]


def test_weibo_messages_come_in_too(ours: Company, service: CrmBrowser) -> None:
    channel = connect(ours, "weibo")
    body = {"type": "text", "receiver_id": 1902538057, "sender_id": 2489518277, "created_at": "Mon Jul 16 18:09:20 +0800 2012",
            "text": "想了解价格 13800138000", "data": {}}  # fmt: skip

    answer = deliver(service, channel, json.dumps(body))
    again = deliver(service, channel, json.dumps(body), nonce="n2")

    assert (answer.status_code, answer.text, again.status_code) == (200, "", 200)
    (lead,) = rows(ours, Lead)
    assert (lead.name, lead.phone, lead.source) == ("微博用户 518277", "+8613800138000", "weibo")
    assert len(rows(ours, BehaviourEvent)) == 1
    wrong = deliver(service, channel, json.dumps({**body, "receiver_id": 1}), nonce="n3")
    assert wrong.status_code == 403


def test_the_same_message_again_changes_nothing(ours: Company, service: CrmBrowser) -> None:
    channel = connect(ours)
    query, body = signed(channel, xml("1", Content="你好"))

    same = [service.post(f"/hooks/wechat/{channel.token}", query_string=query, data=body) for _ in range(5)]
    resent = deliver(service, channel, xml("1", Content="你好"), nonce="other")  # WeChat tries again, signed anew

    assert [answer.text for answer in (*same, resent)] == ["success"] * 6
    assert len(rows(ours, Arrival)) == len(rows(ours, BehaviourEvent)) == len(rows(ours, Lead)) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"timestamp": "1409659813"}, "时间相差超过 5 分钟"),
        ({"timestamp": "9" * 40}, "时间戳不对"),
        ({"timestamp": "²"}, "时间戳不对"),
        ({"secret": "somebody else's"}, "签名不对"),
    ],
)
def test_what_is_old_or_forged_is_refused_and_said_on_the_accounts_page(
    ours: Company, service: CrmBrowser, change: dict[str, str], reason: str
) -> None:
    channel = connect(ours)

    answer = deliver(service, channel, xml(Content="你好"), **change)

    assert (answer.status_code, answer.text) == (403, "forbidden")
    assert rows(ours, Lead) == rows(ours, Arrival) == []
    assert rows(ours, Channel)[0].last_refusal == reason


def test_a_signature_is_good_for_one_body_only(ours: Company, service: CrmBrowser) -> None:
    channel = connect(ours, mode="plain")
    query, _ = signed(channel)
    path = f"/hooks/wechat/{channel.token}"

    assert service.post(path, query_string=query, data=xml("1", Content="你好")).status_code == 200
    assert service.post(path, query_string=query, data=xml("2", sender="o" * 28, Content="假的")).status_code == 403
    assert len(rows(ours, Lead)) == 1


def test_a_sealed_accounts_messages_are_never_taken_in_the_open(ours: Company, service: CrmBrowser) -> None:
    channel = connect(ours)
    query, _ = signed(channel)

    assert (
        service.post(f"/hooks/wechat/{channel.token}", query_string=query, data=xml(Content="你好")).status_code == 403
    )


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"<xml>", b"<!DOCTYPE a><xml/>", b"{" * 50_000, b"<xml><FromUserName/></xml>"]
)
def test_hostile_bodies_are_refused(ours: Company, service: CrmBrowser, body: bytes) -> None:
    channel = connect(ours, mode="plain")
    query, _ = signed(channel)

    assert service.post(f"/hooks/wechat/{channel.token}", query_string=query, data=body).status_code == 403
    assert service.post(f"/hooks/wechat/{channel.token}", query_string=query, data=b"x" * 70_000).status_code == 413
    assert rows(ours, Lead) == []


def test_words_that_a_database_can_not_hold_bring_nothing_down(ours: Company, service: CrmBrowser) -> None:
    channel = connect(ours, "weibo")
    body = {
        "type": "text",
        "receiver_id": "1902538057",
        "sender_id": "1",
        "created_at": "x",
        "text": "a\x00b\ud800<img src=x>",
    }

    assert deliver(service, channel, json.dumps(body)).status_code == 200
    assert [one.name for one in rows(ours, Lead)] == ["微博用户 1"]


def test_an_address_of_another_kind_or_of_nobody_is_not_found(ours: Company, service: CrmBrowser) -> None:
    channel = connect(ours)

    for path in (
        f"/hooks/weibo/{channel.token}",
        "/hooks/wechat/nobody",
        "/hooks/wechat/'%20OR%201=1",
        f"/f/{channel.token}",
    ):
        assert service.get(path).status_code == 404
        assert service.post(path, data=xml()).status_code == 404


def test_who_leaves_is_no_new_lead_and_comes_back_as_himself(ours: Company, service: CrmBrowser) -> None:
    channel = connect(ours)

    deliver(service, channel, xml(Event="subscribe"), nonce="1")
    with clock.held(clock.now() + timedelta(seconds=20)):
        deliver(service, channel, xml(Event="unsubscribe"), nonce="2")
        assert not rows(ours, ChannelPerson)[0].is_following
    with clock.held(clock.now() + timedelta(seconds=40)):
        deliver(service, channel, xml(Event="subscribe"), nonce="3")
    deliver(service, channel, xml(Event="TEMPLATESENDJOBFINISH"), nonce="4")

    assert len(rows(ours, Lead)) == 1 and rows(ours, ChannelPerson)[0].is_following
    assert len(rows(ours, BehaviourEvent)) == 2


def test_a_disconnected_account_is_not_found_and_one_that_is_off_refuses(ours: Company, service: CrmBrowser) -> None:
    off, gone = connect(ours, is_active=False), connect(ours)
    assert deliver(service, off, xml(Content="你好")).status_code == 403
    deliver(service, gone, xml(Content="你好"))
    with working(ours) as actor:
        channels.remove(channels.get(gone.id), actor)

    assert deliver(service, gone, xml(Content="你好")).status_code == 404
    assert len(rows(ours, Lead)) == 1


def test_messages_of_one_follower_at_once_are_one_lead(app: Flask, ours: Company) -> None:
    channel = connect(ours)
    calls = [signed(channel, xml(str(number), Content="你好"), nonce=str(number)) for number in range(6)]
    start, answers = threading.Barrier(6), []
    db.session.rollback()

    def call(query: dict[str, str], body: str) -> None:
        with app.app_context():
            start.wait()
            answer = CrmBrowser(app, Response).post(f"/hooks/wechat/{channel.token}", query_string=query, data=body)
            answers.append(answer.status_code)

    threads = [threading.Thread(target=call, args=one) for one in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [200] * 6
    assert len(rows(ours, Lead)) == 1 and len(rows(ours, BehaviourEvent)) == 6
