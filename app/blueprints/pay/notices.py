"""Notices from the gateways: no log-in, no CSRF token, no redirect; the answer is the gateway's own bytes."""

from __future__ import annotations

from flask import Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from app.blueprints.pay import area
from app.core import tenancy
from app.payments import notices
from app.web.area import keep_changes
from app.web.visitor import client_address

_LARGEST = 64 * 1024


@area.post("/<any(wechat, alipay):gateway>/notify")
def notify(gateway: str) -> Response:
    """Take one notice; what it proves is in the books before it is answered."""
    if (request.content_length or 0) > _LARGEST:
        raise RequestEntityTooLarge
    tenancy.enter(tenancy.everyone("a gateway's notice names the order"))
    answer = notices.receive(gateway, dict(request.headers.items()), request.get_data(), client_address())
    keep_changes()
    return Response(answer.body, status=answer.status, content_type=answer.content_type, headers=dict(answer.headers))


@area.post("/wechat/refund-notify")
def notify_refund() -> Response:
    """WeChat Pay's news of refunds come under an address of their own and are read in the same way."""
    return notify("wechat")
