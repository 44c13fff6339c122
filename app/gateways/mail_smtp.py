"""E-mail over SMTP: one connection a message, TLS wherever a password or the open network is involved."""

from __future__ import annotations

import hashlib
import ipaddress
import smtplib
import ssl
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from urllib.parse import parse_qs, unquote, urlsplit

import structlog

from app.core import clock
from app.notifications.ports import MailSender, ProviderDown, ProviderRefused

log = structlog.get_logger(__name__)

TIMEOUT = 10.0  # seconds, for each step of the conversation


@dataclass(frozen=True, slots=True)
class SmtpAddress:
    """SMTP_URL taken apart: ``smtp://user:password@host:587`` (STARTTLS) or ``smtps://…:465`` (TLS from the start).

    ``?starttls=no`` allows plain text to a relay of one's own network; to this machine plain text is always allowed.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    is_tls: bool = False
    may_be_plain: bool = False

    @classmethod
    def parse(cls, url: str) -> SmtpAddress:
        """Raises ValueError with a sentence that names what is wrong."""
        parts = urlsplit(url)
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise ValueError("SMTP_URL must look like smtp://user:password@host:587 or smtps://user:password@host:465.")
        is_tls = parts.scheme == "smtps"
        return cls(
            parts.hostname,
            parts.port or (465 if is_tls else 587),
            unquote(parts.username or ""),
            unquote(parts.password or ""),
            is_tls,
            parse_qs(parts.query).get("starttls") == ["no"] or _is_this_machine(parts.hostname),
        )


class SmtpMail(MailSender):
    """``mail_from`` is an address with or without a name; ``tls`` replaces the system's trust, for tests."""

    def __init__(self, smtp_url: str, mail_from: str, tls: ssl.SSLContext | None = None):
        self._server = SmtpAddress.parse(smtp_url)
        self._from = _address(*parseaddr(mail_from))
        self._tls = tls

    def send(self, message_id: str, to: str, subject: str, text: str, html: str) -> str:
        """Send one message; gives its Message-ID, which is the same for the same ``message_id``.

        After a lost connection nobody knows whether the message went out; a second copy bears the same Message-ID,
        by which mailboxes recognise it. Raises ProviderDown or ProviderRefused.
        """
        message = self._written(message_id, to, subject, text, html)
        try:
            with self._connected() as connection:
                connection.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            raise _judged(max(code for code, _ in error.recipients.values())) from error
        except smtplib.SMTPAuthenticationError as error:
            # The message is not at fault: it goes out once the setting is right.
            log.error("smtp_login_refused", code=error.smtp_code)
            raise ProviderDown("the mail server refuses our login") from error
        except smtplib.SMTPResponseException as error:
            raise _judged(error.smtp_code) from error
        except smtplib.SMTPNotSupportedError as error:
            raise ProviderRefused("the mail server can not carry this address") from error
        except (smtplib.SMTPException, OSError) as error:
            raise ProviderDown(f"no conversation with the mail server ({type(error).__name__})") from error
        return str(message["Message-ID"])

    def _connected(self) -> smtplib.SMTP:
        server, tls = self._server, self._tls or ssl.create_default_context()
        connection: smtplib.SMTP
        if server.is_tls:
            connection = smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT, context=tls)
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT)
        try:
            self._secure(connection, tls)
            if server.user:
                connection.login(server.user, server.password)
        except BaseException:
            connection.close()
            raise
        return connection

    def _secure(self, connection: smtplib.SMTP, tls: ssl.SSLContext) -> None:
        connection.ehlo()
        if self._server.is_tls:
            return
        if connection.has_extn("starttls"):
            connection.starttls(context=tls)
            connection.ehlo()
        elif not self._server.may_be_plain:
            # Somebody between us and the server may have taken the offer out.
            raise ProviderDown("the mail server offers no STARTTLS; plain text needs ?starttls=no in SMTP_URL")

    def _written(self, message_id: str, to: str, subject: str, text: str, html: str) -> EmailMessage:
        """The message. Headers are built from parsed addresses and one-line texts, so nothing can add a header."""
        message = EmailMessage(policy=SMTP)
        try:
            message["From"] = self._from
            message["To"] = _address("", to)
            message["Subject"] = " ".join(subject.split())
            message["Date"] = format_datetime(clock.now())
            message["Message-ID"] = _message_id(message_id, self._from.domain)
            message["Auto-Submitted"] = "auto-generated"
            message.set_content(text, cte="base64")
            if html:
                message.add_alternative(html, subtype="html", cte="base64")
        except (ValueError, MessageError, UnicodeError, IndexError) as error:
            raise ProviderRefused("the message can not be written") from error
        return message


def _message_id(message_id: str, domain: str) -> str:
    return f"<{hashlib.sha256(message_id.encode()).hexdigest()[:40]}@{domain}>"


def _address(name: str, spec: str) -> Address:
    """One address, its domain in ASCII; ValueError for a list, a line break, or no address at all."""
    local, mark, domain = spec.rpartition("@")
    if not (local and mark and domain) or any(sign in ",;<>" or sign.isspace() for sign in spec):
        raise ValueError("not one e-mail address")
    return Address(name, local, domain.encode("idna").decode("ascii"))


def _judged(code: int) -> ProviderDown | ProviderRefused:
    """4xx is "not now" (greylisting, a full queue), 5xx is "never"."""
    return ProviderRefused(f"status {code}") if code >= 500 else ProviderDown(f"status {code}")


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
