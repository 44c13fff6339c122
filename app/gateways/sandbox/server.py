"""The gateways' process: WeChat Pay's wire at the root of a loopback port, Alipay's at /gateway.do, and the courier.

Werkzeug's threaded server is used: it is there already with Flask, gives each connection its own thread (so a silent or
slow fault holds up nobody else), and hands out the request target as it was sent, which signatures are over. It listens
on loopback only and serves the sandbox only; production never starts it.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Response

from app.gateways.sandbox import Sandbox, oauth
from app.gateways.sandbox.alipay.cashier import PRODUCTS, mistake_page
from app.gateways.sandbox.alipay.words import Refusal, form_of
from app.gateways.sandbox.switches import Fault
from app.gateways.sandbox.wire import WireAnswer, WireRequest

LONGEST_REQUEST = 1024 * 1024
REASONS = {204: "No Content", 429: "Too Many Requests"}


class Wire:
    """The WSGI application; ``stop`` wakes silent answers when the server ends."""

    def __init__(self, sandbox: Sandbox, stop: threading.Event | None = None):
        self._sandbox = sandbox
        self._stop = stop or threading.Event()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        answer = self.answer(request_of(environ))
        response = Response(answer.body, answer.status, headers=list(answer.headers.items()))
        if not answer.body:
            response.headers.pop("Content-Type", None)
        return response(environ, start_response)

    def answer(self, request: WireRequest) -> WireAnswer:
        if request.path.endswith("/gateway.do"):
            return under_fault(self._sandbox, "alipay", lambda: self._alipay(request), self._stop)
        if request.path == oauth.PATH:
            return self._sandbox.oauth.answer(request)
        return under_fault(self._sandbox, "wechat", lambda: self._sandbox.wechat.answer(request), self._stop)

    def _alipay(self, request: WireRequest) -> WireAnswer:
        """The browser's cashier is a page of the product; here a valid address only gets a word of confirmation."""
        form = form_of(request)
        if form.get("method") not in PRODUCTS:
            return self._sandbox.alipay.answer(request)
        try:
            order = self._sandbox.alipay.cashier.order(form)
        except Refusal as refusal:
            return mistake_page(refusal)
        return WireAnswer(
            200, f"{order.out_trade_no} {order.yuan}".encode(), {"Content-Type": "text/plain; charset=utf-8"}
        )


def under_fault(
    sandbox: Sandbox, gateway: str, act: Callable[[], WireAnswer], stop: threading.Event | None = None
) -> WireAnswer:
    """Answer, bent by the fault that is switched on for ``gateway``."""
    fault = sandbox.switches.take_fault(gateway)
    if fault is None:
        return act()
    if fault.mode in {"silence", "slow"}:
        (stop or threading.Event()).wait(fault.seconds)
    return _bent(gateway, fault, act)


def _bent(gateway: str, fault: Fault, act: Callable[[], WireAnswer]) -> WireAnswer:
    if fault.mode in {"error", "silence"}:
        return _broken(gateway)
    if fault.mode == "garbage":
        return WireAnswer(200, b"\x00\xff<html>502" + secrets.token_bytes(16), {"Content-Type": "text/html"})
    answer = act()
    if fault.mode == "lost":
        return _broken(gateway)
    if fault.mode == "bad_signature":
        return _wrongly_signed(answer)
    return answer


def _broken(gateway: str) -> WireAnswer:
    if gateway == "wechat":
        body = '{"code":"SYSTEM_ERROR","message":"系统异常，请稍后重试"}'.encode()
        return WireAnswer(500, body, {"Content-Type": "application/json; charset=utf-8"})
    return WireAnswer(502, b"<html><body>502 Bad Gateway</body></html>", {"Content-Type": "text/html"})


def _wrongly_signed(answer: WireAnswer) -> WireAnswer:
    """One character of the signature is changed, wherever it stands."""
    if "Wechatpay-Signature" in answer.headers:
        signature = answer.headers["Wechatpay-Signature"]
        return WireAnswer(answer.status, answer.body, {**answer.headers, "Wechatpay-Signature": _turned(signature)})
    head, mark, rest = answer.body.rpartition(b'"sign":"')
    return WireAnswer(
        answer.status, head + mark + _turned(rest.decode()).encode() if mark else answer.body, answer.headers
    )


def _turned(signature: str) -> str:
    return ("B" if signature[:1] == "A" else "A") + signature[1:]


def request_of(environ: WSGIEnvironment) -> WireRequest:
    """The request as it was sent. RAW_URI and REQUEST_URI are the target before anybody decoded it."""
    length = min(int(environ.get("CONTENT_LENGTH") or 0), LONGEST_REQUEST)
    names = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    names["content-type"] = environ.get("CONTENT_TYPE", "")
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI") or environ["PATH_INFO"]
    return WireRequest(environ["REQUEST_METHOD"], target, names, environ["wsgi.input"].read(length))


class _QuietHandler(WSGIRequestHandler):
    """Writes no access log: targets of Alipay's calls bear signatures and the business content of pages."""

    def log(self, type: str, message: str, *args: object) -> None:
        return None


def make_wire_server(sandbox: Sandbox, port: int, stop: threading.Event) -> BaseWSGIServer:
    return make_server("127.0.0.1", port, Wire(sandbox, stop), threaded=True, request_handler=_QuietHandler)


def serve(sandbox: Sandbox, port: int, stop: threading.Event) -> None:
    """Serve the wires and carry notices until ``stop`` is set."""
    server = make_wire_server(sandbox, port, stop)
    threads = [
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, name="wire", daemon=True),
        threading.Thread(target=sandbox.courier.run, args=(stop,), name="courier", daemon=True),
    ]
    for thread in threads:
        thread.start()
    stop.wait()
    server.shutdown()
    server.server_close()
    threads[1].join(timeout=6)


@contextmanager
def running(sandbox: Sandbox, *, with_courier: bool = False) -> Iterator[str]:
    """The wires on a port of this machine, in threads of this process; gives the base URL. For tests."""
    stop = threading.Event()
    server = make_wire_server(sandbox, 0, stop)
    wire = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    wire.start()
    courier = threading.Thread(target=sandbox.courier.run, args=(stop, 0.05), daemon=True)
    if with_courier:
        courier.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        stop.set()
        server.shutdown()
        server.server_close()
        wire.join(timeout=5)
        if with_courier:
            courier.join(timeout=6)


def open_and_serve(instance_path: Path, port: int, public_url: str, speed_up: float, stop: threading.Event) -> None:
    serve(Sandbox.open(instance_path, public_url=public_url, speed_up=speed_up), port, stop)
