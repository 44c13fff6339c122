"""Whether the settings for Alipay can work, told before the first call."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from app.gateways.alipay.settings import AlipaySettings
from app.gateways.checks import Variable, empty, is_public, unreachable, wrong_keys
from app.gateways.exchange import is_inside

_MISTAKEN = "ALIPAY_PUBLIC_KEY is your application's own public key; it must be Alipay's, shown beside it (支付宝公钥)."


def self_test(settings: AlipaySettings) -> list[str]:
    """What is wrong with these settings, one sentence each, naming the variable; empty when all is well. Offline."""
    own = Variable("ALIPAY_PRIVATE_KEY", settings.private_key)
    theirs = Variable("ALIPAY_PUBLIC_KEY", settings.public_key)
    missing = empty(
        Variable("ALIPAY_APP_ID", settings.app_id), Variable("ALIPAY_SELLER_ID", settings.seller_id), own, theirs
    )
    return missing or [*_wrong_forms(settings), *_wrong_addresses(settings), *wrong_keys(own, theirs, _MISTAKEN)]


def _wrong_forms(settings: AlipaySettings) -> list[str]:
    wrong = []
    if not re.fullmatch(r"[0-9]{16,32}", settings.app_id):
        wrong.append("ALIPAY_APP_ID must be the 16 digits of the application.")
    if not re.fullmatch(r"2088[0-9]{12}", settings.seller_id):
        wrong.append(
            "ALIPAY_SELLER_ID must be the 16 digits beginning with 2088 of the account that receives the money."
        )
    return wrong


def _wrong_addresses(settings: AlipaySettings) -> list[str]:
    gateway = urlsplit(settings.gateway)
    if gateway.scheme not in {"https", "http"} or not gateway.path.endswith("/gateway.do") or gateway.query:
        return ["ALIPAY_GATEWAY must be an address that ends in /gateway.do."]
    # The sandbox sits behind our own public address, so its path tells it apart from Alipay.
    if is_inside(settings.gateway) or gateway.path.startswith("/sandbox/"):
        return []
    wrong = [] if gateway.scheme == "https" else ["ALIPAY_GATEWAY must be https."]
    if not is_public(settings.notify_url):
        wrong.append(unreachable("Alipay", settings.notify_url))
    return wrong
