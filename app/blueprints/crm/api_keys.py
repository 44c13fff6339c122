"""设置 → API 密钥: one's own keys for programs; whoever manages the tenant sees and stops everybody's."""

from __future__ import annotations

from flask import request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import needs, own
from app.core.db import db
from app.core.errors import Refused
from app.crm.capture import keys
from app.web.forms import trimmed
from app.web.pages import done, page


@area.get("/settings/keys")
@own
@needs("api")
def api_keys() -> ResponseReturnValue:
    return _page()


@area.post("/settings/keys")
@own
@needs("api")
def api_key_add() -> ResponseReturnValue:
    """The key stands on this very answer and nowhere again."""
    name, may_write = trimmed(request.form.get("name", "")), request.form.get("may_write") == "1"
    try:
        with db.session.begin_nested():
            made, text = keys.add(name, me(), may_write=may_write)
    except Refused as error:
        return _page(error.message, name, status=422)
    return page("crm/capture/key.html", key=made, text=text)


@area.post("/settings/keys/<key_id>/revoke")
@own
def api_key_revoke(key_id: str) -> ResponseReturnValue:
    key = keys.revoke(key_id, me())
    return done(url_for("crm.api_keys"), f"密钥「{key.name}」已停用，用它的程序马上就连不上了")


def _page(error: str = "", name: str = "", status: int = 200) -> ResponseReturnValue:
    return page("crm/capture/keys.html", keys=keys.each(), error=error, name=name, status=status)
