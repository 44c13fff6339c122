"""Which pages somebody looked at on a company's site: kept by his own browser until he says who he is (seed C §2.4).

The script of the pages (app/assets/js/visits.js) asks first. Whoever agrees keeps a list of pages on his device and sends
nothing; when he fills in a form of the company, the list and a key of his comes with it, and from then on each visit is
written down for his lead or customer. There is no cookie, no third party, and no row about anybody who stayed unknown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.core import clock
from app.core.db import db
from app.crm.access import actor as actors
from app.crm.activities.behaviour import record_behaviour
from app.crm.capture import doors, take
from app.crm.capture.doors import Found
from app.crm.capture.models import Arrival, Door

KIND = "visitor"
CONSENT = "同意把我看过哪些页面告诉对方，以便按我的需要联系我"
TYPES = {"page": "page_view", "price": "price_view"}
KEPT = timedelta(days=30)  # on the device; nothing older is taken in
MOST_EARLIER = 30
_KEY = re.compile(r"[A-Za-z0-9_-]{22,64}")
_SPELL = timedelta(minutes=30)  # the same page again within it is the same visit
_PROGRAM = re.compile(r"bot\b|crawl|spider|headless|lighthouse|pagespeed|curl/|python-", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was looked at: its path without query, what it is ("page", "price"), its title, and when."""

    path: str
    kind: str
    title: str
    at: datetime


def is_key(text: str) -> bool:
    """Whether a browser of ours could have made it."""
    return _KEY.fullmatch(text) is not None


def page_of(path: Any, kind: Any, title: Any, at: datetime) -> Page | None:
    """A page as it may be kept, None for what can be none."""
    if not isinstance(path, str) or not isinstance(title, str) or kind not in TYPES:
        return None
    path = re.split(r"[?#]", path, maxsplit=1)[0]
    if not path.startswith("/") or len(path) > 200 or not path.isprintable():
        return None
    return Page(path, kind, " ".join(title.split())[:100], at)


def earlier(raw: str) -> list[Page]:
    """The pages that a form brought along, [[path, kind, title, seconds since 1970], …]; what can not be is left out."""
    try:
        rows = json.loads(raw or "[]")
    except (ValueError, RecursionError):
        return []
    found = [_earlier(row) for row in rows[-MOST_EARLIER:]] if isinstance(rows, list) else []
    return [page for page in found if page is not None]


def _earlier(row: Any) -> Page | None:
    if not isinstance(row, list) or len(row) != 4 or isinstance(row[3], bool) or not isinstance(row[3], (int, float)):
        return None
    now = clock.now()
    if not (now - KEPT).timestamp() <= row[3] <= now.timestamp():
        return None
    return page_of(row[0], row[1], row[2], datetime.fromtimestamp(row[3], UTC))


def introduce(tenant_id: str, key: str, arrival_id: str, pages: Sequence[Page], agent: str = "") -> None:
    """The visitor with this key is whoever sent this arrival: write down what he saw before, and know him from now on.

    A key that knew somebody else of the same tenant knows the new one: one browser, another person.
    """
    there = db.session.scalars(select(Door).where(Door.key_hash == doors.hash_of(key)).with_for_update()).first()
    if there is None:
        doors.open_(key, KIND, tenant_id, arrival_id)
        db.session.flush()
    elif there.kind == KIND and there.tenant == tenant_id:
        there.subject_id = arrival_id
    else:
        return  # a key of something else is nobody's to take over
    for page in pages:
        _write(tenant_id, arrival_id, page, agent)


def note(found: Found, page: Page, agent: str = "") -> bool:
    """Write down one visit of somebody known (``doors.find(key, KIND)``); False where he is nobody's record any more."""
    return _write(found.tenant_id, found.subject_id, page, agent)


def forget(found: Found, key: str) -> None:
    """He does not want it any more: his key leads nowhere from now on."""
    doors.close_key(key)
    actors.system(found.tenant_id, "官网").audited("visits_stopped", "arrival", found.subject_id)


def _write(tenant_id: str, arrival_id: str, page: Page, agent: str) -> bool:
    arrival = db.session.scalars(
        select(Arrival).where(Arrival.tenant_id == tenant_id, Arrival.id == arrival_id)
    ).first()
    record = take.present(arrival.object, arrival.record_id, only_open=False) if arrival is not None else None
    if record is None:
        return False
    spell = int(page.at.timestamp() // _SPELL.total_seconds())
    record_behaviour(
        record[0].key, record[1].id, TYPES[page.kind], actors.system(tenant_id, "网站访问"), object_id=page.path, at=page.at,
        data={"name": page.title or page.path, "path": page.path}, is_bot=_PROGRAM.search(agent) is not None,
        unique=take.digest(f"visit:{record[1].id}:{page.path}:{spell}"),
    )  # fmt: skip
    return True
