"""Who is on the other end of the line: address and kind of device."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from flask import request


def client_address() -> str:
    """The visitor's address; behind proxies the one ProxyFix established, never a bare header."""
    return str(_address())


def client_network() -> str:
    """Who is counted when something may be done only so often: an IPv4 address, or the /64 that an IPv6 host roams in."""
    address = _address()
    return str(address if isinstance(address, IPv4Address) else IPv6Network((address, 64), strict=False))


def _address() -> IPv4Address | IPv6Address:
    """What a proxy passes on may be no address at all; those visitors share one."""
    try:
        address = ip_address((request.remote_addr or "").partition("%")[0])
    except ValueError:
        return IPv4Address("127.0.0.1")
    return getattr(address, "ipv4_mapped", None) or address


def is_phone() -> bool:
    agent = request.user_agent.string
    return any(mark in agent for mark in ("Mobile", "Android", "iPhone", "HarmonyOS"))


def is_inside_wechat() -> bool:
    return "MicroMessenger" in request.user_agent.string
