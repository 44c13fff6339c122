"""设置 → 渠道: accounts on WeChat and Weibo whose messages become leads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import current_app, request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import manages, needs
from app.core.db import db
from app.core.errors import Invalid, NotFound
from app.crm.capture import channels
from app.crm.capture.models import Channel
from app.web.pages import done, page

_PLAIN = ("name", "account", "mode", "campaign", "tags", "secret")


@area.get("/settings/channels")
@manages
@needs("webhooks")
def channel_list() -> ResponseReturnValue:
    return page("crm/capture/channels.html", channels=channels.each(), kinds=channels.KINDS, health=health)


@area.route("/settings/channels/new/<kind>", methods=["GET", "POST"])
@manages
@needs("webhooks")
def channel_new(kind: str) -> ResponseReturnValue:
    if kind not in channels.KINDS:
        raise NotFound
    if request.method == "GET":
        return _page(kind, None, {"name": channels.KINDS[kind], "mode": "aes", "is_active": True})
    try:
        with db.session.begin_nested():
            channel = channels.add(kind, _sent(), me())
    except Invalid as error:
        return _page(kind, None, _sent(), {error.field or "": error.message})
    return done(url_for("crm.channel", channel_id=channel.id), "渠道已建好，把下面的内容填到对方后台就接通了")


@area.route("/settings/channels/<channel_id>", methods=["GET", "POST"])
@manages
@needs("webhooks")
def channel(channel_id: str) -> ResponseReturnValue:
    wanted = channels.get(channel_id)
    if request.method == "GET":
        return _page(wanted.kind, wanted, _details(wanted))
    try:
        with db.session.begin_nested():
            channels.change(wanted, _sent(), me())
    except Invalid as error:
        return _page(wanted.kind, wanted, _sent(), {error.field or "": error.message})
    return done(url_for("crm.channel", channel_id=wanted.id), "渠道已保存")


@area.post("/settings/channels/<channel_id>/renew")
@manages
@needs("webhooks")
def channel_renew(channel_id: str) -> ResponseReturnValue:
    wanted = channels.get(channel_id)
    if wanted.kind != "wechat":
        raise NotFound
    channels.renew(wanted, me())
    return done(url_for("crm.channel", channel_id=wanted.id), "已换成新的，记得到公众号后台更新")


@area.post("/settings/channels/<channel_id>/remove")
@manages
def channel_remove(channel_id: str) -> ResponseReturnValue:
    wanted = channels.get(channel_id)
    name = wanted.name
    channels.remove(wanted, me())
    return done(url_for("crm.channel_list"), f"渠道「{name}」已断开")


def health(wanted: Channel) -> tuple[str, str]:
    """A word on how the account does, and its tone."""
    if not wanted.is_active:
        return "已停用", ""
    refused, heard = wanted.last_refused_at, wanted.last_message_at or wanted.verified_at
    if refused is not None and (heard is None or refused > heard):
        return f"最近一次被拒：{wanted.last_refusal}", "bad"
    if wanted.last_message_at is not None:
        return "正常", "ok"
    return ("已接通，还没有消息", "ok") if wanted.verified_at is not None else ("等待接通", "warn")


def _page(
    kind: str, wanted: Channel | None, details: dict[str, Any], errors: Mapping[str, str] | None = None
) -> ResponseReturnValue:
    shown = {**dict.fromkeys(_PLAIN, ""), **details, "secret": ""}
    return page(
        "crm/capture/channel.html", kind=kind, kinds=channels.KINDS, modes=channels.MODES, channel=wanted, details=shown,
        errors=errors or {}, address=_address(wanted) if wanted else "", health=health, status=422 if errors else 200,
    )  # fmt: skip


def _details(wanted: Channel) -> dict[str, Any]:
    plain = {key: getattr(wanted, key) for key in ("name", "account", "mode", "campaign", "is_active")}
    return {**plain, "tags": "、".join(wanted.tags)}


def _sent() -> dict[str, Any]:
    return {**{key: request.form.get(key, "") for key in _PLAIN}, "is_active": request.form.get("is_active") == "1"}


def _address(wanted: Channel) -> str:
    public = current_app.extensions["settings"].public_url
    return f"{public}{url_for('hooks.hook', kind=wanted.kind, token=wanted.token)}"
