"""The demo's payments as the sandbox gateways know them, so that one can ask about them and give them back."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, insert, select

from app.core import tenancy
from app.gateways.sandbox import store
from app.orders.models import Order
from app.payments.models import Payment, Refund


def enter_trades(instance_path: Path) -> None:
    """Write each successful payment and refund of the books into the sandbox's, unless it is there."""
    with tenancy.scope(tenancy.everyone("copy the demo's payments")) as session:
        statement = (
            select(Payment, Order)
            .join(Order, Order.id == Payment.order_id)
            .where(Payment.status.in_(("success", "refunded")))
            .order_by(Payment.id)
        )
        paid = session.execute(statement).all()
        refunds = list(session.scalars(select(Refund).where(Refund.status == "success").order_by(Refund.id)))
    with store.Store(instance_path / "sandbox.db").writing() as connection:
        for payment, order in paid:
            trade_id = _enter(connection, payment, order)
            for refund in (row for row in refunds if trade_id and row.payment_id == payment.id):
                _enter_refund(connection, trade_id, payment, refund)


def _enter(connection: Connection, payment: Payment, order: Order) -> int | None:
    """The number of the new trade, None if it was there."""
    table = store.trades
    mine = (table.c.gateway == payment.pay_type) & (table.c.out_trade_no == payment.attempt_no)
    if connection.scalar(select(table.c.id).where(mine)) is not None:
        return None
    fen, paid_at = int(payment.amount * 100), (payment.pay_time or payment.created_at).timestamp()
    made = connection.execute(
        insert(table).values(
            gateway=payment.pay_type,
            channel=payment.channel,
            out_trade_no=payment.attempt_no,
            transaction_no=payment.transaction_no,
            token=f"demo-{payment.attempt_no}",
            token_made_at=payment.created_at.timestamp(),
            subject=f"云客CRM {order.title}",
            total_fen=fen,
            paid_fen=fen,
            parameters="{}",
            notify_url="",
            return_url="",
            attach="",
            openid="",
            signed_with="public_key",
            state="paid",
            created_at=payment.created_at.timestamp(),
            paid_at=paid_at,
        )
    )
    return int(made.inserted_primary_key[0])  # type: ignore[index]


def _enter_refund(connection: Connection, trade_id: int | None, payment: Payment, refund: Refund) -> None:
    at = (refund.succeeded_at or refund.created_at).timestamp()
    connection.execute(
        insert(store.refunds).values(
            trade_id=trade_id,
            gateway=payment.pay_type,
            out_refund_no=refund.refund_no,
            refund_no=refund.gateway_refund_no or "",
            fen=int(refund.amount * 100),
            reason=refund.reason,
            notify_url="",
            parameters="{}",
            state="success",
            outcome="success",
            created_at=refund.created_at.timestamp(),
            settles_at=at,
            succeeded_at=at,
        )
    )
