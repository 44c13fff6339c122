"""Which adapter stands behind which port, read off the settings."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask

from app.config import ROOT, ConfigurationError, Settings
from app.crm.access import passwords
from app.crm.access import tenants as crm_tenants
from app.crm.access.home import Home
from app.crm.capture import site as capture_site
from app.gateways import mail_sandbox, mail_smtp, sms_sandbox, wechat_identity, wechat_sandbox
from app.gateways.alipay.adapter import Alipay
from app.gateways.alipay.self_test import self_test as alipay_self_test
from app.gateways.alipay.settings import AlipaySettings
from app.gateways.wechat_pay.adapter import WeChatPay
from app.gateways.wechat_pay.self_test import self_test as wechat_self_test
from app.gateways.wechat_pay.settings import WeChatPaySettings
from app.notifications import purchase, send, task_reminders
from app.orders import links
from app.payments import certificates, registry
from app.payments.ports import PaymentGateway
from app.provisioning import certificates as license_certificates
from app.provisioning import downloads, ports, releases, tenants
from app.tenant_book import PurchasedTenants

WECHATPAY_HOST = "https://api.mch.weixin.qq.com"
ALIPAY_GATEWAY = "https://openapi.alipay.com/gateway.do"


def connect(app: Flask, settings: Settings) -> None:
    registry.use(_gateways(settings) if settings.edition == "cloud" else {})
    registry.use_identity(_wechat_identity(settings))
    send.use(
        sms=_sms(settings), mail=_mail(settings), wechat=wechat_sandbox.SandboxWeChat() if settings.sandbox else None
    )
    links.use_public_url(settings.public_url)
    purchase.use_public_url(settings.public_url)
    task_reminders.use_public_url(settings.public_url)
    ports.use(Home())
    crm_tenants.use(PurchasedTenants())
    capture_site.use_tenant(settings.vendor_tenant if settings.edition == "cloud" else "")
    passwords.configure(rounds=settings.password_rounds)
    tenants.configure(first_password=settings.tenant_admin_password)
    license_certificates.use_key(settings.license_private_key)
    downloads.use_secret(settings.secret_key)
    releases.use_folders(kept_in=settings.instance_path / "releases", source=ROOT)


def _gateways(settings: Settings) -> dict[str, PaymentGateway]:
    """The payment gateways; raises ConfigurationError with all that is wrong with their keys, found without a call."""
    wechat_settings, alipay_settings = _wechat_pay(settings), _alipay(settings)
    if wrong := [*wechat_self_test(wechat_settings), *alipay_self_test(alipay_settings)]:
        raise ConfigurationError(" ".join(wrong))
    return {
        "wechat": WeChatPay(wechat_settings, certificates.DatabaseCertificates("wechat")),
        "alipay": Alipay(alipay_settings),
    }


def _wechat_pay(settings: Settings) -> WeChatPaySettings:
    return WeChatPaySettings(
        gateway=settings.wechatpay_gateway or WECHATPAY_HOST,
        mchid=settings.wechatpay_mchid,
        appid=settings.wechatpay_appid,
        serial_no=settings.wechatpay_serial_no,
        private_key=settings.wechatpay_private_key,
        apiv3_key=settings.wechatpay_apiv3_key,
        public_key=settings.wechatpay_public_key or None,
        public_key_id=settings.wechatpay_public_key_id or None,
        notify_url=f"{settings.public_url}/pay/wechat/notify",
        refund_notify_url=f"{settings.public_url}/pay/wechat/refund-notify",
    )


def _wechat_identity(settings: Settings) -> wechat_identity.WeChatIdentity | None:
    if not settings.wechat_app_secret:
        return None
    return wechat_identity.WeChatIdentity(
        appid=settings.wechatpay_appid,
        secret=settings.wechat_app_secret,
        authorize_at=settings.wechat_authorize_url or wechat_identity.AUTHORIZE_URL,
        api=(settings.wechat_api or wechat_identity.API).rstrip("/"),
    )


def _alipay(settings: Settings) -> AlipaySettings:
    gateway = alipay_door(settings.alipay_gateway or ALIPAY_GATEWAY)
    # The sandbox's cashier is a page of the web process; calls go to the sandbox's own process, or the web process
    # could come to wait for itself.
    is_own = settings.sandbox and gateway.startswith(f"{settings.public_url}/sandbox/")
    return AlipaySettings(
        gateway=gateway,
        calls=f"http://127.0.0.1:{settings.sandbox_port}/gateway.do" if is_own else "",
        app_id=settings.alipay_app_id,
        seller_id=settings.alipay_seller_id,
        private_key=settings.alipay_private_key,
        public_key=settings.alipay_public_key,
        notify_url=f"{settings.public_url}/pay/alipay/notify",
    )


def alipay_door(address: str) -> str:
    """The address of Alipay's one door, ``gateway.do``, which a base URL leaves out."""
    return address.rstrip("/") + ("" if urlsplit(address).path.strip("/") else "/gateway.do")


def _sms(settings: Settings) -> sms_sandbox.SandboxSms | send.NoProvider:
    return sms_sandbox.SandboxSms() if settings.sandbox else send.NoProvider("SMS")


def _mail(settings: Settings) -> mail_smtp.SmtpMail | mail_sandbox.SandboxMail | send.NoProvider:
    if settings.smtp_url:
        return mail_smtp.SmtpMail(settings.smtp_url, settings.mail_from)
    return mail_sandbox.SandboxMail() if settings.sandbox else send.NoProvider("mail")
