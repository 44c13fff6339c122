"""Who a visitor inside WeChat is: the silent log-in of an official account (OAuth 2, scope snsapi_base).

JSAPI payments need the payer's openid; this is the only way to it. WeChat's document: 网页授权.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from urllib.parse import urlencode

from app.gateways.exchange import Limits, exchange
from app.payments.ports import GatewayDown, GatewayRefused

AUTHORIZE_URL = "https://open.weixin.qq.com/connect/oauth2/authorize"
API = "https://api.weixin.qq.com"
# A page waits for this answer: a slow one is given up, and the visitor pays by scanning.
_LIMITS = Limits(connect=2.0, read=3.0)


@dataclass(frozen=True, slots=True)
class WeChatIdentity:
    """``appid`` is the official account's, the same that takes the payments."""

    appid: str
    secret: str = field(repr=False)
    authorize_at: str = AUTHORIZE_URL
    api: str = API

    def authorize_url(self, back: str, state: str) -> str:
        """Where to send the browser; it comes back to ``back`` with ``code`` and ``state``."""
        words = {
            "appid": self.appid,
            "redirect_uri": back,
            "response_type": "code",
            "scope": "snsapi_base",
            "state": state,
        }
        return f"{self.authorize_at}?{urlencode(words)}#wechat_redirect"

    def openid(self, code: str) -> str:
        """The visitor's openid for a code, which is good once and for five minutes.

        Raises GatewayRefused with WeChat's errcode, or GatewayDown when there is no usable answer.
        """
        words = {"appid": self.appid, "secret": self.secret, "code": code, "grant_type": "authorization_code"}
        reply = exchange("GET", f"{self.api}/sns/oauth2/access_token?{urlencode(words)}", headers={}, limits=_LIMITS)
        try:
            answer = json.loads(reply.body)
        except ValueError:
            raise GatewayDown("the answer is no JSON") from None
        if isinstance(answer, dict) and answer.get("errcode"):
            raise GatewayRefused(str(answer["errcode"]))
        openid = answer.get("openid") if isinstance(answer, dict) else None
        if reply.status != 200 or not isinstance(openid, str) or not 1 <= len(openid) <= 64:
            raise GatewayDown(f"status {reply.status} without an openid")
        return openid
