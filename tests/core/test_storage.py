"""Files by key: whole or not at all, and never outside their folder."""

from __future__ import annotations

import io

import pytest
from flask import Flask

from app.core import storage


def test_a_file_is_kept_and_given_back_and_gone(app: Flask) -> None:
    assert storage.put("t/a/source", io.BytesIO(b"abc")) == 3

    with storage.open("t/a/source") as file:
        assert file.read() == b"abc"
    assert storage.size("t/a/source") == 3
    storage.delete("t/a/source")
    storage.delete("t/a/source")
    assert not storage.exists("t/a/source")


def test_what_was_not_finished_is_not_there(app: Flask) -> None:
    with pytest.raises(ZeroDivisionError), storage.writing("t/b") as file:
        file.write(b"half")
        _ = 1 / 0

    assert not storage.exists("t/b")


@pytest.mark.parametrize("key", ["../x", "a/../x", "/etc/passwd", "a//b", "", "a/.hidden", "a\\b", "a/b\0c"])
def test_a_key_stays_within_the_folder(app: Flask, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        storage.exists(key)
