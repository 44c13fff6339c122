"""The settings as operators really write them."""

from __future__ import annotations

import pytest

from app.config import ConfigurationError, Settings, load


@pytest.mark.parametrize("name", ["SANDBOX", "PORT", "WEB_PROCESSES", "PASSWORD_ROUNDS", "LOG_FORMAT", "INSTANCE_PATH"])
def test_a_setting_without_a_value_is_unset(monkeypatch, name):
    field = name.lower()
    monkeypatch.delenv(name, raising=False)
    unset = getattr(Settings(_env_file=None), field)

    monkeypatch.setenv(name, "")

    assert getattr(Settings(_env_file=None), field) == unset


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "crm.example.com"),
        ("PUBLIC_URL", "ftp://crm.example.com"),
        ("DATABASE_URL", "rubbish"),
        ("DATABASE_URL", "oracle://host/db"),
        ("REDIS_URL", "localhost:6379"),
    ],
)
def test_an_address_that_is_none_is_named_in_a_sentence_without_its_text(name, value, tmp_path):
    settings = {"SANDBOX": "1", "INSTANCE_PATH": tmp_path, name: value}

    with pytest.raises(ConfigurationError) as caught:
        load(**settings)

    assert str(caught.value).startswith(f"{name} must be an address that begins with ")
    assert value not in str(caught.value)
