"""The cast of the gateway tests: three shops (one a key mode of WeChat Pay, one Alipay), each facing the sandbox's wire."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from app.gateways.alipay.adapter import Alipay
from app.gateways.alipay.settings import AlipaySettings
from app.gateways.certificate_store import FileCertificateStore
from app.gateways.exchange import Limits
from app.gateways.sandbox import Sandbox
from app.gateways.sandbox.books import Trade
from app.gateways.sandbox.keys import SandboxKeys, ensure_keys, make_keys
from app.gateways.sandbox.server import running
from app.gateways.sandbox.store import metadata
from app.gateways.sandbox.switches import Callbacks
from app.gateways.wechat_pay.adapter import WeChatPay
from app.gateways.wechat_pay.settings import WeChatPaySettings
from app.payments.ports import (
    Channel,
    Notice,
    NoticeRefused,
    PaymentGateway,
    PaymentRequest,
    RefundRequest,
)

PATIENT = Limits(connect=10.0, read=20.0)  # a loaded machine is no fault
HASTY = Limits(connect=2.0, read=0.3)
MODES = ("wechat by public key", "wechat by certificate", "alipay")


class HeldClock:
    """A clock that both sides read and only the test moves; it begins where certificates are valid: now."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        self.moment = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **by: float) -> None:
        self.moment += timedelta(**by)


@dataclass
class Letter:
    """A notification as it arrived."""

    headers: dict[str, str]
    body: bytes


class Merchant:
    """Our side of the callbacks: takes letters over HTTP, has the adapter read them, and answers as it says."""

    def __init__(self, read: Callable[[dict[str, str], bytes], Notice], gateway: Callable[[], PaymentGateway]):
        self.letters: list[Letter] = []
        self.notices: list[Notice] = []
        self.refusals: list[str] = []
        self.is_open = True
        self._read, self._gateway = read, gateway

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        letter = Letter(dict(request.headers.items()), request.get_data())
        self.letters.append(letter)
        answer = self._answer(letter)
        response = Response(answer.body, answer.status, content_type=answer.content_type)
        return response(environ, start_response)

    def _answer(self, letter: Letter) -> Any:
        if not self.is_open:
            return self._gateway().rejected("not_stored")
        try:
            self.notices.append(self._read(letter.headers, letter.body))
        except NoticeRefused as error:
            self.refusals.append(error.reason)
            return self._gateway().rejected(error.reason)
        return self._gateway().accepted()


@dataclass
class Shop:
    """A merchant with one adapter, and the buyer who stands in front of the other side."""

    mode: str
    sandbox: Sandbox
    base: str
    clock: HeldClock
    gateway: Any
    settings: Any
    merchant: Merchant
    notify_base: str
    store: FileCertificateStore
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 10_000)))

    @property
    def name(self) -> str:
        return self.mode.split()[0]

    @property
    def channel(self) -> Channel:
        return Channel.NATIVE if self.name == "wechat" else Channel.PAGE

    def request(self, **changes: Any) -> PaymentRequest:
        request = PaymentRequest(
            attempt_no=f"ATTEMPT{next(self.numbers):06d}",
            channel=self.channel,
            subject="云客CRM 专业版 12 个月",
            amount=Decimal("2870.00"),
            expires_at=self.clock() + timedelta(minutes=30),
            return_url=f"{self.notify_base}/pay/{self.name}/return",
        )
        return replace(request, **changes)

    def opened(self, **changes: Any) -> Trade:
        """An attempt whose cashier the buyer has in front of him."""
        request = self.request(**changes)
        start = self.gateway.start(request)
        if self.name == "alipay":
            form = dict(parse_qsl(urlsplit(start.redirect_url).query))
            return self.sandbox.alipay.cashier.log_in(self.sandbox.alipay.cashier.order(form))
        return self.trade(request.attempt_no)

    def trade(self, attempt_no: str) -> Trade:
        trade = self.sandbox.books.find(self.name, out_trade_no=attempt_no)
        assert trade is not None
        return trade

    def paid(self, *, callbacks: Callbacks | None = None, paid_fen: int | None = None, **changes: Any) -> Trade:
        trade = self.opened(**changes)
        assert self.sandbox.books.pay(trade, callbacks=callbacks or Callbacks(), paid_fen=paid_fen)
        return self.trade(trade.out_trade_no)

    def refund_of(self, trade: Trade, **changes: Any) -> RefundRequest:
        request = RefundRequest(
            refund_no=f"REFUND{next(self.numbers):06d}",
            attempt_no=trade.out_trade_no,
            transaction_no=trade.transaction_no,
            amount=Decimal("100.00"),
            total=Decimal("2870.00"),
            reason="多买了一份",
        )
        return replace(request, **changes)

    def refunded(self, trade: Trade, **changes: Any) -> RefundRequest:
        """A refund that is through."""
        request = self.refund_of(trade, **changes)
        self.gateway.refund(request)
        self.clock.advance(seconds=61)
        self.sandbox.books.settle_refunds()
        return request

    def letter(self, trade: Trade, kind: str = "") -> Letter:
        """The notice of ``trade`` as the courier would carry it now (the newest whose kind begins with ``kind``)."""
        found = [one for one in self.sandbox.books.list_deliveries(trade) if one.kind.startswith(kind)]
        body, headers = self.sandbox.courier._written(found[0])
        return Letter(headers, body)

    def read(self, letter: Letter) -> Notice:
        return self.gateway.read_notice(letter.headers, letter.body, self.clock())


