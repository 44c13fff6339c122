"""Where a buyer stands with an order, in the words of its page."""

from __future__ import annotations

from dataclasses import dataclass

from app.core import clock
from app.orders.models import Order
from app.payments import queries
from app.payments.models import Payment
from app.provisioning import queries as provisioning
from app.provisioning.queries import StepView

_AT_ONCE_FOR = 5  # seconds in which the code to scan, or what was paid for, usually comes: it is shown at once
_QUICK_FOR = 120  # seconds in which the page asks every second; later it has time
_ASKING_FOR = 20  # seconds in which an answer of the gateway may be expected
_DOUBT_LASTS = 180


@dataclass(frozen=True, slots=True)
class Standing:
    """``stage`` is one of

    choose, preparing, waiting, renew, refused: the order can be paid; closing: it no longer can, the gateways are
    asked a last time; opening, stuck: paid and not delivered; delivered, cancelled, refunded: settled.
    ``asked`` is "", "now" or "before": whether the buyer said that he has paid.
    """

    stage: str
    gateway: str
    attempt: Payment | None = None
    steps: tuple[StepView, ...] = ()
    asked: str = ""
    pace: str = "1s"

    @property
    def is_settled(self) -> bool:
        return self.stage in {"delivered", "cancelled", "refunded"}

    @property
    def seconds_left(self) -> int:
        """How long the attempt may still be paid."""
        return max(0, int((self.attempt.expires_at - clock.now()).total_seconds())) if self.attempt else 0

    @property
    def fingerprint(self) -> str:
        """Equal as long as the page would look the same; clocks run by themselves."""
        attempt = self.attempt.id[-8:] if self.attempt else ""
        steps = "".join(step.state[0] for step in self.steps)
        return "-".join((self.stage, self.gateway, attempt, steps, self.asked, self.pace))


def standing_of(order: Order, gateway: str | None, asked_at: int) -> Standing:
    """The order's standing, seen from the tab of ``gateway`` (None: the one last used)."""
    if order.status == "pending":
        return _unpaid(order, gateway, asked_at)
    if order.status == "paid" and order.delivery != "delivered":
        return _undelivered(order)
    stage = "delivered" if order.status == "paid" else order.status
    return Standing(stage, gateway or order.paid_by or "wechat")


def _unpaid(order: Order, gateway: str | None, asked_at: int) -> Standing:
    attempt = queries.current_attempt(order, gateway)
    shown = gateway or (attempt.pay_type if attempt else "wechat")
    if not order.is_open:
        return Standing("closing", shown, attempt, pace="2s")
    age = (clock.now() - (attempt.created_at if attempt else order.created_at)).total_seconds()
    asked = _asked(asked_at)
    stage = _stage_of(attempt)
    pace = "1s" if age < _QUICK_FOR or asked == "now" else "5s"
    if stage == "preparing" and age < _AT_ONCE_FOR:
        pace = "300ms"
    return Standing(stage, shown, attempt, asked=asked, pace=pace)


def _stage_of(attempt: Payment | None) -> str:
    if attempt is None:
        return "choose"
    if attempt.status == "failed":
        return "refused"
    if queries.is_expired(attempt):
        return "renew"
    return "waiting" if attempt.started_at else "preparing"


def _asked(asked_at: int) -> str:
    ago = clock.now().timestamp() - asked_at
    return "now" if ago < _ASKING_FOR else "before" if ago < _DOUBT_LASTS else ""


def _undelivered(order: Order) -> Standing:
    steps = tuple(provisioning.progress(order))
    age = (clock.now() - order.paid_at).total_seconds() if order.paid_at else 0
    stage = "stuck" if order.delivery == "failed" else "opening"
    pace = "1s" if age < _QUICK_FOR else "5s"
    if stage == "opening" and age < _AT_ONCE_FOR:
        pace = "300ms"
    return Standing(stage, order.paid_by or "wechat", steps=steps, pace=pace)
