"""A picture (or a sound) that tells people from scripts, once an address or a phone has asked more than a few times.

Nothing is stored for a puzzle: its token carries the answer encrypted, and one guess uses it up.
"""

from __future__ import annotations

import hmac
import io
import secrets
import unicodedata
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from app.core import clock, crypto
from app.core.errors import Invalid, NotFound, TooMany
from app.customers import quota

if TYPE_CHECKING:
    from captcha.audio import AudioCaptcha
    from captcha.image import ImageCaptcha

LIVES = timedelta(minutes=5)
_DIGITS = 5
_URL_SAFE = str.maketrans("+/", "-_")
_FROM_URL = str.maketrans("-_", "+/")


class PuzzleNeeded(TooMany):
    """Before another code is sent, a person must read a picture; the form shows one."""

    def __init__(self) -> None:
        super().__init__("请先填图片里的数字，再获取验证码", retry_after=0, field="puzzle")


class WrongAnswer(Invalid):
    """The guess was wrong; it stays counted."""

    keeps_changes = True


def issue() -> str:
    """The token of a new puzzle, safe in a URL; it says nothing to whoever has not our keys."""
    answer = "".join(secrets.choice("23456789") for _ in range(_DIGITS))
    ends_at = int((clock.now() + LIVES).timestamp())
    sealed = crypto.keys().encrypt(f"{answer}|{ends_at}|{secrets.token_hex(12)}")
    return sealed.translate(_URL_SAFE).rstrip("=")


def picture(token: str) -> bytes:
    """The puzzle as a PNG of 200 × 64; raises NotFound for a token that is not ours or too old."""
    answer, _ = _opened(token)
    drawn: io.BytesIO = _painter().generate(answer, bg_color=(255, 255, 255))
    return drawn.getvalue()


def sound(token: str) -> bytes:
    """The same puzzle read aloud, as WAV, for whoever can not see the picture; raises NotFound likewise."""
    answer, _ = _opened(token)
    return bytes(_speaker().generate(answer))


def solve(token: str, answer: str) -> None:
    """Take one guess at a puzzle; raises Invalid on the field ``puzzle``. A second guess needs a new puzzle."""
    try:
        right, number = _opened(token)
        quota.take(f"puzzle:{number}", limit=1, window=LIVES)
    except (NotFound, TooMany):
        raise Invalid("这张图片已经失效，请看新的一张", field="puzzle") from None
    given = unicodedata.normalize("NFKC", answer or "").replace(" ", "")
    if not hmac.compare_digest(right.encode(), given.encode()):
        raise WrongAnswer("图片里的数字不对，请看新的一张", field="puzzle")


def _opened(token: str) -> tuple[str, str]:
    """The answer and the number of a puzzle."""
    sealed = token.translate(_FROM_URL)
    payload = sealed.partition(":")[2]
    try:
        answer, ends_at, number = crypto.keys().decrypt(sealed + "=" * (-len(payload) % 4)).split("|")
    except ValueError:
        raise NotFound("这张图片不存在。") from None
    if datetime.fromtimestamp(int(ends_at), UTC) <= clock.now():
        raise NotFound("这张图片已经过期。")
    return answer, number


@lru_cache(maxsize=1)
def _painter() -> ImageCaptcha:
    from captcha.image import ImageCaptcha  # with Pillow: four megabytes that most processes never need

    return ImageCaptcha(width=200, height=64, font_sizes=(44, 48, 52))


@lru_cache(maxsize=1)
def _speaker() -> AudioCaptcha:
    from captcha.audio import AudioCaptcha

    return AudioCaptcha()
