"""The settings as operators really write them."""

from __future__ import annotations

import pytest

from app.config import Settings


@pytest.mark.parametrize("name", ["SANDBOX", "PORT", "WEB_PROCESSES", "PASSWORD_ROUNDS", "LOG_FORMAT", "INSTANCE_PATH"])
def test_a_setting_without_a_value_is_unset(monkeypatch, name):
    field = name.lower()
    monkeypatch.delenv(name, raising=False)
    unset = getattr(Settings(_env_file=None), field)

    monkeypatch.setenv(name, "")

    assert getattr(Settings(_env_file=None), field) == unset
