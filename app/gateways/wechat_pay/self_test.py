"""Whether the settings for WeChat Pay can work, told before the first call."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from app.gateways.checks import Variable, empty, is_public, unreachable, wrong_keys
from app.gateways.exchange import is_inside
from app.gateways.wechat_pay.settings import WeChatPaySettings

_MISTAKEN = "WECHATPAY_PUBLIC_KEY is your own merchant key; it must be the WeChat Pay public key shown beside its id."


def self_test(settings: WeChatPaySettings) -> list[str]:
    """What is wrong with these settings, one sentence each, naming the variable; empty when all is well. Offline."""
    own = Variable("WECHATPAY_PRIVATE_KEY", settings.private_key)
    theirs = Variable("WECHATPAY_PUBLIC_KEY", settings.public_key or "")
    missing = empty(
        Variable("WECHATPAY_MCHID", settings.mchid),
        Variable("WECHATPAY_APPID", settings.appid),
        Variable("WECHATPAY_SERIAL_NO", settings.serial_no),
        own,
        Variable("WECHATPAY_APIV3_KEY", settings.apiv3_key),
    )
    return missing or [*_wrong_forms(settings), *_wrong_addresses(settings), *wrong_keys(own, theirs, _MISTAKEN)]


def _wrong_forms(settings: WeChatPaySettings) -> list[str]:
    wrong = []
    if not re.fullmatch(r"[0-9]{8,10}", settings.mchid):
        wrong.append("WECHATPAY_MCHID must be the merchant number, 8 to 10 digits.")
    if not re.fullmatch(r"[0-9A-Fa-f]{30,40}", settings.serial_no):
        wrong.append("WECHATPAY_SERIAL_NO must be the 40 hex digits of your merchant certificate's serial number.")
    if len(settings.apiv3_key.encode()) != 32:
        wrong.append("WECHATPAY_APIV3_KEY must be exactly 32 bytes, as set on the merchant platform.")
    return wrong + _wrong_mode(settings)


def _wrong_mode(settings: WeChatPaySettings) -> list[str]:
    if bool(settings.public_key) != bool(settings.public_key_id):
        return ["WECHATPAY_PUBLIC_KEY and WECHATPAY_PUBLIC_KEY_ID go together: set both or none."]
    if settings.public_key_id and not settings.public_key_id.startswith("PUB_KEY_ID_"):
        return ["WECHATPAY_PUBLIC_KEY_ID must begin with PUB_KEY_ID_."]
    return []


def _wrong_addresses(settings: WeChatPaySettings) -> list[str]:
    wrong = []
    base = urlsplit(settings.gateway)
    if base.path.strip("/") or base.query or base.scheme not in {"https", "http"}:
        wrong.append("WECHATPAY_GATEWAY must be a base URL without a path.")
    if is_inside(settings.gateway):
        return wrong
    if base.scheme != "https":
        wrong.append("WECHATPAY_GATEWAY must be https.")
    urls = (settings.notify_url, settings.refund_notify_url)
    return wrong + [unreachable("WeChat Pay", url) for url in urls if not _is_callable(url)]


def _is_callable(url: str) -> bool:
    """The gateway takes no query in an address, and none longer than its column."""
    return is_public(url) and not urlsplit(url).query and len(url) <= 255
