"""One address for each account: the service proves that it is ours (GET) and then sends its messages (POST)."""

from __future__ import annotations

from flask import Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from app.blueprints.hooks import area
from app.core import clock, tenancy
from app.core.db import db
from app.core.errors import Invalid, NotFound
from app.crm.access import packages, tenants, terms
from app.crm.capture import channels, doors
from app.crm.capture.channels import Call
from app.crm.capture.models import Channel
from app.crm.capture.sealing import Forged
from app.web.area import begin_writing, keep_changes

_LARGEST = 64 * 1024
_DONE = {"wechat": "success", "weibo": ""}


@area.get("/<any(wechat, weibo):kind>/<token>")
def hook_verified(kind: str, token: str) -> Response:
    begin_writing()
    channel = _wanted(kind, token)
    try:
        return _plain(channels.verify(channel, request.args))
    except Forged as forged:
        return _refused(channel, str(forged))


@area.post("/<any(wechat, weibo):kind>/<token>")
def hook(kind: str, token: str) -> Response:
    """Every answer but 200 makes the service send it again, so what was taken in once is always answered so."""
    if (request.content_length or 0) > _LARGEST:
        raise RequestEntityTooLarge
    channel = _wanted(kind, token)
    if not _is_open(channel):
        return _refused(channel, "渠道已停用、订阅已到期，或者套餐不含公众号和微博接入")
    try:
        body = request.get_data().decode()
        with db.session.begin_nested():  # of a refused message nothing stays but the note why
            channels.receive(channel, Call(request.args, body))
    except (Forged, UnicodeDecodeError, Invalid) as forged:
        return _refused(channel, str(forged) if isinstance(forged, Forged) else "内容读不懂")
    return _plain(_DONE[kind])


def _wanted(kind: str, token: str) -> Channel:
    """The account of an address, in the scope of its tenant from here on. Raises NotFound."""
    try:
        found = doors.find(token, kind)
    except NotFound:
        raise NotFound from None
    tenancy.enter(tenancy.tenant(found.tenant_id))
    return channels.get(found.subject_id)


def _is_open(channel: Channel) -> bool:
    tenant = tenants.by_id(channel.tenant_id)
    if tenant is None or not packages.holds(tenant, "webhooks"):
        return False
    return channel.is_active and terms.term(tenant, clock.now()).allows_writing


def _refused(channel: Channel, reason: str) -> Response:
    """The caller learns nothing; the account's page says why."""
    channels.refuse(channel, reason)
    keep_changes()
    return _plain("forbidden", 403)


def _plain(text: str, status: int = 200) -> Response:
    return Response(text, status, content_type="text/plain; charset=utf-8")
