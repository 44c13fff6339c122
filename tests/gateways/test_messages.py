"""Messages reach the sandbox's inbox once, or a real mail server over SMTP, and headers can not be smuggled in."""

from __future__ import annotations

import email
import email.policy
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from app.gateways.mail_sandbox import SandboxMail
from app.gateways.mail_smtp import SmtpAddress, SmtpMail
from app.gateways.sms_sandbox import SandboxSms
from app.notifications.ports import ProviderDown, ProviderRefused

# The inbox


def test_an_sms_is_kept_as_its_reader_would_see_it(tmp_path, sandbox):
    sandbox.inbox.deliver_sms("m1", "13800138000", "【云客CRM】验证码 123456", "sms_code")

    message = sandbox.inbox.list_messages("13800138000")[0]

    assert (message.kind, message.to, message.text) == ("sms", "13800138000", "【云客CRM】验证码 123456")
    assert message.template == "sms_code"
    assert message.at.tzinfo is UTC


def test_the_newest_message_stands_first_and_each_reader_has_his_own(sandbox):
    for number in range(5):
        sandbox.inbox.deliver_sms(f"a{number}", "13800138000", str(number))
        sandbox.inbox.deliver_mail(f"b{number}", "li@example.com", f"主题{number}", "文", "<p>文</p>")

    assert [one.text for one in sandbox.inbox.list_messages("13800138000", limit=2)] == ["4", "3"]
    assert {one.kind for one in sandbox.inbox.list_messages("li@example.com")} == {"mail"}
    assert len(sandbox.inbox.list_messages()) == 10
    assert len(sandbox.inbox.list_messages(kind="sms")) == 5


def test_the_same_message_is_kept_once_however_often_it_is_sent(sandbox):
    with ThreadPoolExecutor(8) as threads:
        ids = set(threads.map(lambda _: sandbox.inbox.deliver_sms("once", "13800138000", "一次"), range(16)))

    assert len(ids) == 1
    assert len(sandbox.inbox.list_messages("13800138000")) == 1


def test_the_adapters_of_the_sandbox_put_everything_into_the_inbox(world, sandbox):
    sms, mail = SandboxSms(world.instance), SandboxMail(world.instance)

    assert sms.send("s1", "13800138000", "短信", "welcome", {"code": "1"}) == sms.send(
        "s1", "13800138000", "x", "y", {}
    )
    assert mail.send("m1", "li@example.com", "主题", "文本", "<b>文</b>")

    kept = {one.message_id: one for one in sandbox.inbox.list_messages()}
    assert kept["s1"].text == "短信"
    assert (kept["m1"].subject, kept["m1"].html) == ("主题", "<b>文</b>")


# SMTP


class Postbox:
    """A mail server's memory, and how it answers."""

    def __init__(self):
        self.letters, self.logins, self.answer = [], [], {}

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - aiosmtpd's name
        if "rcpt" in self.answer:
            return self.answer["rcpt"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        if "data" in self.answer:
            return self.answer["data"]
        self.letters.append((envelope.rcpt_tos, envelope.content, session.ssl is not None))
        return "250 OK"

    def authenticate(self, server, session, envelope, mechanism, data):
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"p@ss:word/", handled=False)

    def last(self):
        return email.message_from_bytes(self.letters[-1][1], policy=email.policy.default)


@pytest.fixture
def postbox():
    return Postbox()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for localhost and the trust in it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return server, ssl.create_default_context(cafile=str(folder / "cert.pem"))


class WithStartTls(Controller):
    def __init__(self, *arguments, tls=None, **more):
        super().__init__(*arguments, **more)
        self._tls = tls

    def factory(self):
        return SMTP(self.handler, tls_context=self._tls, **self.SMTP_kwargs)

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def server(postbox):
    """Start a mail server of a kind; gives its port."""
    running = []

    def start(**options):
        controller = WithStartTls(postbox, hostname="127.0.0.1", port=0, **options)
        controller.start()
        running.append(controller)
        return controller.port

    yield start
    for controller in running:
        controller.stop()


SENDER = "云客CRM <no-reply@yunke-crm.com>"


def test_a_message_arrives_with_both_parts_and_a_number_of_its_own(server, postbox):
    mail = SmtpMail(f"smtp://127.0.0.1:{server()}", SENDER)

    said = mail.send("message-1", "li@example.com", "云客CRM 已开通", "授权码\n请登录", "<p>授权码</p>")

    message = postbox.last()
    assert postbox.letters[0][0] == ["li@example.com"]
    assert message["Message-ID"] == said
    assert message["Subject"] == "云客CRM 已开通"
    assert str(message["From"]) == SENDER
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_body(("plain",)).get_content().splitlines() == ["授权码", "请登录"]
    assert message.get_body(("html",)).get_content().strip() == "<p>授权码</p>"


def test_the_same_message_bears_the_same_number_and_another_one_another(server):
    mail = SmtpMail(f"smtp://127.0.0.1:{server()}", SENDER)

    first, again, other = (mail.send(number, "li@example.com", "s", "t", "") for number in ("m1", "m1", "m2"))

    assert first == again != other
    assert first.endswith("@yunke-crm.com>")


