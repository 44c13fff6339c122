"""What holds for every test: no connection leaves this machine, and who touches tables is marked ``database``."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

from tests import requirements


class OutsideConnection(RuntimeError):
    """A test tried to reach another machine."""


def is_loopback(host: str) -> bool:
    """Whether a name or address of this machine is meant; names are not looked up."""
    if host in {"localhost", ""}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex
_getaddrinfo = socket.getaddrinfo


def _insist_on_loopback(address: Any) -> None:
    if isinstance(address, tuple) and not is_loopback(str(address[0])):
        raise OutsideConnection(f"a test tried to reach {address[0]}; only loopback is open")


def _guarded_connect(self: socket.socket, address: Any) -> None:
    _insist_on_loopback(address)
    _connect(self, address)


def _guarded_connect_ex(self: socket.socket, address: Any) -> int:
    _insist_on_loopback(address)
    return _connect_ex(self, address)


def _guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
    if isinstance(host, bytes):
        host = host.decode()
    if host is not None and host != "0.0.0.0" and not is_loopback(host):
        raise OutsideConnection(f"a test tried to look up {host}; only loopback is open")
    return _getaddrinfo(host, *args, **kwargs)


def close_the_outside() -> None:
    socket.socket.connect = _guarded_connect  # type: ignore[method-assign]
    socket.socket.connect_ex = _guarded_connect_ex  # type: ignore[method-assign]
    socket.getaddrinfo = _guarded_getaddrinfo


def open_the_outside() -> None:
    socket.socket.connect = _connect  # type: ignore[method-assign]
    socket.socket.connect_ex = _connect_ex  # type: ignore[method-assign]
    socket.getaddrinfo = _getaddrinfo


def pytest_sessionstart(session: pytest.Session) -> None:
    close_the_outside()


def pytest_sessionfinish(session: pytest.Session) -> None:
    open_the_outside()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test that uses the application, so that it can be run again on the other databases."""
    for item in items:
        if "app" in getattr(item, "fixturenames", ()):
            item.add_marker("database")


def pytest_report_header() -> str:
    missing = [name for name in requirements.CHECKS if requirements.missing(name)]
    mode = "all required" if requirements.REQUIRE_ALL else "tests that need it are skipped"
    return (
        f"missing on this machine: {', '.join(missing)} ({mode})" if missing else "nothing is missing on this machine"
    )
