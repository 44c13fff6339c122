"""Every setting of the product, read once from the environment and ``.env``, typed, checked at start.

SPEC §2 fixes the names. This file is the one list of them and of their defaults.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent


class ConfigurationError(RuntimeError):
    """The product can not start with these settings; the message says which one and what to do."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True, populate_by_name=True
    )

    # Where things are
    instance_path: Path = Field(
        ROOT / "instance", alias="INSTANCE_PATH", description="files that belong to this installation"
    )
    database_url: str = Field("", alias="DATABASE_URL", description="default: SQLite in the instance folder")
    database_replica_url: str = Field("", alias="DATABASE_REPLICA_URL", description="read replica; empty: none")
    redis_url: str = Field("", alias="REDIS_URL", description="default: the embedded Valkey of `make run`")
    port: int = Field(8000, alias="PORT", ge=1, le=65535)
    public_url: str = Field("", alias="PUBLIC_URL", description="default: http://127.0.0.1:PORT")
    edition: Literal["cloud", "private"] = Field("cloud", alias="EDITION")

    # Secrets
    secret_key: str = Field("", alias="SECRET_KEY", description="signs sessions and links; 32 characters or more")
    field_key: str = Field("", alias="FIELD_KEY", description="encrypts fields; several, newest first, comma-separated")
    tenant_admin_password: str = Field(
        "", alias="TENANT_ADMIN_PASSWORD", description="fixed first password of new tenants; empty: random"
    )
    license_private_key: str = Field(
        "", alias="LICENSE_PRIVATE_KEY", description="Ed25519 PEM (or a path) that signs licence certificates"
    )

    # The sandbox: local gateways, SMS and mail, demo data
    sandbox: bool = Field(False, alias="SANDBOX")
    sandbox_port: int = Field(0, alias="SANDBOX_PORT", description="loopback port of the sandbox gateways; 0: PORT + 1")
    sandbox_speed_up: float = Field(
        1.0,
        alias="SANDBOX_SPEED_UP",
        gt=0,
        description="divides the sandbox's documented intervals (repeats of notices)",
    )

    # WeChat Pay
    wechatpay_gateway: str = Field("", alias="WECHATPAY_GATEWAY", description="default: https://api.mch.weixin.qq.com")
    wechatpay_mchid: str = Field("", alias="WECHATPAY_MCHID")
    wechatpay_appid: str = Field("", alias="WECHATPAY_APPID")
    wechatpay_serial_no: str = Field("", alias="WECHATPAY_SERIAL_NO")
    wechatpay_private_key: str = Field("", alias="WECHATPAY_PRIVATE_KEY")
    wechatpay_apiv3_key: str = Field("", alias="WECHATPAY_APIV3_KEY")
    wechatpay_public_key: str = Field(
        "", alias="WECHATPAY_PUBLIC_KEY", description="with its id absent too: platform-certificate mode"
    )
    wechatpay_public_key_id: str = Field("", alias="WECHATPAY_PUBLIC_KEY_ID")

    # The official account's silent log-in, for payments inside WeChat (JSAPI); without it one scans there
    wechat_app_secret: str = Field("", alias="WECHAT_APP_SECRET", description="of WECHATPAY_APPID's official account")
    wechat_authorize_url: str = Field("", alias="WECHAT_AUTHORIZE_URL", description="default: open.weixin.qq.com's")
    wechat_api: str = Field("", alias="WECHAT_API", description="default: https://api.weixin.qq.com")

    # Alipay
    alipay_gateway: str = Field(
        "", alias="ALIPAY_GATEWAY", description="default: https://openapi.alipay.com/gateway.do"
    )
    alipay_app_id: str = Field("", alias="ALIPAY_APP_ID")
    alipay_seller_id: str = Field("", alias="ALIPAY_SELLER_ID")
    alipay_private_key: str = Field("", alias="ALIPAY_PRIVATE_KEY")
    alipay_public_key: str = Field("", alias="ALIPAY_PUBLIC_KEY")

    # Mail
    smtp_url: str = Field("", alias="SMTP_URL", description="smtp://user:password@host:587 or smtps://…")
    mail_from: str = Field("云客CRM <no-reply@yunke-crm.com>", alias="MAIL_FROM")

    # Our own sales
    vendor_tenant: str = Field(
        "", alias="VENDOR_TENANT", description="code of the tenant that takes the site's own leads; sandbox: the demo's"
    )

    # Processes
    web_processes: int = Field(2, alias="WEB_PROCESSES", ge=1, le=64)
    log_format: Literal["console", "json"] = Field("json", alias="LOG_FORMAT")
    metrics_token: str = Field(
        "", alias="METRICS_TOKEN", description="bearer token for /metrics from elsewhere; empty: this machine only"
    )
    trusted_proxies: int = Field(
        0, alias="TRUSTED_PROXIES", ge=0, le=5, description="reverse proxies whose X-Forwarded-* are believed"
    )
    password_rounds: int = Field(
        12, alias="PASSWORD_ROUNDS", ge=4, le=16, description="bcrypt cost; 12 or more outside tests"
    )

    @field_validator("*", mode="before")
    @classmethod
    def _blank_is_the_default(cls, value: object, info: ValidationInfo) -> object:
        """``SANDBOX=`` unsets a setting, as operators expect; pydantic would refuse it."""
        return cls.model_fields[str(info.field_name)].default if value == "" else value

    @field_validator("public_url")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @property
    def is_secure(self) -> bool:
        """Whether cookies may insist on HTTPS."""
        return self.public_url.startswith("https://")


