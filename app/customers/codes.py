"""Codes that prove a phone (SPEC §3): six digits, five minutes, once, five tries, nobody's phone bombed at our cost.

Two requests for one phone are told apart by the row of its 60-second pause, which the first of them holds until its
transaction ends; the caps of an hour and a day are counted behind that lock in the codes really sent, over a sliding
window, so that no turn of a window gives ten messages where five are allowed.
"""

from __future__ import annotations

import hmac
import math
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from app.core import clock, crypto, events
from app.core.db import db
from app.core.errors import Invalid, TooMany
from app.customers import captcha, phones, quota
from app.customers.models import SmsCode

LIVES = timedelta(minutes=5)
PAUSE = timedelta(seconds=60)
TRIES = 5
_REPEATED_WITHIN = timedelta(minutes=2)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many codes are sent; ``budget`` is for all phones together in a day."""

    phone_hour: int = 5
    phone_day: int = 10
    address_hour: int = 20
    address_day: int = 60
    budget: int = 3000
    trusted_phone: int = 2  # codes an hour without a puzzle
    trusted_address: int = 3


# On the developer's machine everybody has the address 127.0.0.1; the caps per phone stay as they are.
SANDBOX_LIMITS = Limits(address_hour=5000, address_day=20000, budget=50000, trusted_address=5000)

_limits = Limits()


@dataclass(frozen=True, slots=True)
class CodeSent:
    retry_after: int  # seconds until another may be asked for
    expires_in: int  # seconds


@dataclass(frozen=True, slots=True)
class Letter:
    """What the message that carries a code needs."""

    phone: str
    code: str
    purpose: str
    expires_at: datetime


class WrongCode(Invalid):
    """A wrong code; the try stays counted."""

    keeps_changes = True


class BudgetSpent(TooMany):
    """No codes for anybody until the day is over; staff are told."""

    keeps_changes = True


def use_limits(limits: Limits) -> None:
    """Set by the assembly."""
    global _limits
    _limits = limits


def send_code(phone: str, purpose: str, address: str, *, puzzle: tuple[str, str] | None = None) -> CodeSent:
    """Have a new code sent to ``phone`` by SMS; earlier ones of the same purpose are void.

    ``puzzle`` is (token, answer) of a picture. Raises Invalid for the phone or the answer, PuzzleNeeded when a picture
    must be read first, TooMany with the seconds to wait. The answer is the same for a phone that we know.
    """
    number = phones.normalise(phone)
    index = phones.index(number)
    _insist_on_a_person(index, address, puzzle)
    _count(index, address)
    code = SmsCode(
        phone_index=index,
        phone=number,
        purpose=purpose,
        code=f"{secrets.randbelow(10**6):06d}",
        address=address,
        expires_at=clock.now() + LIVES,
    )
    db.session.add(code)
    db.session.flush()
    events.record("code.issued", code.id)
    return CodeSent(retry_after=int(PAUSE.total_seconds()), expires_in=int(LIVES.total_seconds()))


def check_code(phone: str, purpose: str, code: str) -> None:
    """Use up the code that was sent to ``phone`` last; raises Invalid on the field ``code``, and counts the try."""
    given = _plain(code)
    if not given:
        raise Invalid("请填短信里的 6 位验证码", field="code")
    latest = _latest(phones.index(phones.normalise(phone)), purpose)
    if latest is None or not _takes_a_try(latest):
        raise Invalid("验证码已失效，请重新获取", field="code")
    if not hmac.compare_digest((latest.code or "").encode(), given.encode()):
        raise WrongCode(_wrong_words(TRIES - latest.tries - 1), field="code")
    _use_up(latest)


def is_repeat(phone: str, purpose: str, code: str) -> bool:
    """Whether this very code proved the phone within the last two minutes: the same form was sent twice."""
    latest = _latest(phones.index(phones.normalise(phone)), purpose)
    if latest is None or latest.used_at is None or latest.used_at < clock.now() - _REPEATED_WITHIN:
        return False
    return hmac.compare_digest(latest.used_index or "", _used_index(latest, _plain(code)))


def letter(code_id: str) -> Letter | None:
    """What is to be sent, or None for a code that was used or is too old to be of use."""
    code = db.session.get(SmsCode, code_id)
    if code is None or code.code is None or code.phone is None or code.expires_at <= clock.now():
        return None
    return Letter(code.phone, code.code, code.purpose, code.expires_at)


def puzzle_needed(phone_index: str, address: str) -> bool:
    """Whether the next code for this phone or from this address waits for a person to read a picture."""
    since = clock.now() - _HOUR
    return (
        _sent(since, SmsCode.phone_index == phone_index) >= _limits.trusted_phone
        or _sent(since, SmsCode.address == address) >= _limits.trusted_address
        or quota.used(_budget_key()) * 2 >= _limits.budget
    )


def _insist_on_a_person(index: str, address: str, puzzle: tuple[str, str] | None) -> None:
    if not puzzle_needed(index, address):
        return
    if puzzle is None or not puzzle[1]:
        raise captcha.PuzzleNeeded()
    captcha.solve(*puzzle)


def _count(index: str, address: str) -> None:
    """Take a turn of every quota, or raise TooMany for the first that has none left."""
    try:
        quota.take(f"sms:pause:{index}", limit=1, window=PAUSE)
    except TooMany as error:
        wait = error.retry_after
        raise TooMany(f"验证码发过了，{wait} 秒后可以重发", retry_after=wait, field="phone") from None
    _insist_on_room(index, _HOUR, _limits.phone_hour)
    _insist_on_room(index, _DAY, _limits.phone_day)
    _take_for_address(f"sms:hour:{address}", _limits.address_hour, _HOUR)
    _take_for_address(f"sms:day:{address}", _limits.address_day, _DAY)
    _take_of_budget()


def _insist_on_room(index: str, window: timedelta, limit: int) -> None:
    """Raise TooMany if the phone got ``limit`` codes within the last ``window``."""
    since = clock.now() - window
    statement = select(SmsCode.created_at).where(SmsCode.phone_index == index, SmsCode.created_at > since)
    sent = db.session.scalars(statement.order_by(SmsCode.created_at.desc()).limit(limit)).all()
    if len(sent) == limit:
        wait = math.ceil((sent[-1] + window - clock.now()).total_seconds())
        raise TooMany(f"这个手机号收到的验证码太多了，请 {quota.words(wait)}后再试", retry_after=wait, field="phone")


def _take_for_address(key: str, limit: int, window: timedelta) -> None:
    try:
        quota.take(key, limit, window)
    except TooMany as error:
        words = f"这个网络获取验证码太频繁了，请 {quota.words(error.retry_after)}后再试"
        raise TooMany(words, retry_after=error.retry_after, field="phone") from None


def _take_of_budget() -> None:
    try:
        quota.take(_budget_key(), _limits.budget, _DAY)
    except TooMany as error:
        _tell_staff_once()
        words = "短信暂时发不出去，请稍后再试，或联系客服"
        raise BudgetSpent(words, retry_after=error.retry_after, field="phone") from None


def _tell_staff_once() -> None:
    try:
        quota.take(f"{_budget_key()}:told", limit=1, window=_DAY)
    except TooMany:
        return
    events.record("code.budget_spent", clock.today().isoformat(), budget=_limits.budget)


def _budget_key() -> str:
    return f"sms:budget:{clock.today():%Y%m%d}"


def _sent(since: datetime, whose: object) -> int:
    statement = select(func.count()).select_from(SmsCode).where(whose, SmsCode.created_at > since)  # type: ignore[arg-type]
    return db.session.scalar(statement) or 0


def _latest(index: str, purpose: str) -> SmsCode | None:
    statement = select(SmsCode).where(SmsCode.phone_index == index, SmsCode.purpose == purpose)
    newest = statement.order_by(SmsCode.created_at.desc(), SmsCode.id.desc()).limit(1)
    return db.session.scalars(newest.execution_options(populate_existing=True)).first()


def _takes_a_try(code: SmsCode) -> bool:
    """Count a try in one statement; False if the code is used, too old, or was tried too often."""
    is_good = (SmsCode.used_at.is_(None), SmsCode.tries < TRIES, SmsCode.expires_at > clock.now())
    counted = db.session.execute(
        update(SmsCode)
        .where(SmsCode.id == code.id, *is_good)
        .values(tries=SmsCode.tries + 1)
        .execution_options(synchronize_session=False)
    )
    return bool(counted.rowcount == 1)  # type: ignore[attr-defined]


def _use_up(code: SmsCode) -> None:
    """Two requests with the right code at once: one of them wins. The code itself is wiped."""
    used = db.session.execute(
        update(SmsCode)
        .where(SmsCode.id == code.id, SmsCode.used_at.is_(None))
        .values(used_at=clock.now(), used_index=_used_index(code, code.code or ""), code=None, phone=None)
        .execution_options(synchronize_session=False)
    )
    if used.rowcount != 1:  # type: ignore[attr-defined]
        raise Invalid("验证码已失效，请重新获取", field="code")


def _used_index(code: SmsCode, digits: str) -> str:
    return crypto.blind_index(f"{code.id}:{digits}", "used-code")


def _plain(code: str) -> str:
    """What was typed, without blanks and in plain digits."""
    return unicodedata.normalize("NFKC", code or "").replace(" ", "")


def _wrong_words(tries_left: int) -> str:
    return f"验证码不对，还可以试 {tries_left} 次" if tries_left > 0 else "验证码错了 5 次，已失效，请重新获取"
