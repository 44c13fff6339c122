"""The inbox: every SMS and e-mail as its reader would see it, for people and for programs."""

from __future__ import annotations

from flask import Response, jsonify, request
from flask.typing import ResponseReturnValue

from app.blueprints.sandbox import area, sandbox
from app.core.errors import NotFound
from app.gateways.sandbox.inbox import Message
from app.web.pages import page

# The mail's own HTML: it may look as it likes, and can neither run anything nor reach out of its frame.
_MAIL_POLICY = (
    "default-src 'none'; img-src data: https:; style-src 'unsafe-inline'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)


@area.get("/inbox")
def inbox() -> ResponseReturnValue:
    to = request.args.get("to", "").strip()
    found = {kind: sandbox().inbox.list_messages(to or None, limit=50, kind=kind) for kind in ("sms", "mail", "wechat")}
    return page(
        "sandbox/inbox.html",
        fragments=("messages",),
        to=to,
        sms=found["sms"],
        mails=found["mail"],
        wechat=found["wechat"],
    )


@area.get("/inbox.json")
def inbox_json() -> ResponseReturnValue:
    """A list, the newest first; ``to``, ``kind`` and ``limit`` narrow it."""
    wanted = request.args
    limit = wanted.get("limit", "100")
    messages = sandbox().inbox.list_messages(
        wanted.get("to", "").strip() or None,
        limit=min(int(limit), 1000) if limit.isascii() and limit.isdigit() and len(limit) < 6 else 100,
        kind=wanted.get("kind") or None,
    )
    return jsonify([_told(message) for message in messages])


@area.get("/inbox/<int:number>")
def message(number: int) -> ResponseReturnValue:
    return page("sandbox/message.html", message=_wanted(number))


@area.get("/inbox/<int:number>/body.html")
def message_body(number: int) -> ResponseReturnValue:
    """The HTML part alone, to be shown in a frame; its links open outside the frame."""
    html = _wanted(number).html
    head, mark, rest = html.partition("<head>")
    html = f'{head}{mark}<base target="_blank">{rest}' if mark else f'<base target="_blank">{html}'
    headers = {"Content-Security-Policy": _MAIL_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return Response(html, content_type="text/html; charset=utf-8", headers=headers)


def _told(message: Message) -> dict[str, object]:
    return {
        "id": message.id,
        "message_id": message.message_id,
        "to": message.to,
        "kind": message.kind,
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        "template": message.template,
        "at": message.at.isoformat(),
    }


def _wanted(number: int) -> Message:
    found = sandbox().inbox.find(number)
    if found is None:
        raise NotFound("收件箱里没有这条消息。")
    return found
