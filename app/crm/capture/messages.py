"""What an account's follower wrote or did, read from WeChat's XML or Weibo's JSON into one form."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from xml.etree import ElementTree

from app.core import clock
from app.crm.capture.sealing import Forged

_KINDS = {"image": "[图片]", "voice": "[语音]", "video": "[视频]", "shortvideo": "[视频]", "location": "[位置]", "link": "[链接]",
          "position": "[位置]"}  # fmt: skip
_JOINED = {"subscribe": "关注了公众号", "follow": "关注了微博", "scan_follow": "扫码关注了微博"}
_SCANNED = {"SCAN", "scan"}
_LEFT = {"unsubscribe", "unfollow"}
_MOBILE = re.compile(r"(?<!\d)(?:\+?86[- ]?)?(1[3-9]\d[- ]?\d{4}[- ]?\d{4})(?!\d)")


@dataclass(frozen=True, slots=True)
class Message:
    """``event``: "" for words, join, scan, left, or other (which is nobody's news). ``number`` is the sender's own."""

    sender: str
    receiver: str
    number: str
    at: datetime
    text: str = ""
    event: str = ""
    nickname: str = ""
    phone: str = ""


def xml_fields(body: str) -> dict[str, str]:
    """The fields of a flat XML message. Raises Forged for anything that is none; entities are not read at all."""
    if "<!DOCTYPE" in body.upper() or "<!ENTITY" in body.upper():
        raise Forged("不接受带实体的 XML")
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - without a DTD there is nothing to expand
    except (ElementTree.ParseError, ValueError) as error:
        raise Forged("不是 XML") from error
    return {child.tag: (child.text or "").strip() for child in root}


def of_wechat(body: str) -> Message:
    """Raises Forged for what is no message."""
    found = xml_fields(body)
    sender, moment = found.get("FromUserName", ""), found.get("CreateTime", "")
    if not sender or len(sender) > 64 or not moment.isascii() or not moment.isdigit() or len(moment) > 10:
        raise Forged("缺少发送人或时间")
    kind, event = found.get("MsgType", ""), found.get("Event", "")
    number = found.get("MsgId") or f"{moment}:{event}:{found.get('EventKey', '')}"
    scene = found.get("EventKey", "").removeprefix("qrscene_")
    return _message(
        sender, found.get("ToUserName", ""), number, datetime.fromtimestamp(int(moment), UTC), kind, event,
        found.get("Content", ""), scene, found.get("NickName", ""),
    )  # fmt: skip


def of_weibo(body: str) -> Message:
    """Raises Forged for what is no message."""
    try:
        found = json.loads(body)
        sender, data = str(found["sender_id"]), found.get("data") or {}
        at = _weibo_time(str(found.get("created_at", "")))
        event = str(data.get("subtype", "")) if found.get("type") == "event" else ""
        text, kind = str(found.get("text") or ""), str(found.get("type", ""))
        scene = str(data.get("key") or "") if isinstance(data, dict) else ""
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Forged("不是微博的消息") from error
    if not sender or len(sender) > 64:
        raise Forged("缺少发送人")
    number = f"{found.get('created_at', '')}:{kind}:{event}:{text[:200]}"
    return _message(sender, str(found.get("receiver_id", "")), number, at, kind, event, text, scene, "")


def _weibo_time(text: str) -> datetime:
    """Mon Jul 16 18:09:20 +0800 2012, as Weibo writes it."""
    try:
        day, month, date, time, zone, year = text.split()
        return parsedate_to_datetime(f"{day}, {date} {month} {year} {time} {zone}")
    except (ValueError, TypeError):
        return clock.now()


def _message(
    sender: str, receiver: str, number: str, at: datetime, kind: str, event: str, text: str, scene: str, nickname: str
) -> Message:  # fmt: skip
    sender, kind, event, text, scene = (_storable(one) for one in (sender, kind, event, text, scene))

    def made(what: str, words: str) -> Message:
        return Message(sender, receiver, number, at, words[:2000], what, _plain(nickname)[:60], phone_in(words))

    if kind != "event":
        return made("", text or _KINDS.get(kind, f"[{_plain(kind)[:20] or '消息'}]"))
    if event in _LEFT:
        return made("left", "")
    if event in _SCANNED:
        return made("scan", f"扫了二维码{f'「{scene[:60]}」' if scene else ''}")
    if event in _JOINED:
        return made("join", _JOINED[event] + (f"，来自二维码「{scene[:60]}」" if scene else ""))
    return made("other", "")


def phone_in(text: str) -> str:
    """The first mobile number in a text, or ""."""
    found = _MOBILE.search(text)
    return found[1].replace("-", "").replace(" ", "") if found else ""


def _plain(text: Any) -> str:
    return " ".join(_storable(str(text)).split())


def _storable(text: str) -> str:
    """Without what no database holds: a NUL, half a sign."""
    return text.encode("utf-8", "ignore").decode().replace("\x00", "")
