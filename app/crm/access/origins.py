"""From where a user comes in as a rule: his devices and provinces; a new one stands in the audit (CRM §13).

Known is what he came with before: the browser by a cookie that only log-ins read, or one like it at the same address, so
that cleared cookies are no new device. The very first log-in is learned from in silence.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ForeignKeyConstraint, String, UniqueConstraint, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from app.core import crypto
from app.core.db import Identified, db
from app.core.tenancy import TenantOwned
from app.crm.access import sight
from app.crm.access.models import CrmUser
from app.crm.access.provinces import province

_BROWSERS = {"MicroMessenger/": "微信", "Edg/": "Edge", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
_SYSTEMS = {
    "HarmonyOS": "鸿蒙", "Android": "安卓", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows", "Mac OS": "Mac", "Linux": "Linux",
}  # fmt: skip


class KnownOrigin(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """Something that a user came in with once. ``kind``: device (a cookie), desk (browser and address), province."""

    __tablename__ = "crm_known_origins"
    __table_args__ = (
        UniqueConstraint("user_id", "kind", "mark"),
        ForeignKeyConstraint(["tenant_id", "user_id"], ["crm_users.tenant_id", "crm_users.id"]),
    )

    user_id: Mapped[str] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(String(10))
    mark: Mapped[str] = mapped_column(String(64))


@dataclass(frozen=True, slots=True)
class Coming:
    """A log-in as the request has it: address, User-Agent, and the text of the device's cookie; "" for unknown."""

    address: str = ""
    agent: str = ""
    device: str = ""

    @property
    def words(self) -> str:
        """Windows，Chrome，浙江省，203.0.113.9."""
        return "，".join(word for word in (machine(self.agent), province(self.address), self.address) if word)


def machine(agent: str) -> str:
    """System and browser of a User-Agent as people call them."""
    found = [next((name for mark, name in known.items() if mark in agent), "") for known in (_SYSTEMS, _BROWSERS)]
    return "，".join(name for name in found if name)


def learn(user: CrmUser, coming: Coming) -> list[str]:
    """Remember with what the user came in; gives what is new of it: "device", "province"."""
    there: dict[str, set[str]] = {}
    rows = db.session.execute(select(KnownOrigin.kind, KnownOrigin.mark).where(KnownOrigin.user_id == user.id))
    for kind, mark in rows:
        there.setdefault(kind, set()).add(mark)
    marks = _marks(coming)
    fresh = {kind: mark for kind, mark in marks.items() if mark and mark not in there.get(kind, ())}
    for kind, mark in fresh.items():
        _add(user, kind, mark)
    news = []
    if "device" in fresh and "desk" in fresh and there.get("device"):
        news.append("device")
    if "province" in fresh and there.get("province"):
        news.append("province")
    return news


def _marks(coming: Coming) -> dict[str, str]:
    desk = f"{machine(coming.agent)}\0{coming.address}" if coming.address else ""
    return {
        "device": crypto.token_hash(coming.device) if coming.device else "",
        "desk": crypto.token_hash(desk) if desk else "",
        "province": province(coming.address),
    }


def _add(user: CrmUser, kind: str, mark: str) -> None:
    try:
        with db.session.begin_nested():
            db.session.add(KnownOrigin(tenant_id=user.tenant_id, user_id=user.id, kind=kind, mark=mark[:64]))
    except IntegrityError:
        pass  # his other window learned it in the same moment


sight.shows(KnownOrigin, lambda policy: KnownOrigin.user_id == policy.user_id)
