"""How values are written on a page (DESIGN_LANGUAGE §3): money, times, masked numbers, codes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from flask import Flask
from markupsafe import Markup, escape

from app.core import clock
from app.core.clock import SHANGHAI

MINUS = "\u2212"
NONE = "—"


# Money and figures


def money(value: Decimal | int | str | None, decimals: int | None = None) -> str:
    """¥2,870; fen only where there are some, or where ``money(2)`` asks for them (payment, order, invoice)."""
    if value is None:
        return NONE
    amount = Decimal(str(value))
    if decimals is None:
        decimals = 0 if amount == amount.to_integral_value() else 2
    rounded = amount.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    return f"{MINUS if rounded < 0 else ''}¥{abs(rounded):,}"


def number(value: int | float | Decimal | None) -> str:
    """12,345 with a true minus sign."""
    return NONE if value is None else f"{value:,}".replace("-", MINUS)


def percent(value: float | Decimal | None, decimals: int = 1) -> str:
    """A share (0.304) as 30.4%."""
    if value is None:
        return NONE
    shown = (Decimal(str(value)) * 100).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    return f"{shown:f}%".replace("-", MINUS)


def discount(rate: Decimal | float | str) -> str:
    """The Chinese way to say a rate: 0.85 is 8.5 折, 1 is no discount."""
    tenths = Decimal(str(rate)) * 10
    return "无折扣" if tenths >= 10 else f"{tenths.normalize():f} 折"


def months(count: int) -> str:
    """1 个月, 1 年, 1 年 6 个月."""
    years, rest = divmod(int(count), 12)
    return " ".join(
        part for part in (f"{years} 年" if years else "", f"{rest} 个月" if rest or not years else "") if part
    )


def in_bytes(count: int | None) -> str:
    """1.5 MB; whole bytes below a kilobyte."""
    if count is None:
        return NONE
    if count < 1024:
        return f"{count} B"
    size = float(count)
    for unit in ("KB", "MB", "GB", "TB"):
        size /= 1024
        if size < 1024 or unit == "TB":
            break
    return f"{size:.1f}".removesuffix(".0") + f" {unit}"


# Times, all in Asia/Shanghai


def _local(moment: datetime) -> datetime:
    """Aware times as they are; a naive one is UTC, as the database stores it."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(SHANGHAI)


def when(moment: datetime | None, with_time: bool = False) -> str:
    """今天 14:30, 昨天 17:05, 明天 09:30, 6月16日, 2025-06-18 (``with_time`` adds the time to a day of this year)."""
    if moment is None:
        return NONE
    local, today = _local(moment), clock.now().astimezone(SHANGHAI).date()
    near = {-1: "昨天", 0: "今天", 1: "明天"}.get((local.date() - today).days)
    if near:
        return f"{near} {local:%H:%M}"
    if local.year != today.year:
        return f"{local:%Y-%m-%d}"
    return f"{local.month}月{local.day}日" + (f" {local:%H:%M}" if with_time else "")


def stamp(moment: datetime | None) -> str:
    """2026-06-18 10:22:38, for records, titles and documents."""
    return NONE if moment is None else f"{_local(moment):%Y-%m-%d %H:%M:%S}"


def iso(moment: datetime | None) -> str:
    """What <time datetime> wants, with the zone."""
    return "" if moment is None else _local(moment).isoformat(timespec="seconds")


def clock_ms(moment: datetime | None) -> str:
    """10:22:38.871, for logs."""
    return NONE if moment is None else f"{_local(moment):%H:%M:%S}.{_local(moment).microsecond // 1000:03d}"


def day(value: date | datetime | None) -> str:
    """2026-06-18; of a moment, the day it falls on in Shanghai."""
    if value is None:
        return NONE
    return f"{_local(value) if isinstance(value, datetime) else value:%Y-%m-%d}"


def delta(span: timedelta | float | None) -> str:
    """What passed between two lines of a log: +31 毫秒, +32.7 秒, +2 分 5 秒, +1 小时 3 分, +2 天 4 小时."""
    if span is None:
        return ""
    seconds = span.total_seconds() if isinstance(span, timedelta) else float(span)
    return ("+" if seconds >= 0 else MINUS) + duration(abs(seconds))


def duration(span: timedelta | float) -> str:
    """A length of time in its two largest units: 1 分 33 秒."""
    seconds = span.total_seconds() if isinstance(span, timedelta) else float(span)
    if round(seconds * 1000) < 1000:
        return f"{round(seconds * 1000)} 毫秒"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f}".removesuffix(".0") + " 秒"
    whole = round(seconds)
    for unit, size, smaller, part in (("天", 86400, "小时", 3600), ("小时", 3600, "分", 60), ("分", 60, "秒", 1)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} 秒"


# What is shown of something private


def mask_phone(phone: str | None) -> str:
    """138****8000; a mainland number in any spelling, with or without +86."""
    if not phone:
        return NONE
    digits = "".join(c for c in phone if c.isdigit())
    if len(digits) == 13 and digits.startswith("86"):
        digits = digits[2:]
    if len(digits) < 10:
        return "*" * (len(digits) - 2) + digits[-2:] if len(digits) > 4 else "*" * len(digits)
    return f"{digits[:3]}{'*' * (len(digits) - 7)}{digits[-4:]}"


def mask_email(address: str | None) -> str:
    """z***@qinghe.com; the length of the name stays hidden."""
    if not address:
        return NONE
    name, at, domain = address.partition("@")
    return f"{name[:1]}***{at}{domain}"


def mask_name(name: str | None) -> str:
    """周**; the family name, one star for each further character."""
    return name[0] + "*" * (len(name) - 1) if name else NONE


def mask_code(code: str | None) -> str:
    """TENANT-A1B2-****-****-G7H8: kind, first and last group; at least one group between them is hidden."""
    if not code:
        return NONE
    groups = code.split("-")
    if len(groups) < 4:
        return "-".join([groups[0], *("*" * len(group) for group in groups[1:])])
    return "-".join([*groups[:2], *("*" * len(group) for group in groups[2:-1]), groups[-1]])


def code_wbr(code: str | None) -> Markup:
    """The code with a place to break after each hyphen, so that it never breaks inside a group."""
    return Markup("-<wbr>").join(escape(group) for group in (code or NONE).split("-"))


def tint(name: str) -> int:
    """The tint (1–5) of a person's avatar: the same on every page."""
    return sum(map(ord, name)) % 5 + 1


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(
        money=money,
        number=number,
        percent=percent,
        discount=discount,
        months=months,
        bytes=in_bytes,
        when=when,
        stamp=stamp,
        iso=iso,
        clock_ms=clock_ms,
        day=day,
        delta=delta,
        duration=duration,
        mask_phone=mask_phone,
        mask_email=mask_email,
        mask_name=mask_name,
        mask_code=mask_code,
        code_wbr=code_wbr,
        tint=tint,
    )
