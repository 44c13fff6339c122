"""Who is on the other end of the line: address and kind of device."""

from __future__ import annotations

from flask import request


def client_address() -> str:
    """The visitor's address; behind proxies the one ProxyFix established, never a bare header."""
    return request.remote_addr or "127.0.0.1"


def is_phone() -> bool:
    agent = request.user_agent.string
    return any(mark in agent for mark in ("Mobile", "Android", "iPhone", "HarmonyOS"))


def is_inside_wechat() -> bool:
    return "MicroMessenger" in request.user_agent.string
