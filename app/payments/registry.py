"""The payment gateways of this installation, by name; the assembly fills it."""

from __future__ import annotations

from collections.abc import Mapping

from app.core.errors import NotFound
from app.payments.ports import PaymentGateway, WalletIdentity

_gateways: dict[str, PaymentGateway] = {}


def use(gateways: Mapping[str, PaymentGateway]) -> None:
    _gateways.clear()
    _gateways.update(gateways)


_identity: WalletIdentity | None = None


def use_identity(identity: WalletIdentity | None) -> None:
    global _identity
    _identity = identity


def wechat_identity() -> WalletIdentity | None:
    """How to learn an openid inside WeChat; None where no official account is set up."""
    return _identity


def get(name: str) -> PaymentGateway:
    """The gateway called ``name``; raises NotFound for one that this installation has not."""
    try:
        return _gateways[name]
    except KeyError:
        raise NotFound("没有这种支付方式。") from None


def names() -> list[str]:
    return list(_gateways)
