"""Signatures and seals, against the vectors that Tencent and Sina publish."""

from __future__ import annotations

import pytest

from app.crm.capture import messages, sealing
from app.crm.capture.sealing import Forged

# The example of Tencent's own libraries (WXBizMsgCrypt)
TOKEN, AES_KEY, APP_ID = "QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "wx5823bf96d3bd56c7"
SEALED = (
    "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3TUUk"
    "SUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff0ekU"
    "NXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rU"
    "PA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+"
    "qN+E7Q=="
)
ECHO = "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ=="


def test_tencents_examples_are_proven_and_opened() -> None:
    sealing.check("5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3", TOKEN, "1409659589", "263014780", ECHO)
    assert sealing.open_sealed(ECHO, AES_KEY, APP_ID) == "1616140317555161061"

    sealing.check("477715d11cdb4164915debcba66cb864d751f3e6", TOKEN, "1409659813", "1372623149", SEALED)
    found = messages.xml_fields(sealing.open_sealed(SEALED, AES_KEY, APP_ID))
    assert (found["Content"], found["MsgId"]) == ("hello", "4561255354251345929")


def test_sinas_example_is_proven() -> None:
    sealing.check("90e4c22c90a58f26526c2dd5b6c56c8822edeaa1", "xyz123xyz", "1397022061823", "57155157")


def test_another_secret_key_or_account_opens_nothing() -> None:
    with pytest.raises(Forged):
        sealing.check("477715d11cdb4164915debcba66cb864d751f3e6", "other", "1409659813", "1372623149", SEALED)
    with pytest.raises(Forged):
        sealing.open_sealed(SEALED, sealing.new_aes_key(), APP_ID)
    with pytest.raises(Forged, match="AppID"):
        sealing.open_sealed(SEALED, AES_KEY, "wx0000000000000000")
    for broken in ("", "not base64!", SEALED[:-8], "QUJD"):
        with pytest.raises(Forged):
            sealing.open_sealed(broken, AES_KEY, APP_ID)


@pytest.mark.parametrize("text", ["", "你好", "x" * 31, "x" * 32, "<xml>" + "长" * 5000])
def test_what_is_sealed_can_be_opened(text: str) -> None:
    key = sealing.new_aes_key()

    assert sealing.is_aes_key(key)
    assert sealing.open_sealed(sealing.seal(text, key, APP_ID), key, APP_ID) == text


@pytest.mark.parametrize(
    "body",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]><xml><a>&a;</a></xml>',
        "<xml>",
        "",
        "{}",
        "<xml><FromUserName>x</FromUserName></xml>",
    ],
)
def test_what_is_no_message_is_refused(body: str) -> None:
    with pytest.raises(Forged):
        messages.of_wechat(body)


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"sender_id": ""}', "[" * 3000, "null"])
def test_what_is_no_weibo_message_is_refused(body: str) -> None:
    with pytest.raises(Forged):
        messages.of_weibo(body)


@pytest.mark.parametrize(
    ("text", "phone"),
    [("我的电话 13800138000，谢谢", "13800138000"), ("138-0013-8000", "13800138000"), ("订单 202613800138000 号", ""), ("12345678901", "")],
)  # fmt: skip
def test_a_phone_is_found_in_what_was_written(text: str, phone: str) -> None:
    assert messages.phone_in(text) == phone