def settings_of(mode: str, keys: dict[str, str], base: str, notify_base: str) -> Any:
    if mode == "alipay":
        return AlipaySettings(
            gateway=f"{base}/gateway.do",
            app_id=keys["ALIPAY_APP_ID"],
            seller_id=keys["ALIPAY_SELLER_ID"],
            private_key=keys["ALIPAY_PRIVATE_KEY"],
            public_key=keys["ALIPAY_PUBLIC_KEY"],
            notify_url=f"{notify_base}/pay/alipay/notify",
        )
    by_key = mode == "wechat by public key"
    return WeChatPaySettings(
        gateway=base,
        mchid=keys["WECHATPAY_MCHID"],
        appid=keys["WECHATPAY_APPID"],
        serial_no=keys["WECHATPAY_SERIAL_NO"],
        private_key=keys["WECHATPAY_PRIVATE_KEY"],
        apiv3_key=keys["WECHATPAY_APIV3_KEY"],
        notify_url=f"{notify_base}/pay/wechat/notify",
        refund_notify_url=f"{notify_base}/pay/wechat/refund-notify",
        public_key=keys["WECHATPAY_PUBLIC_KEY"] if by_key else None,
        public_key_id=keys["WECHATPAY_PUBLIC_KEY_ID"] if by_key else None,
    )


@pytest.fixture(scope="session")
def keys() -> SandboxKeys:
    """Keys are slow to make and nobody changes them: one set a process."""
    return make_keys()


@dataclass
class World:
    """What is slow to build and the same for all tests of a process: the sandbox's wire, and shops in front of it."""

    sandbox: Sandbox
    base: str
    clock: HeldClock
    instance: Path
    shops: dict[str, Shop] = field(default_factory=dict)
    closing: ExitStack = field(default_factory=ExitStack)

    def shop(self, mode: str) -> Shop:
        """The shop of this mode, everything that a test may have changed put back."""
        shop = self.shops.get(mode) or self.shops.setdefault(mode, self.new_shop(mode))
        merchant = shop.merchant
        merchant.letters, merchant.notices, merchant.refusals, merchant.is_open = [], [], [], True
        shop.numbers = iter(range(1, 10_000))
        self.fill(shop.store, mode)
        return shop

    def new_shop(self, mode: str, *, limits: Limits = PATIENT, **changes: Any) -> Shop:
        box: list[Shop] = []
        merchant = Merchant(
            lambda headers, body: box[0].gateway.read_notice(headers, body, self.clock()), lambda: box[0].gateway
        )
        notify_base = self.closing.enter_context(listening(merchant))
        settings = replace(settings_of(mode, ensure_keys(self.instance), self.base, notify_base), **changes)
        store = FileCertificateStore(self.instance / f"{len(self.shops)}-{id(box)}.pem")
        self.fill(store, mode)
        gateway = adapter(settings, store, self.clock, limits)
        box.append(Shop(mode, self.sandbox, self.base, self.clock, gateway, settings, merchant, notify_base, store))
        return box[0]

    def fill(self, store: FileCertificateStore, mode: str) -> None:
        store.save([self.sandbox.keys.platform_certificate] if mode == "wechat by certificate" else [])

    def reset(self) -> None:
        self.clock.begin_anew()
        with self.sandbox.books.store.writing() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())


def adapter(settings: Any, store: Any, clock: HeldClock, limits: Limits = PATIENT) -> Any:
    """An adapter for these settings, of the kind that they are for."""
    if isinstance(settings, AlipaySettings):
        return Alipay(settings, clock, limits)
    return WeChatPay(settings, store, clock, limits)


@contextmanager
def listening(application: Any) -> Iterator[str]:
    """A WSGI application on a port of this machine; gives its base URL."""
    server = make_server("127.0.0.1", 0, application, threaded=True)
    server.log = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, keys: SandboxKeys) -> Iterator[World]:
    instance = tmp_path_factory.mktemp("gateways")
    keep_keys(instance, keys)
    clock = HeldClock()
    sandbox = Sandbox.open(instance, now=clock)
    with running(sandbox) as base:
        world = World(sandbox, base, clock, instance)
        with world.closing:
            yield world
    sandbox.close()


def keep_keys(instance: Path, keys: SandboxKeys) -> None:
    path = instance / "sandbox" / "keys.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(asdict(keys)), "utf-8")


@pytest.fixture
def clean_world(world: World) -> World:
    world.reset()
    return world


@pytest.fixture
def sandbox(clean_world: World) -> Sandbox:
    return clean_world.sandbox


@pytest.fixture
def wire(clean_world: World) -> str:
    return clean_world.base


@pytest.fixture
def clock(clean_world: World) -> HeldClock:
    return clean_world.clock


@pytest.fixture
def make_shop(clean_world: World) -> Iterator[Callable[..., Shop]]:
    """A shop by its mode; with any change of its settings, a new one."""

    def make(mode: str, **changes: Any) -> Shop:
        return clean_world.new_shop(mode, **changes) if changes else clean_world.shop(mode)

    return make


@pytest.fixture
def new_shop(clean_world: World) -> Callable[..., Shop]:
    """A shop whose adapter no other test sees."""
    return clean_world.new_shop


@pytest.fixture(params=MODES)
def shop(request: pytest.FixtureRequest, make_shop: Callable[..., Shop]) -> Shop:
    """Each test that asks for a shop runs in all three."""
    return make_shop(request.param)


@pytest.fixture(params=MODES[:2])
def wechat(request: pytest.FixtureRequest, make_shop: Callable[..., Shop]) -> Shop:
    return make_shop(request.param)


@pytest.fixture
def alipay(make_shop: Callable[..., Shop]) -> Shop:
    return make_shop("alipay")
