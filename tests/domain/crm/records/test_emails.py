"""E-mail addresses of customers: one spelling, and the short way to it is the library's."""

from __future__ import annotations

import pytest
from email_validator import EmailNotValidError, validate_email

from app.core.errors import Invalid
from app.crm.records.fields import Field

FIELD = Field("email", "邮箱", "email", most=120)


@pytest.mark.parametrize("text", [
    "a@x.example", "A@X.Example", "li.mu-zhi+crm@youyuan.com.cn", "a..b@x.com", ".a@x.com", "a.@x.com", "a@x", "a@-x.com", "a@x-.com",
    "a@x..com", "@x.com", "a@", "a b@x.com", "张@例子.cn", "a@例子.cn", "a@xn--fsqu00a.cn", "a" * 64 + "@x.com", "a" * 65 + "@x.com",
    "a_b@x.com", "a@127.0.0.1", "a@[127.0.0.1]", "a@x.com.", "a'b@x.com", "a@sub.domain.example.org", "a@x.c", "a@1.com", "a@x.test",
    "a@localhost", "a@" + "x" * 64 + ".com", "ａ@x.com",
])  # fmt: skip
def test_every_address_is_taken_or_refused_as_the_library_does(text: str) -> None:
    try:
        expected = validate_email(text, check_deliverability=False, test_environment=True).normalized.lower()
    except EmailNotValidError:
        with pytest.raises(Invalid, match="不像一个邮箱地址"):
            FIELD.parse(text)
        return
    assert FIELD.parse(text) == expected
