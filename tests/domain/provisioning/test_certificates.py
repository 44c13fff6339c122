"""Licence certificates: what we sign can be proven without us, and changed by nobody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from app.core.errors import Invalid
from app.gateways.sandbox.keys import make_keys
from app.provisioning import certificates, keys
from app.provisioning.models import License


@pytest.fixture
def signing() -> Iterator[str]:
    """Our key of today; gives its public half."""
    before = certificates._signer
    certificates.use_key(keys.new_key())
    yield certificates.public_key()
    certificates._signer = before


def a_license(**changes: object) -> License:
    values = {
        "code": "PRIV-X2Y3-Z4A5-B6C7-D8E9",
        "name": "杭州青禾商贸有限公司",
        "package_code": "pro",
        "package_name": "专业版",
        "license_type": "perpetual",
        "max_users": 200,
        "features": ["客户管理", "API接口"],
        "issued_on": date(2026, 6, 18),
        "maintenance_until": date(2027, 6, 18),
    }
    return License(**(values | changes))


def test_a_certificate_says_what_was_bought(signing: str) -> None:
    text = certificates.sign_certificate(a_license())

    claims = certificates.verify(text, signing)

    assert claims.license == "PRIV-X2Y3-Z4A5-B6C7-D8E9"
    assert claims.customer == "杭州青禾商贸有限公司"
    assert (claims.package, claims.max_users, claims.type) == ("pro", 200, "perpetual")
    assert (claims.issued_on, claims.maintenance_until) == (date(2026, 6, 18), date(2027, 6, 18))
    assert "用户数: 200" in text


def test_unlimited_users_are_no_number(signing: str) -> None:
    text = certificates.sign_certificate(a_license(max_users=None, maintenance_until=None))

    claims = certificates.verify(text, signing)

    assert claims.max_users is None
    assert claims.maintenance_until is None
    assert "用户数: 不限" in text


def test_one_changed_byte_anywhere_is_noticed(signing: str) -> None:
    raw = certificates.sign_certificate(a_license()).encode()

    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 0x01
        with pytest.raises(Invalid):
            certificates.verify(changed.decode("utf-8", "replace"), signing)


def test_the_readable_head_can_not_say_more_than_the_signed_claims(signing: str) -> None:
    text = certificates.sign_certificate(a_license()).replace("用户数: 200", "用户数: 2000")

    with pytest.raises(Invalid, match="改动"):
        certificates.verify(text, signing)


def test_line_ends_of_windows_and_a_byte_order_mark_do_no_harm(signing: str) -> None:
    text = certificates.sign_certificate(a_license())

    assert certificates.verify("\ufeff" + text.replace("\n", "\r\n") + "\r\n", signing)


def test_a_stranger_who_signs_himself_is_refused(signing: str) -> None:
    certificates.use_key(keys.new_key())
    forged = certificates.sign_certificate(a_license())

    with pytest.raises(Invalid):
        certificates.verify(forged, signing)


def test_old_certificates_stay_valid_after_a_rotation(signing: str) -> None:
    old = certificates.sign_certificate(a_license())
    certificates.use_key(keys.new_key())
    new = certificates.sign_certificate(a_license())

    for text in (old, new):
        assert certificates.verify(text, certificates.public_key(), signing)


@pytest.mark.parametrize("text", ["", "hello", "-----BEGIN YUNKE LICENSE CERTIFICATE-----", "PRIV-X2Y3-Z4A5-B6C7-D8E9"])
def test_what_is_no_certificate_is_refused_with_a_hint(signing: str, text: str) -> None:
    with pytest.raises(Invalid, match="BEGIN YUNKE"):
        certificates.verify(text, signing)


@pytest.mark.parametrize(
    "body", ["", "\n\n\n\n", "\n\n!!\n\n!!\n", "\n\ne30=\n\ne30=\n", "\n\nbnVsbA==\n\ne30=\n", "\n\nWzFd\n\ne30=\n"]
)
def test_rubbish_between_the_right_lines_is_refused(signing: str, body: str) -> None:
    text = f"-----BEGIN YUNKE LICENSE CERTIFICATE-----{body}-----END YUNKE LICENSE CERTIFICATE-----"

    with pytest.raises(Invalid, match="不完整"):
        certificates.verify(text, signing)


def test_without_a_key_nothing_is_signed(signing: str) -> None:
    certificates.use_key("")

    with pytest.raises(RuntimeError, match="LICENSE_PRIVATE_KEY"):
        certificates.sign_certificate(a_license())


@pytest.mark.parametrize(("pem", "why"), [("rubbish", "no readable private key"), ("rsa", "must be an Ed25519 key")])
def test_a_key_of_another_kind_is_named_at_the_start(signing: str, pem: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"LICENSE_PRIVATE_KEY.*{why}"):
        certificates.use_key(make_keys().merchant_private_key if pem == "rsa" else pem)


def test_the_sandboxs_key_is_made_once_and_is_its_owners_alone(tmp_path) -> None:
    first = keys.ensure_license_key(tmp_path)

    assert keys.ensure_license_key(tmp_path) == first
    assert (tmp_path / "sandbox" / "license_key.pem").stat().st_mode & 0o077 == 0
    certificates._private(first)
