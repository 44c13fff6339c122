"""The sandbox's keys: made once per installation, kept in one file only its owner reads, never in the repository."""

from __future__ import annotations

import json
import os
import secrets
import string
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256

WECHATPAY_VARIABLES = (
    "WECHATPAY_GATEWAY",
    "WECHATPAY_MCHID",
    "WECHATPAY_APPID",
    "WECHATPAY_SERIAL_NO",
    "WECHATPAY_PRIVATE_KEY",
    "WECHATPAY_APIV3_KEY",
    "WECHATPAY_PUBLIC_KEY",
    "WECHATPAY_PUBLIC_KEY_ID",
)
ALIPAY_VARIABLES = ("ALIPAY_GATEWAY", "ALIPAY_APP_ID", "ALIPAY_SELLER_ID", "ALIPAY_PRIVATE_KEY", "ALIPAY_PUBLIC_KEY")


@dataclass(frozen=True, repr=False)
class SandboxKeys:
    """Both sides' keys, PEM texts: the counterparts use the gateways' halves, the product is given the merchant's."""

    mchid: str
    appid: str
    apiv3_key: str
    merchant_private_key: str
    merchant_certificate: str
    platform_private_key: str
    platform_certificate: str
    wechat_private_key: str  # signs in public-key mode
    wechat_public_key_id: str
    alipay_app_id: str
    alipay_seller_id: str
    alipay_app_private_key: str
    alipay_private_key: str  # Alipay's own: signs answers and notices

    @cached_property
    def merchant_serial(self) -> str:
        return serial_of(self.merchant_certificate)

    @cached_property
    def platform_serial(self) -> str:
        return serial_of(self.platform_certificate)

    @cached_property
    def merchant_public(self) -> rsa.RSAPublicKey:
        return private(self.merchant_private_key).public_key()

    @cached_property
    def alipay_app_public(self) -> rsa.RSAPublicKey:
        return private(self.alipay_app_private_key).public_key()

    @cached_property
    def platform_signer(self) -> rsa.RSAPrivateKey:
        return private(self.platform_private_key)

    @cached_property
    def wechat_signer(self) -> rsa.RSAPrivateKey:
        return private(self.wechat_private_key)

    @cached_property
    def alipay_signer(self) -> rsa.RSAPrivateKey:
        return private(self.alipay_private_key)


def ensure_keys(
    instance_path: Path,
    *,
    public_url: str = "http://127.0.0.1:8000",
    sandbox_port: int = 8001,
    key_mode: str = "public_key",
    given: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The environment variables (SPEC §2) that lead the product to the sandbox; makes the keys on first use.

    A provider for which ``given`` already names any variable gives way as a whole: its real gateway is meant.
    ``key_mode`` "certificate" leaves WeChat Pay's public key out, so that platform certificates are used.
    """
    given = given or {}
    keys = load_keys(instance_path)
    variables: dict[str, str] = {}
    if not any(given.get(name) for name in WECHATPAY_VARIABLES):
        variables |= _wechat_variables(keys, f"http://127.0.0.1:{sandbox_port}", key_mode)
    if not any(given.get(name) for name in ALIPAY_VARIABLES):
        variables |= _alipay_variables(keys, f"{public_url.rstrip('/')}/sandbox/alipay/gateway.do")
    return variables


def load_keys(instance_path: Path) -> SandboxKeys:
    """The keys of this installation; of several processes that make them at once, one wins and all use its keys."""
    path = instance_path / "sandbox" / "keys.json"
    if not path.exists():
        _keep(path, make_keys())
    kept = json.loads(path.read_text("utf-8"))
    names = {field.name for field in fields(SandboxKeys)}
    return SandboxKeys(**{name: value for name, value in kept.items() if name in names})


def make_keys() -> SandboxKeys:
    """New keys and numbers that look like the providers' own."""
    merchant, platform = _new_key(), _new_key()
    mchid = "19" + _digits(8)
    return SandboxKeys(
        mchid=mchid,
        appid="wx" + secrets.token_hex(8),
        apiv3_key="".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(32)),
        merchant_private_key=_pem(merchant),
        merchant_certificate=make_certificate(merchant, mchid),
        platform_private_key=_pem(platform),
        platform_certificate=make_certificate(platform, "Tenpay.com sandbox"),
        wechat_private_key=_pem(_new_key()),
        wechat_public_key_id=f"PUB_KEY_ID_01{mchid}{datetime.now(UTC):%Y%m%d}{_digits(12)}",
        alipay_app_id="2021" + _digits(12),
        alipay_seller_id="2088" + _digits(12),
        alipay_app_private_key=_pem(_new_key()),
        alipay_private_key=_pem(_new_key()),
    )


def make_certificate(key: rsa.RSAPrivateKey, name: str) -> str:
    """A self-signed certificate, five years long as WeChat Pay's are, with a serial of 40 hex digits."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    begin = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1 << 156 | secrets.randbits(156))
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=5 * 365))
        .sign(key, SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


@lru_cache(maxsize=32)
def private(pem: str) -> rsa.RSAPrivateKey:
    """Read a key of ours; checking one takes 40 ms, and several parts of the sandbox ask for the same."""
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def public_of(private_pem: str) -> str:
    """The public half of a private key, PEM."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private(private_pem).public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def serial_of(certificate_pem: str) -> str:
    """40 upper-case hex digits, as WeChat Pay writes serials."""
    return f"{x509.load_pem_x509_certificate(certificate_pem.encode()).serial_number:040X}"


def _wechat_variables(keys: SandboxKeys, gateway: str, key_mode: str) -> dict[str, str]:
    variables = {
        "WECHATPAY_GATEWAY": gateway,
        "WECHATPAY_MCHID": keys.mchid,
        "WECHATPAY_APPID": keys.appid,
        "WECHATPAY_SERIAL_NO": keys.merchant_serial,
        "WECHATPAY_PRIVATE_KEY": keys.merchant_private_key,
        "WECHATPAY_APIV3_KEY": keys.apiv3_key,
    }
    if key_mode == "public_key":
        variables["WECHATPAY_PUBLIC_KEY"] = public_of(keys.wechat_private_key)
        variables["WECHATPAY_PUBLIC_KEY_ID"] = keys.wechat_public_key_id
    return variables


def _alipay_variables(keys: SandboxKeys, gateway: str) -> dict[str, str]:
    return {
        "ALIPAY_GATEWAY": gateway,
        "ALIPAY_APP_ID": keys.alipay_app_id,
        "ALIPAY_SELLER_ID": keys.alipay_seller_id,
        "ALIPAY_PRIVATE_KEY": keys.alipay_app_private_key,
        "ALIPAY_PUBLIC_KEY": public_of(keys.alipay_private_key),
    }


def _keep(path: Path, keys: SandboxKeys) -> None:
    """Write the file whole and only if nobody was faster: a link, unlike a rename, does not replace."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".keys-")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(keys), file, indent=1)
        try:
            os.link(name, path)
        except FileExistsError:
            return
    finally:
        Path(name).unlink()


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem(key: rsa.RSAPrivateKey) -> str:
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, plain).decode()


def _digits(count: int) -> str:
    return "".join(secrets.choice(string.digits) for _ in range(count))
