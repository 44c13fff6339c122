"""What a purchase costs: computed by the server alone, with the arithmetic that the buyer sees (SPEC §3)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from app.catalog import queries
from app.catalog.models import Package
from app.core.errors import Invalid

_YUAN = Decimal(1)
_ONE_OFF = Decimal("1.00")


@dataclass(frozen=True, slots=True)
class Quote:
    """A price and how it came about; amounts are yuan with two places."""

    package: Package
    months: int  # 1 for a one-off purchase, as in the seed's purchase_orders
    unit_price: Decimal  # a month (saas) or once (private)
    original_price: Decimal
    discount_rate: Decimal
    actual_price: Decimal

    @property
    def product_type(self) -> str:
        return self.package.product_type

    @property
    def saving(self) -> Decimal:
        return self.original_price - self.actual_price

    @property
    def title(self) -> str:
        """What the buyer calls it: SaaS 专业版, 私有部署企业版."""
        return f"{'SaaS ' if self.product_type == 'saas' else '私有部署'}{self.package.name}"

    @property
    def lines(self) -> list[tuple[str, Decimal]]:
        """The arithmetic from list price to amount due, as (label, amount); a reduction is negative."""
        if self.product_type == "private":
            return [("一次买断", self.original_price)]
        lines = [(f"¥{self.unit_price:,.0f} × {self.months} 个月", self.original_price)]
        if self.saving:
            lines.append((f"折扣（{(self.discount_rate * 10).normalize():f} 折）", -self.saving))
        return lines


def quote(package: Package, months: int) -> Quote:
    """The price of ``package`` for ``months``; a private licence is bought once, whatever the months say.

    Raises Invalid for a duration that is not on sale.
    """
    if package.product_type == "private":
        return _quoted(package, 1, _ONE_OFF)
    for duration in queries.durations():
        if duration.months == months:
            return _quoted(package, months, duration.rate)
    raise Invalid("没有这个购买时长，请重新选择。", field="months")


def whole_yuan(amount: Decimal) -> Decimal:
    """``amount`` rounded half up to whole yuan, with two places: 1524.90 → 1525.00. The only rounding of a price."""
    return amount.quantize(_YUAN, ROUND_HALF_UP).quantize(Decimal("0.01"))


def _quoted(package: Package, months: int, rate: Decimal) -> Quote:
    original = package.price * months
    actual = original if rate == 1 else whole_yuan(original * rate)
    return Quote(package, months, package.price, original, rate, actual)