def load(**overrides: object) -> Settings:
    """Read, complete and check the settings; raises ConfigurationError with a sentence that names what is missing."""
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        names = "; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(f"These settings can not be read: {names}") from error
    settings = _completed(settings)
    _check(settings)
    return settings


def read_key(value: str) -> str:
    """A key setting is a PEM text or a path to one (SPEC §2); gives the text."""
    if not value or value.lstrip().startswith("-----BEGIN"):
        return value
    if "\\n" in value and "-----BEGIN" in value:
        return value.replace("\\n", "\n")
    path = Path(value).expanduser()
    try:
        return path.read_text("utf-8") if path.is_file() else value
    except OSError as error:
        raise ConfigurationError(f"The key file {path} can not be read: {error.strerror}") from error


def _completed(settings: Settings) -> Settings:
    given: dict[str, object] = {}
    if not settings.database_url:
        given["database_url"] = f"sqlite:///{settings.instance_path / 'yunke.db'}"
    else:
        given["database_url"] = _with_driver(settings.database_url)
    if not settings.public_url:
        given["public_url"] = f"http://127.0.0.1:{settings.port}"
    if not settings.redis_url:
        given["redis_url"] = f"unix://{settings.instance_path / 'valkey.sock'}"
    if not settings.sandbox_port:
        given["sandbox_port"] = settings.port + 1 if settings.port < 65535 else settings.port - 1
    if settings.sandbox:
        # Secrets of the sandbox are made on first use and stay in the instance folder, never in the repository.
        if not settings.secret_key:
            given["secret_key"] = _kept_secret(settings.instance_path / "secret_key")
        if not settings.vendor_tenant:
            given["vendor_tenant"] = "TENANT-DEMO-DEMO-DEMO-DEMO"
        if not settings.field_key:
            given["field_key"] = _kept_secret(settings.instance_path / "field_key")
    for name in (
        "wechatpay_private_key",
        "wechatpay_public_key",
        "alipay_private_key",
        "alipay_public_key",
        "license_private_key",
    ):
        given[name] = read_key(getattr(settings, name))
    return settings.model_copy(update=given)


