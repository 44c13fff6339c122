"""Leads and customers as JSON: listed a page at a time, read, added, changed; the fields are those of the object."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from flask import Response, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from app.blueprints.api import Malformed, area, key, me
from app.core import clock
from app.core.db import db, first_key, is_key
from app.core.errors import Conflict, Invalid
from app.crm.capture.models import ApiAnswer
from app.crm.customers.customer import CUSTOMER
from app.crm.leads.lead import LEAD
from app.crm.records import keep, lists, reach, show
from app.crm.records.lists import Query
from app.crm.records.types import RecordType
from app.web import tables

LARGEST = 256 * 1024
MOST = 100
KEPT = timedelta(hours=24)  # an answer under its Idempotency-Key
PARAMETERS = ("limit", "cursor", "q", "sort")


@area.get("/v1/leads")
def leads() -> ResponseReturnValue:
    return _list(LEAD)


@area.post("/v1/leads")
def lead_added() -> ResponseReturnValue:
    """A lead of what was sent; the same Idempotency-Key again is the same lead and the same answer."""
    me().policy.insist("lead", "create")
    body = _body()

    def add() -> tuple[dict[str, Any], int]:
        given = {"source": "api", **body}
        with db.session.begin_nested():
            made = keep.create(LEAD, given, me())
        return told(LEAD, made), 201

    answer = _once(body, add)
    answer.headers["Location"] = url_for("api.lead", record_id=answer.get_json()["id"])
    return answer


@area.get("/v1/leads/<record_id>")
def lead(record_id: str) -> ResponseReturnValue:
    return jsonify(told(LEAD, reach.find(LEAD, _key(record_id), me().policy)))


@area.patch("/v1/leads/<record_id>")
def lead_changed(record_id: str) -> ResponseReturnValue:
    """Change the fields that are named; ``version`` makes sure that nobody else changed it since it was read."""
    found = reach.find(LEAD, _key(record_id), me().policy, "edit", for_update=True)
    body = _body()
    version = body.pop("version", None)
    if version is not None and (not isinstance(version, int) or isinstance(version, bool)):
        raise Invalid("version 要填读到的那个整数", field="version")

    def change() -> tuple[dict[str, Any], int]:
        with db.session.begin_nested():
            keep.change(LEAD, found, body, me(), version=version)
        return told(LEAD, found), 200

    return _once({**body, "version": version, "id": found.id}, change)


@area.get("/v1/customers")
def customers() -> ResponseReturnValue:
    return _list(CUSTOMER)


@area.get("/v1/customers/<record_id>")
def customer(record_id: str) -> ResponseReturnValue:
    return jsonify(told(CUSTOMER, reach.find(CUSTOMER, _key(record_id), me().policy)))


# ── as JSON ──


def told(described: RecordType, record: Any) -> dict[str, Any]:
    """What the key's user sees of a record; a phone as its mask, what is hidden from him not at all."""
    found = {
        one.key: text or None if one.sensitive or (there is None and text) else plain(there)
        for one, there, text in show.facts(described, record, me())
    }
    return {
        "id": record.id, "version": record.version, "created_at": plain(record.created_at),
        "updated_at": plain(record.updated_at), **found,
    }  # fmt: skip


