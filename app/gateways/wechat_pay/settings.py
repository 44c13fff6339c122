"""What the adapter for WeChat Pay is told about the merchant."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WeChatPaySettings:
    """What the merchant platform shows; ``public_key`` and its id absent: platform-certificate mode."""

    gateway: str  # base URL without a path
    mchid: str
    appid: str
    serial_no: str  # of the merchant's API certificate
    private_key: str = field(repr=False)  # PEM
    apiv3_key: str = field(repr=False)  # 32 characters
    notify_url: str
    refund_notify_url: str
    public_key: str | None = field(default=None, repr=False)  # PEM
    public_key_id: str | None = None