@pytest.mark.parametrize(
    "subject", ["a\r\nBcc: spy@example.com", "a\nBcc: spy@example.com", "a\r\n\r\nbody", "\r\n", "长" * 400, ""]
)
def test_a_subject_can_not_become_another_header(server, postbox, subject):
    SmtpMail(f"smtp://127.0.0.1:{server()}", SENDER).send("m", "li@example.com", subject, "t", "")

    assert postbox.letters[0][0] == ["li@example.com"]
    assert postbox.last()["Bcc"] is None
    assert postbox.last()["Subject"] == " ".join(subject.split())


@pytest.mark.parametrize(
    "to",
    [
        "li@example.com\r\nBcc: spy@example.com",
        "li@example.com, spy@example.com",
        "li@example.com;spy@example.com",
        "nobody",
        "@example.com",
        "li@",
        "",
        "<li@example.com>",
        "li@exa mple.com",
        "li@" + "a" * 70 + ".com",
    ],
)
def test_what_is_not_one_address_is_refused(postbox, to):
    with pytest.raises(ProviderRefused):
        SmtpMail("smtp://localhost:1", SENDER).send("m", to, "s", "t", "")


def test_a_chinese_domain_is_written_in_ascii(server, postbox):
    SmtpMail(f"smtp://127.0.0.1:{server()}", SENDER).send("m", "li@例子.中国", "s", "t", "")

    assert postbox.letters[0][0] == ["li@xn--fsqu00a.xn--fiqs8s"]


def test_starttls_is_taken_before_the_password_is_said(server, postbox, certificate):
    theirs, ours = certificate
    port = server(tls=theirs, authenticator=postbox.authenticate, auth_required=True)

    SmtpMail(f"smtp://user%40x:p%40ss%3Aword%2F@127.0.0.1:{port}", SENDER, ours).send(
        "m", "li@example.com", "s", "t", ""
    )

    assert postbox.logins == [("user@x", "p@ss:word/")]
    assert postbox.letters[0][2] is True


def test_smtps_is_tls_from_the_first_byte(postbox, certificate, server):
    theirs, ours = certificate
    port = server(ssl_context=theirs)

    SmtpMail(f"smtps://127.0.0.1:{port}", SENDER, ours).send("m", "li@example.com", "s", "t", "")

    assert len(postbox.letters) == 1


def test_a_server_nobody_vouches_for_hears_nothing(server, postbox, certificate):
    port = server(tls=certificate[0], authenticator=postbox.authenticate)

    with pytest.raises(ProviderDown):
        SmtpMail(f"smtp://u:p@127.0.0.1:{port}", SENDER).send("m", "li@example.com", "s", "t", "")

    assert postbox.logins == []
    assert postbox.letters == []


def test_a_foreign_server_that_offers_no_tls_hears_nothing(server, postbox, monkeypatch):
    port = server()
    monkeypatch.setattr("app.gateways.mail_smtp._is_this_machine", lambda _host: False)

    with pytest.raises(ProviderDown):
        SmtpMail(f"smtp://u:p@127.0.0.1:{port}", SENDER).send("m", "li@example.com", "s", "t", "")

    assert postbox.letters == []
    SmtpMail(f"smtp://127.0.0.1:{port}?starttls=no", SENDER).send("m", "li@example.com", "s", "t", "")
    assert len(postbox.letters) == 1


def test_a_wrong_password_is_our_fault_and_the_message_waits(server, postbox, certificate):
    port = server(tls=certificate[0], authenticator=postbox.authenticate)

    with pytest.raises(ProviderDown):
        SmtpMail(f"smtp://u:wrong@127.0.0.1:{port}", SENDER, certificate[1]).send("m", "li@example.com", "s", "t", "")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"rcpt": "450 greylisted"}, ProviderDown),
        ({"rcpt": "550 no such user"}, ProviderRefused),
        ({"data": "451 try later"}, ProviderDown),
        ({"data": "552 too large"}, ProviderRefused),
    ],
)
def test_not_now_and_never_are_told_apart(server, postbox, answer, expected):
    postbox.answer = answer

    with pytest.raises(expected):
        SmtpMail(f"smtp://127.0.0.1:{server()}", SENDER).send("m", "li@example.com", "s", "t", "")


def test_nobody_listening_is_down():
    with pytest.raises(ProviderDown):
        SmtpMail("smtp://127.0.0.1:9", SENDER).send("m", "li@example.com", "s", "t", "")


@pytest.mark.parametrize("url", ["", "localhost:25", "http://localhost", "smtp://", "smtp://host:port"])
def test_an_address_of_no_server_is_told_at_the_start(url):
    with pytest.raises(ValueError):
        SmtpAddress.parse(url)


def test_a_password_is_not_shown():
    assert "secret" not in repr(SmtpAddress.parse("smtp://u:secret@mail.example.com"))
