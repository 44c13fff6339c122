"""Coming into the customer center: by password or SMS code, few guesses at a time, no word about who is registered."""

from __future__ import annotations

from datetime import timedelta

from app.core import clock, crypto
from app.core.db import db
from app.core.errors import Invalid
from app.customers import codes, phones, quota, register, tickets
from app.customers.models import Person

TICKET = "center"  # the kind of ticket that leads here; its subject is the person's id
_WINDOW = timedelta(minutes=15)
_GUESSES_FROM_ONE_ADDRESS = 5  # at one phone
_GUESSES_AT_A_PHONE = 20
_GUESSES_OF_AN_ADDRESS = 60
_LEAST_LENGTH = 10
_LONGEST = 128
_COMMON = ("password", "qwerty", "abc123", "admin", "yunke", "letmein", "welcome", "iloveyou", "123456")


class WrongLogin(Invalid):
    """A wrong guess; it stays counted."""

    keeps_changes = True


def log_in_with_password(phone: str, password: str, address: str) -> Person:
    """The person with this phone and password; raises Invalid with one answer for all reasons, or TooMany.

    An unknown phone takes as long as a wrong password.
    """
    number = phones.normalise(phone)
    index = phones.index(number)
    _count_guess(index, address)
    person = register.by_phone(number)
    fits = crypto.password_matches(password, person.password if person else None)
    if person is None or not fits or not _may_enter(person):
        raise WrongLogin("手机号或密码不对。没有设过密码的话，请用短信验证码登录。")
    _forgive(index, address)
    return _welcome(person)


def log_in_with_code(phone: str, code: str, address: str) -> Person:
    """The person whose phone the code proves; raises Invalid. Only its holder learns that it has no account."""
    number = phones.normalise(phone)
    quota.take(f"login:address:{address}", _GUESSES_OF_AN_ADDRESS, _WINDOW)
    codes.check_code(number, "login", code)
    person = register.by_phone(number)
    if person is None or not _may_enter(person):
        raise WrongLogin("这个手机号还没有可用的账号。购买或试用后会自动开通。", field="phone")
    _forgive(phones.index(number), address)
    return _welcome(person)


def log_in_with_ticket(token: str) -> Person:
    """The person whose ticket from the checkout this is; uses the ticket up. Raises Invalid."""
    person = db.session.get(Person, tickets.redeem(TICKET, token))
    if person is None or not _may_enter(person):
        raise Invalid("这个账号现在不能登录，请联系我们。")
    return _welcome(person)


def change_password(person: Person, old: str, new: str) -> None:
    """Replace the password; all other sessions of the person end. Raises Invalid on the field ``old`` or ``new``.

    Who has none, or forgot it, proves the phone instead: see ``set_password_with_code``.
    """
    quota.take(f"password:{person.id}", _GUESSES_FROM_ONE_ADDRESS, _WINDOW)
    if not crypto.password_matches(old, person.password):
        raise WrongLogin("现在的密码不对", field="old")
    if old == new:
        raise Invalid("新密码和现在的一样，请换一个", field="new")
    quota.forget(f"password:{person.id}")
    check_password_strength(new, person.phone)
    set_password(person, new)
    person.session_epoch += 1


def set_password_with_code(person: Person, code: str, new: str) -> None:
    """Set the first password, or replace a forgotten one, by a code sent to the phone; all other sessions end.

    Raises Invalid on the field ``code`` or ``new``; a weak password does not use the code up.
    """
    check_password_strength(new, person.phone)
    codes.check_code(person.phone, "password", code)
    set_password(person, new)
    person.session_epoch += 1


def set_password(person: Person, password: str) -> None:
    """Store the password's hash; the owner's stands at the company too, as the seed's table has it (P §7.1)."""
    person.password = crypto.hash_password(password)
    if person.role == "owner":
        person.customer.password = person.password
    db.session.flush()


def check_password_strength(password: str, phone: str = "") -> None:
    """Raises Invalid on the field ``new`` unless it has ten signs, letters and digits, and is not obvious."""
    if len(password) < _LEAST_LENGTH:
        raise Invalid(f"密码至少 {_LEAST_LENGTH} 位", field="new")
    if len(password) > _LONGEST:
        raise Invalid(f"密码最多 {_LONGEST} 位", field="new")
    if not any(sign.isalpha() for sign in password) or not any(sign.isdigit() for sign in password):
        raise Invalid("密码要同时有字母和数字", field="new")
    if (phone and phone in password) or len(set(password)) < 5 or _is_common(password):
        raise Invalid("这个密码太容易猜到，请换一个", field="new")


def _is_common(password: str) -> bool:
    """A well-known word with little around it."""
    plain = password.lower()
    return any(word in plain and len(plain) - len(word) < 6 for word in _COMMON)


def _count_guess(index: str, address: str) -> None:
    """Counted before the password is looked at, so that parallel guesses can not slip by."""
    quota.take(f"login:address:{address}", _GUESSES_OF_AN_ADDRESS, _WINDOW)
    quota.take(f"login:phone:{index}", _GUESSES_AT_A_PHONE, _WINDOW)
    quota.take(f"login:pair:{index}:{address}", _GUESSES_FROM_ONE_ADDRESS, _WINDOW)


def _forgive(index: str, address: str) -> None:
    quota.forget(f"login:pair:{index}:{address}")
    quota.forget(f"login:phone:{index}")


def _may_enter(person: Person) -> bool:
    return person.status == "active" and person.customer.status == "active"


def _welcome(person: Person) -> Person:
    person.last_login_at = clock.now()
    return person