def plain(value: Any) -> Any:
    """A value as JSON has it: moments in UTC, amounts as text, so that no digit is lost."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, (date, Decimal)):
        return str(value)
    return value


def _list(described: RecordType) -> Response:
    """A page, the newest first unless another order is asked for. Raises Malformed on a parameter."""
    me().policy.insist(described.key, "read")
    asked = _asked()
    query = Query(q=asked["q"], sort=asked["sort"])
    model = described.model
    statement = select(model).where(lists.conditions(described, query, me()))
    try:
        order = lists.order(described, query.sort, me())
    except Invalid as error:
        raise Malformed(error.message, field="sort") from error
    found = tables.keyset(statement, order, asked["cursor"], int(asked["limit"]))
    return jsonify(data=[told(described, record) for record in found.rows], next_cursor=found.next or None)


def _asked() -> dict[str, str]:
    unknown = sorted(set(request.args) - set(PARAMETERS))
    if unknown:
        raise Malformed(f"没有「{unknown[0][:40]}」这个参数。", field=unknown[0][:40])
    limit, cursor = request.args.get("limit", "50"), request.args.get("cursor", "")
    if not (limit.isascii() and limit.isdigit() and len(limit) < 4 and 1 <= int(limit) <= MOST):
        raise Malformed(f"limit 要在 1 到 {MOST} 之间。", field="limit")
    if cursor and not _is_cursor(cursor):
        raise Malformed("cursor 要原样使用上一页的 next_cursor。", field="cursor")
    q = request.args.get("q", "")
    if len(q) > 100:
        raise Malformed("q 最多 100 个字。", field="q")
    return {"limit": limit, "cursor": cursor, "q": q, "sort": request.args.get("sort", "-created_at")}


def _is_cursor(text: str) -> bool:
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(found, list) and len(found) > 1 and found[0] == ">"


def _key(record_id: str) -> str:
    """An id that can be one; any other leads nowhere like a stranger's."""
    return record_id if is_key(record_id) else ""


def _body() -> dict[str, Any]:
    """The JSON object that was sent. Raises RequestEntityTooLarge, UnsupportedMediaType, Malformed, Invalid."""
    if (request.content_length or 0) > LARGEST:
        raise RequestEntityTooLarge
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    raw = request.get_data()
    if len(raw) > LARGEST:
        raise RequestEntityTooLarge
    try:
        body = json.loads(raw.decode())
    except (ValueError, RecursionError):
        raise Malformed("请求的内容不是 JSON。") from None
    if not isinstance(body, dict):
        raise Malformed("请求的内容要是一个 JSON 对象。")
    for name, value in body.items():
        _insist_on_value(name, value)
    return body


def _insist_on_value(name: str, value: Any) -> None:
    """Text, numbers, truth, nothing, or a list of texts: nothing deeper, and nothing that no database holds."""
    texts = value if isinstance(value, list) else [value]
    if isinstance(value, dict) or any(isinstance(one, (list, dict)) for one in texts):
        raise Invalid("这个字段不能是对象", field=name[:40])
    for text in (name, *texts):
        if isinstance(text, str) and text != text.encode("utf-8", "ignore").decode():
            raise Invalid("这个字段里有存不下的字符", field=name[:40].encode("utf-8", "ignore").decode())


# ── once ──


def _once(body: dict[str, Any], act: Callable[[], tuple[dict[str, Any], int]]) -> Response:
    """Do it, and with an Idempotency-Key remember the answer: the same request again is answered so and not done.

    Raises Conflict for the key of another request.
    """
    given = request.headers.get("Idempotency-Key", "")
    if not given:
        return _answered(*act())
    if len(given) > 200:
        raise Malformed("Idempotency-Key 最多 200 个字符。", field="Idempotency-Key")
    mark, asked = _hash(given), _hash(f"{request.method} {request.path} {json.dumps(body, sort_keys=True)}")
    _forget_old()
    there = _kept(mark)
    if there is None:
        row = ApiAnswer(tenant_id=me().tenant_id, key_id=key().id, idempotency_key=mark, request_hash=asked, body={})
        try:
            with db.session.begin_nested():
                db.session.add(row)
        except IntegrityError:
            there = _kept(mark)
        else:
            row.body, row.http_code = act()
            return _answered(row.body, row.http_code)
    if there is None or there.request_hash != asked:
        raise Conflict("这个 Idempotency-Key 已经用在另一个请求上。", field="Idempotency-Key")
    answer = _answered(there.body, there.http_code)
    answer.headers["Idempotency-Replayed"] = "true"
    return answer


def _forget_old() -> None:
    """An answer is kept for a day: whoever asks again later asks for something new."""
    old = delete(ApiAnswer).where(ApiAnswer.key_id == key().id, ApiAnswer.id < first_key(clock.now() - KEPT))
    db.session.execute(old)


def _kept(mark: str) -> ApiAnswer | None:
    statement = select(ApiAnswer).where(ApiAnswer.key_id == key().id, ApiAnswer.idempotency_key == mark)
    return db.session.scalars(statement).first()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _answered(body: dict[str, Any], status: int) -> Response:
    answer = jsonify(body)
    answer.status_code = status
    return answer
