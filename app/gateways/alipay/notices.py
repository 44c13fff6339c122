"""What comes back from Alipay unasked: notifications, and the browser's signed way back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from app.gateways.alipay.translation import TRADE_STATES, noticed_payment, noticed_refund
from app.gateways.reading import is_number, token
from app.payments.ports import Notice, NoticeRefused

MOST_FIELDS = 100

_RETURN_METHODS = {"alipay.trade.page.pay.return", "alipay.trade.wap.pay.return"}
_REFUND_FIELDS = ("out_biz_no", "gmt_refund", "refund_fee")


def noticed_fields(body: bytes) -> dict[str, str]:
    """The fields of a notification; ValueError when it is none. We ask for utf-8 in every request."""
    pairs = parse_qsl(
        body.decode("ascii"),
        keep_blank_values=True,
        strict_parsing=True,
        encoding="utf-8",
        errors="strict",
        max_num_fields=MOST_FIELDS,
    )
    return _single_values(pairs)


def returned_fields(args: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a return address, also those that a MultiDict hides behind the first value."""
    if hasattr(args, "items") and hasattr(args, "getlist"):
        return _single_values(args.items(multi=True))  # type: ignore[call-arg]
    return _single_values(args.items())


def _single_values(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """A name that comes twice is refused: we and the signature might read two values."""
    form: dict[str, str] = {}
    for name, value in pairs:
        if name in form:
            raise NoticeRefused("duplicate_field", name[:64])
        if "\x00" in value or "\x00" in name:
            raise NoticeRefused("malformed")
        form[name] = value
    return form


def insist_on_signature(form: Mapping[str, str], verify: Callable[[dict[str, str], str], Any]) -> None:
    """Raises NoticeRefused unless the form bears Alipay's signature."""
    if form.get("sign_type") != "RSA2":
        raise NoticeRefused("unsupported_algorithm")
    if not form.get("sign"):
        raise NoticeRefused("signature_missing")
    content = {name: value for name, value in form.items() if name != "sign"}
    # Alipay's own kits differ on fields without a value: Java's counts them, PHP's leaves them out. Here a blank
    # field means the same as none, so both are believed.
    filled = {name: value for name, value in content.items() if value}
    try:
        genuine = any(verify(dict(counted), form["sign"]) is True for counted in (content, filled))
    except Exception as error:  # the SDK lets base64 and codec errors through; whatever is not True is a no
        raise NoticeRefused("bad_signature") from error
    if not genuine:
        raise NoticeRefused("bad_signature")


def read(form: Mapping[str, str], raw: str) -> Notice:
    """Translate a genuine notification; raises ValueError."""
    notice_id, kind = token(form, "notify_id"), form.get("trade_status") or token(form, "notify_type")
    if form.get("notify_type") != "trade_status_sync" or kind not in TRADE_STATES:
        return Notice(notice_id, kind[:64])
    if any(form.get(name) for name in _REFUND_FIELDS):
        # Never a payment; its `out_biz_no` is our refund number, and without one it is no refund of ours.
        return Notice(notice_id, kind, refund=noticed_refund(form, raw) if form.get("out_biz_no") else None)
    if kind == "TRADE_CLOSED" and form.get("gmt_payment"):
        # Paid once and closed now: the whole was given back, by whomever. Neither a payment nor a refund we can name.
        return Notice(notice_id, kind)
    return Notice(notice_id, kind, payment=noticed_payment(form, raw))


def returned_number(form: Mapping[str, str]) -> str:
    """The attempt number of a genuine return; raises NoticeRefused."""
    if form.get("method") not in _RETURN_METHODS:
        raise NoticeRefused("event_mismatch")
    if not is_number(form.get("out_trade_no", "")):
        raise NoticeRefused("malformed")
    return form["out_trade_no"]
