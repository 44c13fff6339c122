"""The notifications of WeChat Pay, once their signature holds: opened, and what they are about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.gateways.reading import insist_on_recipient, token
from app.gateways.wechat_pay.settings import WeChatPaySettings
from app.gateways.wechat_pay.translation import payment_of, refund_of
from app.gateways.wechat_pay.wire import json_object
from app.payments.ports import GatewayPayment, GatewayRefund, Notice, NoticeRefused, TradeState


def read(body: bytes, settings: WeChatPaySettings, decrypted: Callable[[Mapping[str, Any]], bytes]) -> Notice:
    """Open a genuine notification; raises NoticeRefused or ValueError."""
    notice = json_object(body)
    notice_id, kind = token(notice, "id"), token(notice, "event_type")
    resource = _resource(notice, kind, decrypted)
    if kind == "TRANSACTION.SUCCESS":
        return Notice(notice_id, kind, payment=_paid(resource, settings))
    if kind in {"REFUND.SUCCESS", "REFUND.ABNORMAL", "REFUND.CLOSED"}:
        return Notice(notice_id, kind, refund=_refunded(kind, resource, settings))
    return Notice(notice_id, kind)


def _resource(notice: Mapping[str, Any], kind: str, decrypted: Callable[[Mapping[str, Any]], bytes]) -> dict[str, Any]:
    kept = notice.get("resource")
    if notice.get("resource_type") != "encrypt-resource" or not isinstance(kept, dict):
        raise NoticeRefused("malformed", "no encrypted resource")
    resource = json_object(decrypted(kept))
    _insist_on_kind(kind, kept.get("original_type"))
    return resource


def _insist_on_kind(kind: str, original_type: object) -> None:
    """The outer event and the inner content come from different hands in a forgery."""
    for prefix, expected in (("TRANSACTION.", "transaction"), ("REFUND.", "refund")):
        if kind.startswith(prefix) != (original_type == expected):
            raise NoticeRefused("event_mismatch")


def _paid(resource: Mapping[str, Any], settings: WeChatPaySettings) -> GatewayPayment:
    payment = payment_of(resource, settings)
    if payment.state is not TradeState.PAID:
        raise NoticeRefused("event_mismatch", "a success that is none")
    return payment


def _refunded(kind: str, resource: Mapping[str, Any], settings: WeChatPaySettings) -> GatewayRefund:
    insist_on_recipient(resource, settings, "mchid")  # a refund notice bears no appid
    if kind != f"REFUND.{resource.get('refund_status')}":
        raise NoticeRefused("event_mismatch")
    return refund_of(resource, "refund_status")
