"""Which passwords a user of the CRM may choose."""

from __future__ import annotations

import re
import unicodedata

from app.core import crypto
from app.core.errors import Invalid

MIN_LENGTH = 10  # characters
RULE = f"至少 {MIN_LENGTH} 位，同时有字母和数字"

_rounds = 12


def configure(*, rounds: int) -> None:
    """Set bcrypt's cost; called by the assembly."""
    global _rounds
    _rounds = rounds


def hashed(password: str) -> str:
    return crypto.hash_password(password, _rounds)


def insist_on_strength(password: str, *, old_hash: str, code: str, username: str) -> None:
    """Raises Invalid on ``password`` if it is too short, too simple, the old one, or known to others."""
    if len(password) < MIN_LENGTH:
        raise Invalid(f"密码至少 {MIN_LENGTH} 位，现在是 {len(password)} 位。", field="password")
    if not re.search(r"[A-Za-z]", password) or not re.search(r"\d", password):
        raise Invalid("密码要同时有字母和数字。", field="password")
    if _plain(password) in {_plain(code), _plain(code.removeprefix("TENANT"))}:
        raise Invalid("授权码同事都知道，请换一个密码。", field="password")
    if _plain(password) == _plain(username):
        raise Invalid("密码不能和账号相同。", field="password")
    if crypto.password_matches(password, old_hash):
        raise Invalid("新密码不能和现在的密码相同。", field="password")


def _plain(text: str) -> str:
    return re.sub(r"[^0-9a-z]", "", unicodedata.normalize("NFKC", text).lower())
