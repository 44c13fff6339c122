"""One bounded HTTP exchange with a gateway: whatever goes wrong on the way is GatewayDown."""

from __future__ import annotations

import http.client
import ipaddress
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
import urllib3
from requests.utils import get_environ_proxies

from app.payments.ports import GatewayDown

LONGEST_ANSWER = 1024 * 1024  # bytes; the longest honest answer is a few KiB


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one call may take, in seconds: to connect, between two pieces of the answer, and their sum in all."""

    connect: float = 3.0
    read: float = 8.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, undecoded: signatures are over these very bytes."""

    status: int
    headers: Mapping[str, str]  # case-insensitive
    body: bytes


def exchange(
    method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"", limits: Limits = Limits()
) -> Reply:
    """Send one request and read the whole answer; raises GatewayDown and nothing else.

    Redirects are not followed (a signed request must not travel on), ``.netrc`` is not read (it would replace our
    Authorization), and proxies of the environment do not capture a gateway on this machine.
    """
    deadline = time.monotonic() + limits.connect + limits.read
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.request(
                method,
                url,
                headers=dict(headers),
                data=body or None,
                timeout=(limits.connect, limits.read),
                allow_redirects=False,
                stream=True,
                proxies=_proxies(url),
                verify=os.environ.get("REQUESTS_CA_BUNDLE") or True,
            ) as response:
                return Reply(response.status_code, response.headers, _read(response, deadline))
    except (
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        http.client.HTTPException,
        OSError,
        ValueError,
    ) as error:
        # The text of these errors may quote the address with its query; the kind of error is enough.
        raise GatewayDown(f"no usable answer ({type(error).__name__})") from None


def is_loopback(url: str) -> bool:
    """Whether ``url`` names this machine."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_inside(url: str) -> bool:
    """Whether ``url`` names this machine or one of its own network: a stand-in for a gateway, never the real one."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return bool(host) and "." not in host


def _proxies(url: str) -> dict[str, str]:
    return {} if is_loopback(url) else get_environ_proxies(url)


def _read(response: requests.Response, deadline: float) -> bytes:
    """The body, bounded in size and time: a server that trickles bytes would outlive any socket timeout."""
    pieces: list[bytes] = []
    size = 0
    while piece := response.raw.read1(65536, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > LONGEST_ANSWER:
            raise GatewayDown("the answer is too long")
        if time.monotonic() > deadline:
            raise GatewayDown("the answer took too long")
    return b"".join(pieces)
