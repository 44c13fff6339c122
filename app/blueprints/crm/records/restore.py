"""「恢复这个值」 from a record's own history, for whoever may edit it."""

from __future__ import annotations

from flask import url_for
from flask.typing import ResponseReturnValue

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import right
from app.core.errors import Conflict, Invalid
from app.crm.records import restoring
from app.crm.records.types import RecordType
from app.web.pages import done


@area.post("/<things:things>/<record_id>/restore/<event_id>/<key>")
@right("edit")
def restore_value(things: RecordType, record_id: str, event_id: str, key: str) -> ResponseReturnValue:
    back = url_for("crm.record", things=things.plural, record_id=record_id)
    try:
        changed = restoring.restore(event_id, key, me(), record_id=record_id)
    except (Invalid, Conflict) as error:
        return done(back, f"不能恢复：{error.message}", kind="error")
    return done(back, "已恢复" if changed else "现在就是这个值")
