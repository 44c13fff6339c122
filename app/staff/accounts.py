"""Accounts of the vendor's people: who may come in, and how often one may guess."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from app.core import clock, crypto
from app.core.db import db
from app.core.errors import Conflict, Invalid, TooMany
from app.staff.models import Staff, StaffLogin
from app.staff.policy import ROLES

MIN_PASSWORD = 10  # characters
WINDOW = timedelta(minutes=15)
# Few guesses from one place at one account; more at an account from everywhere, so that a stranger can not lock
# its owner out by himself.
TRIES_HERE = 5
TRIES_FROM_ADDRESS = 20
TRIES_AT_ACCOUNT = 50


class WrongLogin(Invalid):
    """Unknown name or wrong password, which are not told apart; the try counts."""

    keeps_changes = True


def create_staff(username: str, name: str, role: str, title: str, password: str, *, rounds: int = 12) -> Staff:
    """Take somebody on. Raises Invalid for an unknown role or a short password, Conflict for a name that is taken.

    ``rounds`` is bcrypt's cost.
    """
    username = _normal(username)
    if role not in ROLES:
        raise Invalid(f"没有「{role}」这个角色，可选：{'、'.join(ROLES)}。", field="role")
    if len(password) < MIN_PASSWORD:
        raise Invalid(f"密码至少 {MIN_PASSWORD} 位。", field="password")
    if db.session.scalar(select(Staff.id).where(Staff.username == username)):
        raise Conflict(f"用户名 {username} 已经有人用了，请换一个。", field="username")
    staff = Staff(username=username, name=name, role=role, title=title, password=crypto.hash_password(password, rounds))
    db.session.add(staff)
    db.session.flush()
    return staff


def log_in(username: str, password: str, address: str) -> Staff:
    """The member of staff whose name and password these are; raises WrongLogin, or TooMany after too many guesses."""
    username = _normal(username)
    # The lock makes parallel guesses at one account stand in line, so that none slips past the count.
    staff = db.session.scalar(select(Staff).where(Staff.username == username).with_for_update())
    _insist_on_patience(username, address)
    known = staff.password if staff is not None and staff.status == "active" else None
    fits = crypto.password_matches(password, known)
    db.session.add(StaffLogin(username=username, address=address, succeeded=fits))
    if staff is None or not fits:
        raise WrongLogin("用户名或密码不对。", field="password")
    staff.last_login_at = clock.now()
    return staff


def _insist_on_patience(username: str, address: str) -> None:
    begin = clock.now() - WINDOW
    failed = select(func.count()).where(StaffLogin.created_at > begin, StaffLogin.succeeded.is_(False))
    at_account = failed.where(StaffLogin.username == username)
    here, account, from_address = db.session.execute(
        select(
            at_account.where(StaffLogin.address == address).scalar_subquery(),
            at_account.scalar_subquery(),
            failed.where(StaffLogin.address == address).scalar_subquery(),
        )
    ).one()
    if here >= TRIES_HERE or account >= TRIES_AT_ACCOUNT or from_address >= TRIES_FROM_ADDRESS:
        raise TooMany("错了太多次，请 15 分钟后再试。忘了密码请找管理员重设。", retry_after=int(WINDOW.total_seconds()))


def _normal(username: str) -> str:
    return username.strip().lower()[:60]
