"""What a message says: a template of data (``templates/messages/<name>/``) filled with the message's parameters.

A template has ``sms.txt``, or ``subject.txt`` with ``mail.txt`` and ``mail.html``, and ``sample.json`` for its preview.
It sees nothing but its parameters and the page filters: no request, no session, no database.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from flask import current_app

SIGNATURE = "【云客CRM】"
_HIDDEN = "••••••"

# What of a template's parameters only the reader may see; staff see dots.
SECRETS: dict[str, tuple[str, ...]] = {"sms_code": ("code",), "purchase_success_saas": ("password",)}


@dataclass(frozen=True, slots=True)
class Letter:
    """A composed message; ``subject`` and ``html`` are empty for an SMS."""

    channel: str
    text: str
    subject: str = ""
    html: str = ""


def compose(channel: str, template: str, parameters: Mapping[str, Any]) -> Letter:
    """Fill a template for "sms", "wechat" or "mail"; raises jinja2.TemplateError for one that does not exist or lacks a parameter."""
    if channel == "sms":
        return Letter("sms", text=SIGNATURE + _one_line(_render(template, "sms.txt", parameters)))
    if channel == "wechat":
        return Letter("wechat", text=_render(template, "wechat.txt", parameters).strip())
    return Letter(
        "mail",
        text=_render(template, "mail.txt", parameters).strip() + "\n",
        subject=SIGNATURE + _one_line(_render(template, "subject.txt", parameters)),
        html=_render(template, "mail.html", parameters),
    )


def hide_secrets(template: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with dots for what only the reader may see."""
    secret = SECRETS.get(template, ())
    return {name: _HIDDEN if name in secret and value else value for name, value in parameters.items()}


def names() -> list[str]:
    """All templates of this installation."""
    return sorted(path.name for path in _folder().iterdir() if path.is_dir())


def channels(template: str) -> list[str]:
    """The channels that a template serves, of "sms", "mail" and "wechat"."""
    files = {"sms": "sms.txt", "mail": "mail.html", "wechat": "wechat.txt"}
    return [channel for channel, file in files.items() if (_folder() / template / file).is_file()]


@cache
def _sample(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))


def sample(template: str) -> dict[str, Any]:
    """Parameters with which the template can be looked at."""
    return dict(_sample(_folder() / template / "sample.json"))


def _folder() -> Path:
    return Path(current_app.root_path) / "templates" / "messages"


def _render(template: str, file: str, parameters: Mapping[str, Any]) -> str:
    return current_app.jinja_env.get_template(f"messages/{template}/{file}").render(**parameters)


def _one_line(text: str) -> str:
    """A template may be wrapped for its editors; the SMS and the subject are one line."""
    return "".join(line.strip() for line in text.splitlines())
