"""The gateways' own books: trades, refunds and the notices that follow from them. Both counterparts write here."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from app.gateways.sandbox import store
from app.gateways.sandbox.switches import Callbacks, Switches

BEIJING = ZoneInfo("Asia/Shanghai")
WECHAT_LIFE = timedelta(days=7)  # an unpaid order without a close lives this long
REFUND_TIME = 2.0  # seconds until a WeChat refund is settled; bank cards take days


@dataclass(frozen=True, slots=True)
class Trade:
    id: int
    gateway: str
    channel: str
    out_trade_no: str
    transaction_no: str
    token: str
    token_made_at: float
    subject: str
    total_fen: int
    paid_fen: int | None
    parameters: str
    notify_url: str
    return_url: str
    attach: str
    openid: str
    signed_with: str
    state: str
    created_at: float
    expires_at: float | None
    paid_at: float | None
    closed_at: float | None
    refunded_fen: int = 0  # successful refunds
    asked_back_fen: int = 0  # refunds that are not given up, done or not

    @property
    def is_paid(self) -> bool:
        return self.state in {"paid", "finished"}

    @property
    def is_wholly_refunded(self) -> bool:
        return self.is_paid and self.refunded_fen >= (self.paid_fen or 0) > 0


@dataclass(frozen=True, slots=True)
class Refund:
    id: int
    trade_id: int
    gateway: str
    out_refund_no: str
    refund_no: str
    fen: int
    reason: str
    notify_url: str
    parameters: str
    state: str
    outcome: str
    created_at: float
    settles_at: float
    succeeded_at: float | None


@dataclass(frozen=True, slots=True)
class Delivery:
    id: int
    gateway: str
    trade_id: int
    url: str
    kind: str
    notice_id: str
    content: str
    signed_with: str
    state: str
    attempts: int
    created_at: float
    next_at: float
    leased_until: float
    last_status: int | None
    last_answer: str | None


class Books:
    """Every change is one transaction that looks first and then writes, under SQLite's write lock."""

    def __init__(self, kept: store.Store, switches: Switches, now: Callable[[], datetime], speed_up: float):
        self.store = kept
        self._switches = switches
        self._now = now
        self.speed_up = speed_up

    def clock(self) -> float:
        return self._now().timestamp()

    # Trades

    def find(self, gateway: str, **by: Any) -> Trade | None:
        """The trade with this ``out_trade_no``, ``transaction_no`` or ``token``; what is over is closed on sight."""
        table = store.trades
        wanted = select(table).where(table.c.gateway == gateway)
        for name, value in by.items():
            wanted = wanted.where(table.c[name] == value)
        with self.store.writing() as connection:
            self._expire(connection)
            self._settle_refunds(connection)
            row = connection.execute(wanted).mappings().first()
            return _trade(connection, row) if row else None

    def trade(self, number: int) -> Trade | None:
        with self.store.reading() as connection:
            row = connection.execute(select(store.trades).where(store.trades.c.id == number)).mappings().first()
            return _trade(connection, row) if row else None

    def list_trades(self, limit: int = 50) -> list[Trade]:
        """The newest first."""
        with self.store.reading() as connection:
            rows = connection.execute(select(store.trades).order_by(store.trades.c.id.desc()).limit(limit)).mappings()
            return [_trade(connection, row) for row in rows]

    def open_trade(self, **values: Any) -> Trade:
        """Enter a new trade; if another call was faster with the same number, that one's trade is given."""
        gateway, number = values["gateway"], values["out_trade_no"]
        now = self.clock()
        row = {"attach": "", "openid": "", "return_url": "", "signed_with": "certificate", "expires_at": None} | values
        row |= {
            "state": "unpaid",
            "created_at": now,
            "token_made_at": now,
            "transaction_no": self._transaction_no(gateway),
        }
        table = store.trades
        mine = (table.c.gateway == gateway) & (table.c.out_trade_no == number)
        with self.store.writing() as connection:
            if connection.scalar(select(table.c.id).where(mine)) is None:
                connection.execute(insert(table).values(**row))
            return _trade(connection, connection.execute(select(table).where(mine)).mappings().one())

    def renew_token(self, trade: Trade, token: str) -> None:
        """A newer way in replaces the older."""
        self._change(trade.id, token=token, token_made_at=self.clock())

    def close(self, trade: Trade) -> bool:
        """Close an unpaid (or already closed) trade; False when it is paid."""
        table = store.trades
        with self.store.writing() as connection:
            connection.execute(
                update(table)
                .where(table.c.id == trade.id, table.c.state == "unpaid")
                .values(state="closed", closed_at=self.clock())
            )
            return connection.scalar(select(table.c.state).where(table.c.id == trade.id)) == "closed"

    def pay(self, trade: Trade, *, paid_fen: int | None = None, callbacks: Callbacks | None = None) -> bool:
        """Money moves, also when the trade is expired or closed (a payment that was under way); False if it is paid.

        ``paid_fen`` is another amount than the order's; ``callbacks`` the fate of the notice.
        """
        table = store.trades
        with self.store.writing() as connection:
            changed = connection.execute(
                update(table)
                .where(table.c.id == trade.id, table.c.state.in_(("unpaid", "closed")))
                .values(state="paid", paid_fen=trade.total_fen if paid_fen is None else paid_fen, paid_at=self.clock())
            ).rowcount
            if changed:
                paid = _trade(
                    connection, connection.execute(select(table).where(table.c.id == trade.id)).mappings().one()
                )
                self._announce(connection, paid, "payment", None, callbacks)
            return bool(changed)

    def finish(self, trade: Trade) -> bool:
        """Alipay a year later: the trade can not be refunded any more, and says so once."""
        table = store.trades
        with self.store.writing() as connection:
            changed = connection.execute(
                update(table).where(table.c.id == trade.id, table.c.state == "paid").values(state="finished")
            ).rowcount
            if changed:
                self._announce(connection, replace(trade, state="finished"), "finished", None, None)
            return bool(changed)

    # Refunds

    def find_refund(self, gateway: str, out_refund_no: str, trade: Trade | None = None) -> Refund | None:
        table = store.refunds
        wanted = select(table).where(table.c.gateway == gateway, table.c.out_refund_no == out_refund_no)
        if trade:
            wanted = wanted.where(table.c.trade_id == trade.id)
        with self.store.writing() as connection:
            self._settle_refunds(connection)
            row = connection.execute(wanted).mappings().first()
            return Refund(**row) if row else None

    def list_refunds(self, trade: Trade) -> list[Refund]:
        with self.store.reading() as connection:
            rows = connection.execute(select(store.refunds).where(store.refunds.c.trade_id == trade.id)).mappings()
            return [Refund(**row) for row in rows]

    def is_soon_after(self, refunds: list[Refund], gap: float) -> bool:
        """Whether one of these was asked for less than ``gap`` seconds (as documented) ago."""
        return any(self.clock() - refund.created_at < gap / self.speed_up for refund in refunds)

    def open_refund(self, trade: Trade, **values: Any) -> Refund | None:
        """Enter a refund; None when it would exceed what was paid. WeChat settles it later, Alipay at once."""
        now = self.clock()
        at_once = trade.gateway == "alipay"
        row = {"reason": "", "notify_url": "", "parameters": ""} | values
        row |= {
            "trade_id": trade.id,
            "gateway": trade.gateway,
            "refund_no": self._refund_no(trade.gateway),
            "created_at": now,
        }
        row |= {"state": "processing", "outcome": "success" if at_once else self._switches.refund_outcome}
        row["settles_at"] = now if at_once else now + REFUND_TIME / self.speed_up
        table = store.refunds
        with self.store.writing() as connection:
            paid_fen = self._refundable(connection, trade.id)
            if self._asked_back(connection, trade.id) + values["fen"] > paid_fen:
                return None
            number = connection.execute(insert(table).values(**row)).inserted_primary_key[0]  # type: ignore[index]
            if at_once:
                self._settle_refunds(connection)
            return Refund(**connection.execute(select(table).where(table.c.id == number)).mappings().one())

    def settle_refunds(self) -> None:
        """Bring refunds whose time has come to their outcome, and announce it."""
        with self.store.writing() as connection:
            self._settle_refunds(connection)

    # Notices

    def list_deliveries(self, trade: Trade | None = None, limit: int = 50) -> list[Delivery]:
        wanted = select(store.deliveries).order_by(store.deliveries.c.id.desc()).limit(limit)
        if trade:
            wanted = wanted.where(store.deliveries.c.trade_id == trade.id)
        with self.store.reading() as connection:
            return [Delivery(**row) for row in connection.execute(wanted).mappings()]

    def send_again(self, trade: Trade, copies: int = 1) -> int:
        """Put held notices of the trade on their way and repeat the others ``copies`` times, under their old ids."""
        found = {delivery.notice_id: delivery for delivery in reversed(self.list_deliveries(trade))}
        table, now = store.deliveries, self.clock()
        with self.store.writing() as connection:
            for delivery in found.values():
                if delivery.state == "held":
                    connection.execute(update(table).where(table.c.id == delivery.id).values(state="due", next_at=now))
                    continue
                for _ in range(copies):
                    connection.execute(insert(table).values(**_copy(delivery, now)))
        return len(found)

    def _announce(
        self, connection: Connection, trade: Trade, what: str, refund: Refund | None, callbacks: Callbacks | None
    ) -> None:
        """Queue the notice of an event; whose address is empty hears nothing."""
        url = refund.notify_url if refund and trade.gateway == "wechat" else trade.notify_url
        if not url:
            return
        fate = callbacks or self._switches.callbacks(trade.gateway)
        now = self.clock()
        row = {
            "gateway": trade.gateway,
            "trade_id": trade.id,
            "url": url,
            "kind": what if refund is None else f"refund.{refund.state}",
            "notice_id": self._notice_id(trade.gateway),
            "content": json.dumps({"what": what, "refund_id": refund.id if refund else None, "at": now}),
            "signed_with": trade.signed_with,
            "state": "held" if fate.hold else "due",
            "attempts": 0,
            "created_at": now,
            "next_at": now + fate.delay,
            "leased_until": 0.0,
        }
        for _ in range(max(1, fate.copies)):
            connection.execute(insert(store.deliveries).values(**row))

    def _settle_refunds(self, connection: Connection) -> None:
        table, now = store.refunds, self.clock()
        due = (
            connection.execute(select(table).where(table.c.state == "processing", table.c.settles_at <= now))
            .mappings()
            .all()
        )
        for row in due:
            done = now if row["outcome"] == "success" else None
            connection.execute(
                update(table).where(table.c.id == row["id"]).values(state=row["outcome"], succeeded_at=done)
            )
            refund = Refund(**{**row, "state": row["outcome"], "succeeded_at": done})
            found = (
                connection.execute(select(store.trades).where(store.trades.c.id == row["trade_id"])).mappings().one()
            )
            self._announce(connection, _trade(connection, found), "refund", refund, None)

    def _expire(self, connection: Connection) -> None:
        """Alipay closes an unpaid trade when its time is over; WeChat Pay leaves it open for seven days."""
        table, now = store.trades, self.clock()
        over = (table.c.gateway == "alipay") & (table.c.expires_at <= now)
        old = (table.c.gateway == "wechat") & (table.c.created_at <= now - WECHAT_LIFE.total_seconds())
        connection.execute(
            update(table).where(table.c.state == "unpaid", over | old).values(state="closed", closed_at=now)
        )

    def _change(self, trade_id: int, **values: Any) -> None:
        with self.store.writing() as connection:
            connection.execute(update(store.trades).where(store.trades.c.id == trade_id).values(**values))

    def _refundable(self, connection: Connection, trade_id: int) -> int:
        """What was paid, as the row says now; 0 while unpaid and once finished."""
        table = store.trades
        wanted = select(table.c.paid_fen).where(table.c.id == trade_id, table.c.state == "paid")
        return int(connection.scalar(wanted) or 0)

    def _asked_back(self, connection: Connection, trade_id: int) -> int:
        table = store.refunds
        wanted = select(func.coalesce(func.sum(table.c.fen), 0)).where(
            table.c.trade_id == trade_id, table.c.state != "closed"
        )
        return int(connection.scalar(wanted) or 0)

    def _day(self) -> str:
        return self._now().astimezone(BEIJING).strftime("%Y%m%d")

    def _transaction_no(self, gateway: str) -> str:
        if gateway == "wechat":
            return f"4200{_digits(6)}{self._day()}{_digits(10)}"
        return f"{self._day()}2200{_digits(16)}"

    def _refund_no(self, gateway: str) -> str:
        return f"5030{_digits(6)}{self._day()}{_digits(11)}" if gateway == "wechat" else ""

    def _notice_id(self, gateway: str) -> str:
        if gateway == "wechat":
            raw = secrets.token_hex(16)
            return "-".join((raw[:8], raw[8:12], raw[12:16], raw[16:20], raw[20:]))
        return f"{self._day()}002{_digits(21)}"


def beijing(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC).astimezone(BEIJING)


def _trade(connection: Connection, row: RowMapping) -> Trade:
    table = store.refunds
    sums = connection.execute(
        select(
            func.coalesce(func.sum(table.c.fen).filter(table.c.state == "success"), 0),
            func.coalesce(func.sum(table.c.fen).filter(table.c.state != "closed"), 0),
        ).where(table.c.trade_id == row["id"])
    ).one()
    return Trade(**dict(row), refunded_fen=int(sums[0]), asked_back_fen=int(sums[1]))


def _copy(delivery: Delivery, now: float) -> dict[str, Any]:
    names = ("gateway", "trade_id", "url", "kind", "notice_id", "content", "signed_with")
    row = {name: getattr(delivery, name) for name in names}
    return row | {"state": "due", "attempts": 0, "created_at": now, "next_at": now, "leased_until": 0.0}


def _digits(count: int) -> str:
    return "".join(secrets.choice("0123456789") for _ in range(count))
