"""The settings as operators really write them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.config import ConfigurationError, Settings, _kept_secret, load


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


def test_eight_processes_that_start_at_once_agree_on_one_secret(tmp_path):
    path = tmp_path / "secret_key"

    with ThreadPoolExecutor(8) as hands:
        found = set(hands.map(lambda _: _kept_secret(path), range(8)))

    assert len(found) == 1 and len(found.pop()) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert [child.name for child in tmp_path.iterdir()] == ["secret_key"]
