"""What the adapter for Alipay is told about the merchant."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AlipaySettings:
    """What the open platform shows for one application in key mode."""

    gateway: str  # .../gateway.do, for the browser and for calls alike
    app_id: str
    seller_id: str  # 2088...
    private_key: str = field(repr=False)  # of the application
    public_key: str = field(repr=False)  # Alipay's, not the application's
    notify_url: str
    # Where calls go when that is not where the browser goes: the sandbox has its cashier in the product's own web
    # process, and a web process that calls itself waits for itself when all its threads do so at once.
    calls: str = ""
