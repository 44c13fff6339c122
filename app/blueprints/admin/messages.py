"""通知: what was said to customers, as its reader sees it, without the secrets."""

from __future__ import annotations

from flask import Response, make_response, request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.admin import area, words
from app.blueprints.admin.reads import messages as reads
from app.blueprints.admin.rights import actor, needs
from app.core import events
from app.notifications import preview
from app.notifications.resend import resend
from app.web import tables
from app.web.pages import done, page

# A mail brings its styles with it and nothing else: no script, no picture from outside, framed by our own page only.
_MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox allow-popups"
)


@area.get("/messages")
@needs("messages.see")
def messages() -> ResponseReturnValue:
    status = request.args.get("status", "") if request.args.get("status") in words.MESSAGE else ""
    channel = request.args.get("channel", "") if request.args.get("channel") in words.MEDIUM else ""
    found = reads.listed(status, channel, request.args.get(tables.CURSOR))
    previous, following = tables.paths(found)
    return page(
        "admin/messages.html",
        fragments=("message_list",),
        rows=found.rows,
        chosen=status,
        channel=channel,
        states={key: word for key, (word, _kind) in words.MESSAGE.items()},
        channels=words.MEDIUM,
        previous=previous,
        following=following,
        clear=url_for("admin.messages"),
    )


@area.get("/messages/<message_id>")
@needs("messages.see")
def message(message_id: str) -> ResponseReturnValue:
    found, order_no = reads.one(message_id)
    return page("admin/message.html", message=found, order_no=order_no, letter=preview.render(found))


@area.get("/messages/<message_id>/body")
@needs("messages.see")
def message_body(message_id: str) -> Response:
    """The mail itself, for the frame of the page above."""
    found, _order_no = reads.one(message_id)
    response = make_response(preview.render(found).html)
    response.headers["Content-Security-Policy"] = _MAIL_POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


@area.post("/messages/<message_id>/resend")
@needs("messages.resend")
def resend_message(message_id: str) -> ResponseReturnValue:
    found, _order_no = reads.one(message_id)
    again = resend(found, actor())
    if found.order_id:
        events.record("staff.resend_asked", found.order_id, actor=actor(), detail=found.recipient_masked)
    return done(url_for("admin.message", message_id=again.id), f"已重新发给 {found.recipient_masked}")
