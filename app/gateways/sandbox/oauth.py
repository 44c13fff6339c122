"""The official account's silent log-in, as WeChat's 网页授权 document has it: a code for the browser, an openid for it."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from datetime import datetime
from urllib.parse import parse_qs

from app.gateways.sandbox.keys import SandboxKeys
from app.gateways.sandbox.switches import Switches
from app.gateways.sandbox.wire import WireAnswer, WireRequest

PATH = "/sns/oauth2/access_token"
_CODE_LIVES = 300  # seconds


def app_secret(keys: SandboxKeys) -> str:
    """The secret of the sandbox's official account; derived, so that nothing more has to be kept."""
    return hashlib.sha256(f"app-secret:{keys.apiv3_key}".encode()).hexdigest()[:32]


class OAuthCounterpart:
    def __init__(self, keys: SandboxKeys, switches: Switches, now: Callable[[], datetime]):
        self._keys = keys
        self._switches = switches
        self._now = now

    def new_code(self, openid: str) -> str:
        """A code that is good once, for five minutes."""
        code = secrets.token_hex(16)
        self._switches.keep(f"oauth:{code}", {"openid": openid, "until": self._now().timestamp() + _CODE_LIVES})
        return code

    def answer(self, request: WireRequest) -> WireAnswer:
        words = {name: values[0] for name, values in parse_qs(request.query).items()}
        if words.get("grant_type") != "authorization_code":
            return _refused(40002, "invalid grant_type")
        if not secrets.compare_digest(words.get("secret", ""), app_secret(self._keys)):
            return _refused(40125, "invalid appsecret")
        kept = self._switches.take_out(f"oauth:{words.get('code', '')}")
        if kept is None or kept["until"] < self._now().timestamp():
            return _refused(40029, "invalid code")
        found = {"access_token": secrets.token_hex(20), "expires_in": 7200, "refresh_token": secrets.token_hex(20)}
        return _said({**found, "openid": kept["openid"], "scope": "snsapi_base"})


def _refused(code: int, message: str) -> WireAnswer:
    return _said({"errcode": code, "errmsg": message})


def _said(words: dict[str, object]) -> WireAnswer:
    return WireAnswer(200, json.dumps(words).encode(), {"Content-Type": "text/plain"})