def _with_driver(url: str) -> str:
    """The database URL with the drivers that we ship: people write postgres:// and mysql://."""
    for short, full in (
        ("postgres://", "postgresql+psycopg://"),
        ("postgresql://", "postgresql+psycopg://"),
        ("mysql://", "mysql+pymysql://"),
        ("mariadb://", "mariadb+pymysql://"),
    ):
        if url.startswith(short):
            url = full + url[len(short) :]
    if "+pymysql" in url and "charset=" not in url:
        url += ("&" if "?" in url else "?") + "charset=utf8mb4"
    return url


def _kept_secret(path: Path) -> str:
    """A secret that is made once and kept in a file only its owner can read.

    It appears whole or not at all; of two processes that make it at once, one wins and both use its secret.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(48))
        with suppress(FileExistsError):
            os.link(draft, path)
        Path(draft).unlink()
    return path.read_text("utf-8").strip()


_WECHAT = ("WECHATPAY_MCHID", "WECHATPAY_APPID", "WECHATPAY_SERIAL_NO", "WECHATPAY_PRIVATE_KEY", "WECHATPAY_APIV3_KEY")
_ALIPAY = ("ALIPAY_APP_ID", "ALIPAY_SELLER_ID", "ALIPAY_PRIVATE_KEY", "ALIPAY_PUBLIC_KEY")


def _check(settings: Settings) -> None:
    missing = _absent(settings, ("SECRET_KEY", "FIELD_KEY"))
    for names, extra in ((_WECHAT, "WECHATPAY_GATEWAY"), (_ALIPAY, "ALIPAY_GATEWAY")):
        # In the sandbox a gateway of which nothing is given is the local one; of which something is given, all is needed.
        is_given = len(_absent(settings, (*names, extra))) <= len(names)
        if settings.edition == "cloud" and (not settings.sandbox or is_given):
            missing += _absent(settings, names)
    if settings.edition == "cloud" and not settings.sandbox:
        missing += _absent(settings, ("SMTP_URL", "LICENSE_PRIVATE_KEY"))
    if missing:
        raise ConfigurationError(
            f"These settings are missing: {', '.join(missing)}. Set them in the environment or in .env, "
            "or set SANDBOX=1 to try the product with local gateways."
        )
    if bool(settings.wechatpay_public_key) != bool(settings.wechatpay_public_key_id):
        raise ConfigurationError(
            "WECHATPAY_PUBLIC_KEY and WECHATPAY_PUBLIC_KEY_ID go together: set both (public-key mode) or none (platform-certificate mode)."
        )
    if settings.wechatpay_apiv3_key and len(settings.wechatpay_apiv3_key.encode()) != 32:
        raise ConfigurationError("WECHATPAY_APIV3_KEY must be exactly 32 bytes, as set on the merchant platform.")
    _check_addresses(settings)
    if len(settings.secret_key) < 32:
        raise ConfigurationError("SECRET_KEY must have 32 characters or more.")
    if any(len(key.strip()) < 32 for key in settings.field_key.split(",")):
        raise ConfigurationError("Each key in FIELD_KEY must have 32 characters or more.")
    if not settings.sandbox and settings.password_rounds < 12:
        raise ConfigurationError("PASSWORD_ROUNDS must be 12 or more.")


def _check_addresses(settings: Settings) -> None:
    for name, value, schemes in (
        ("PUBLIC_URL", settings.public_url, ("https", "http")),
        ("DATABASE_URL", settings.database_url, ("postgresql", "mysql", "mariadb", "sqlite")),
        ("REDIS_URL", settings.redis_url, ("redis", "rediss", "unix")),
    ):
        scheme, mark, rest = value.partition("://")
        if not mark or not rest or scheme.partition("+")[0] not in schemes:
            # Not the value itself: it may bear a password.
            raise ConfigurationError(f"{name} must be an address that begins with {'://, '.join(schemes)}://.")


def _absent(settings: Settings, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if not getattr(settings, name.lower())]
