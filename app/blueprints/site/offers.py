"""What the price page says about the packages, all of it computed here and shown by the template."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from decimal import Decimal

from app.catalog import queries
from app.catalog.models import Package
from app.catalog.quote import Quote, quote

Cell = str | bool
Row = tuple[str, list[Cell]]


@dataclass(frozen=True)
class Price:
    """A package for one duration. ``monthly`` is the discounted month as it is printed: 239.2."""

    months: int
    monthly: str
    total: Decimal
    saving: Decimal


@dataclass(frozen=True)
class Offer:
    package: Package
    highlights: list[str]
    prices: list[Price]


@dataclass(frozen=True)
class FromPrices:
    """The lowest prices, where there is a package on sale."""

    saas: Decimal | None
    private: Decimal | None


def offers(product_type: str) -> list[Offer]:
    """The packages on sale with their prices; each says what it adds to the one before it."""
    packages = queries.packages(product_type)
    return [
        Offer(package, _highlights(package, before), _prices(package))
        for package, before in zip(packages, [None, *packages], strict=False)
    ]


def from_prices() -> FromPrices:
    return FromPrices(_lowest("saas"), _lowest("private"))


def comparison(packages: list[Package]) -> list[tuple[str, list[Row]]]:
    """The table of all packages, in groups of rows; a row's cells are words, or True and False for a mark."""
    return [
        ("额度", _limits(packages)),
        ("功能与服务", [_row(feature, packages, _includes(feature)) for feature in _all_features(packages)]),
        ("支持", _support(packages)),
    ]


def fingerprint() -> Hashable:
    """Changes with everything of the catalogue that a page may show."""
    rows = [
        (
            p.code, p.name, p.tagline, p.price, p.max_users, p.storage_gb, tuple(p.features), p.recommended,
            p.ticket_hours, p.phone_support, p.remote_assists, p.dedicated_support,
        )
        for product_type in ("saas", "private")
        for p in queries.packages(product_type)
    ]  # fmt: skip
    return tuple(rows), tuple((duration.months, duration.rate) for duration in queries.durations())


def _highlights(package: Package, before: Package | None) -> list[str]:
    if before is None or not set(before.features) <= set(package.features):
        return list(package.features)
    added = [feature for feature in package.features if feature not in before.features]
    return [f"{before.name}的全部内容", *added]


def _prices(package: Package) -> list[Price]:
    if package.product_type == "private":
        return [_price(quote(package, 1))]
    return [_price(quote(package, duration.months)) for duration in queries.durations()]


def _price(quoted: Quote) -> Price:
    month = quoted.unit_price * quoted.discount_rate
    return Price(quoted.months, f"{month.normalize():,f}", quoted.actual_price, quoted.saving)


def _lowest(product_type: str) -> Decimal | None:
    return min((package.price for package in queries.packages(product_type)), default=None)


def _limits(packages: list[Package]) -> list[Row]:
    rows = [_row("用户数", packages, lambda p: "不限" if p.max_users is None else f"{p.max_users} 人")]
    if any(p.storage_gb is not None for p in packages):
        rows.append(_row("存储空间", packages, lambda p: "不限" if p.storage_gb is None else f"{p.storage_gb} GB"))
    return rows


def _support(packages: list[Package]) -> list[Row]:
    return [
        _row("在线文档", packages, lambda _: True),
        _row("在线客服", packages, lambda _: True),
        _row("工单响应", packages, lambda p: f"{p.ticket_hours} 小时"),
        _row("电话支持", packages, lambda p: p.phone_support or False),
        _row("远程协助", packages, _remote_assists),
        _row("专属客服", packages, lambda p: p.dedicated_support),
    ]


def _remote_assists(package: Package) -> Cell:
    if package.remote_assists is None:
        return "不限次数"
    return f"{package.remote_assists} 次/年" if package.remote_assists else False


def _all_features(packages: list[Package]) -> list[str]:
    """Every feature once, in the order in which the packages bring them; support has rows of its own."""
    seen = dict.fromkeys(feature for package in packages for feature in package.features)
    return [feature for feature in seen if feature != "专属客服"]


def _includes(feature: str) -> Callable[[Package], Cell]:
    return lambda package: feature in package.features


def _row(name: str, packages: list[Package], cell: Callable[[Package], Cell]) -> Row:
    return name, [cell(package) for package in packages]
