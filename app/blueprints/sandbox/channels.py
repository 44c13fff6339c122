"""The servers of WeChat and Weibo, as far as an account's followers go: they sign, seal and deliver as the real ones do."""

from __future__ import annotations

import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from xml.sax.saxutils import escape

from flask import Flask, current_app, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.blueprints.sandbox import area
from app.core import clock, tenancy
from app.core.db import db
from app.core.errors import NotFound
from app.crm.capture import sealing
from app.crm.capture.models import Channel
from app.web.area import begin_writing
from app.web.pages import done, page

KINDS = {"text": "发消息", "join": "关注", "scan": "扫带参数的二维码", "left": "取消关注", "verify": "验证服务器地址"}


@area.get("/channels")
def channels() -> ResponseReturnValue:
    found = _channels()
    return page("sandbox/channels.html", channels=found, kinds=KINDS, fan=f"o{secrets.token_hex(13)}")


@area.post("/channels/<channel_id>")
def channel_call(channel_id: str) -> ResponseReturnValue:
    """Deliver one message to our own address and say what was answered."""
    wanted = next((one for one in _channels() if one.id == channel_id), None)
    if wanted is None:
        raise NotFound("没有这个渠道。")
    kind = request.form.get("kind", "text")
    fan, text = request.form.get("fan", "")[:64] or "o-nobody", request.form.get("text", "")[:500]
    begin_writing()  # the call below is a request of its own, and must not wait for this one
    status, answer = deliver(current_app._get_current_object(), wanted, kind, fan, text)  # type: ignore[attr-defined]
    words = f"{KINDS.get(kind, kind)}：产品答了 {status} {answer[:60] or '（空）'}"
    return done(url_for("sandbox.channels"), words, kind="ok" if status == 200 else "error")


def deliver(app: Flask, channel: Channel, kind: str, fan: str, text: str) -> tuple[int, str]:
    """Call the product as the service would: (status, body) of its answer. In a thread of its own, as from outside."""
    method, body = ("GET", "") if kind == "verify" else ("POST", _body(channel, kind, fan, text))
    query, sent = signed(channel, body)
    if kind == "verify":
        query["echostr"] = secrets.token_hex(8)
    path = f"/hooks/{channel.kind}/{channel.token}"

    def call() -> tuple[int, str]:
        answer = app.test_client(use_cookies=False).open(path, method=method, query_string=query, data=sent.encode())
        return answer.status_code, answer.get_data(as_text=True)

    with ThreadPoolExecutor(max_workers=1) as outside:
        return outside.submit(call).result(timeout=20)


def signed(channel: Channel, body: str) -> tuple[dict[str, str], str]:
    """The query and the body of a call."""
    now = clock.now().timestamp()
    moment, nonce = str(int(now * 1000) if channel.kind == "weibo" else int(now)), secrets.token_hex(5)
    query = {"timestamp": moment, "nonce": nonce, "signature": sealing.signature(channel.secret, moment, nonce)}
    if channel.kind == "wechat" and channel.mode == "aes" and body:
        sealed = sealing.seal(body, channel.aes_key or "", channel.account)
        query |= {"encrypt_type": "aes", "msg_signature": sealing.signature(channel.secret, moment, nonce, sealed)}
        body = f"<xml><ToUserName><![CDATA[gh_sandbox]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
    return query, body


def _body(channel: Channel, kind: str, fan: str, text: str) -> str:
    return _of_weibo(channel, kind, fan, text) if channel.kind == "weibo" else _of_wechat(kind, fan, text)


def _of_wechat(kind: str, fan: str, text: str) -> str:
    fields: dict[str, Any] = {
        "ToUserName": "gh_sandbox",
        "FromUserName": fan,
        "CreateTime": int(clock.now().timestamp()),
    }
    if kind == "text":
        fields |= {"MsgType": "text", "Content": text, "MsgId": secrets.randbelow(10**16)}
    else:
        event = {"join": "subscribe", "scan": "SCAN", "left": "unsubscribe"}.get(kind, "subscribe")
        fields |= {"MsgType": "event", "Event": event, "EventKey": text if kind == "scan" else ""}
    return f"<xml>{''.join(f'<{name}>{escape(str(value))}</{name}>' for name, value in fields.items())}</xml>"


def _of_weibo(channel: Channel, kind: str, fan: str, text: str) -> str:
    moment = clock.now().astimezone(clock.SHANGHAI).strftime("%a %b %d %H:%M:%S %z %Y")
    body: dict[str, Any] = {"receiver_id": channel.account or "1", "sender_id": fan, "created_at": moment}
    body |= {"type": "text", "text": text, "data": {}}
    if kind != "text":
        event = {"join": "follow", "scan": "scan", "left": "unfollow"}.get(kind, "follow")
        body |= {"type": "event", "text": "", "data": {"subtype": event, "key": text}}
    return json.dumps(body)


def _channels() -> list[Channel]:
    """All accounts that anybody connected here: the real services know them, too."""
    tenancy.enter(tenancy.everyone("the services know the accounts that were connected"))
    found = list(db.session.scalars(select(Channel).order_by(Channel.id.desc()).limit(50)))
    db.session.expunge_all()
    return found
