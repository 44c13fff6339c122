"""Notices come as often as documented, survive a killed process, and are carried by one courier at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from app.gateways.sandbox import Sandbox
from app.gateways.sandbox.__main__ import main
from app.gateways.sandbox.courier import LEASE, WAITS, Courier, is_accepted
from app.gateways.sandbox.keys import load_keys
from app.gateways.sandbox.switches import Callbacks

from .conftest import keep_keys


@pytest.mark.parametrize(("mode", "hours"), [("wechat by public key", 24 + 4 / 60), ("alipay", 24 + 22 / 60 + 2 / 60)])
def test_the_documented_waits_add_up_to_a_day(mode, hours):
    waits = WAITS[mode.split()[0]]

    assert len(waits) == {"wechat": 15, "alipay": 7}[mode.split()[0]]
    assert sum(waits) / 3600 == pytest.approx(hours, abs=0.05)


def test_a_merchant_who_never_answers_is_visited_at_the_documented_times_and_then_left(shop):
    trade = shop.paid()
    shop.merchant.is_open = False
    begun, visits = shop.clock(), []

    for wait in (0, *WAITS[shop.name]):
        shop.clock.advance(seconds=wait - 0.5 if wait else 0)
        assert shop.sandbox.courier.deliver_due() == (0 if wait else 1)
        if wait:
            shop.clock.advance(seconds=0.5)
            assert shop.sandbox.courier.deliver_due() == 1
        visits.append((shop.clock() - begun).total_seconds())
    shop.clock.advance(days=2)

    assert shop.sandbox.courier.deliver_due() == 0
    assert shop.sandbox.books.list_deliveries(trade)[0].state == "given_up"
    assert len(shop.merchant.letters) == len(WAITS[shop.name]) + 1
    assert visits[-1] == sum(WAITS[shop.name])


@pytest.mark.parametrize(
    ("gateway", "status", "body", "accepted"),
    [
        ("wechat", 200, b"", True),
        ("wechat", 204, b"", True),
        ("wechat", 200, b'{"code":"FAIL"}', True),
        ("wechat", 201, b"", False),
        ("wechat", 302, b"", False),
        ("wechat", 500, b"", False),
        ("wechat", None, b"", False),
        ("alipay", 200, b"success", True),
        ("alipay", 200, b"success\n", False),
        ("alipay", 200, b'"success"', False),
        ("alipay", 200, b"SUCCESS", False),
        ("alipay", 200, b"", False),
        ("alipay", 500, b"success", False),
    ],
)
def test_what_counts_as_received(gateway, status, body, accepted):
    assert is_accepted(gateway, status, body) is accepted


def test_two_couriers_never_carry_one_notice_twice(shop):
    for _ in range(6):
        shop.paid()
    books, switches = shop.sandbox.books, shop.sandbox.switches
    couriers = [Courier(shop.sandbox.keys, books, switches, shop.clock, 1.0) for _ in range(4)]

    with ThreadPoolExecutor(4) as threads:
        carried = list(threads.map(Courier.deliver_due, couriers))

    assert sum(carried) == 6
    assert len(shop.merchant.letters) == 6


def test_what_a_killed_courier_was_carrying_is_due_again(shop):
    shop.paid()
    assert len(shop.sandbox.courier._take_due()) == 1
    assert shop.sandbox.courier.deliver_due() == 0

    shop.clock.advance(seconds=LEASE + 1)

    assert shop.sandbox.courier.deliver_due() == 1
    assert len(shop.merchant.notices) == 1


def test_notices_can_be_put_off(shop):
    shop.paid(callbacks=Callbacks(delay=30))

    assert shop.sandbox.courier.deliver_due() == 0
    shop.clock.advance(seconds=30)
    assert shop.sandbox.courier.deliver_due() == 1


def test_the_switch_for_all_notices_holds_until_a_payment_says_otherwise(shop):
    shop.sandbox.switches.set_callbacks(shop.name, Callbacks(hold=True))
    trade = shop.opened()
    shop.sandbox.books.pay(trade)

    assert shop.sandbox.books.list_deliveries(trade)[0].state == "held"
    assert shop.sandbox.books.send_again(trade) == 1
    assert shop.sandbox.courier.deliver_due() == 1


def test_a_notice_may_be_sent_again_after_it_was_accepted(shop):
    trade = shop.paid()
    shop.sandbox.courier.deliver_due()

    shop.sandbox.books.send_again(trade, copies=2)
    shop.sandbox.courier.deliver_due()

    assert len({notice.notice_id for notice in shop.merchant.notices}) == 1
    assert len(shop.merchant.notices) == 3


def test_a_faster_clock_divides_the_waits(tmp_path, keys, clock):
    keep_keys(tmp_path, keys)
    sandbox = Sandbox.open(tmp_path, now=clock, speed_up=60)
    trade = sandbox.books.open_trade(
        gateway="alipay",
        channel="page",
        out_trade_no="FAST01",
        token="t",
        subject="s",
        total_fen=1,
        parameters="{}",
        notify_url="http://127.0.0.1:9/",
    )
    sandbox.books.pay(trade)
    sandbox.courier.deliver_due()

    clock.advance(seconds=4)

    assert sandbox.courier.deliver_due() == 1
    sandbox.close()


def wait_for(what, seconds=20.0):
    """Look again and again until ``what`` gives something true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if found := what():
                return found
        except requests.RequestException:
            pass
        time.sleep(0.02)
    raise AssertionError("it never came")


@pytest.mark.slow
def test_the_process_survives_a_kill_and_a_restart_with_its_notices(tmp_path, keys, make_shop):
    shop = make_shop("wechat by public key")
    keep_keys(tmp_path, keys)
    sandbox = Sandbox.open(tmp_path)
    port = 20_000 + os.getpid() % 20_000
    session = requests.Session()
    session.trust_env = False

    def start():
        environment = {
            **os.environ,
            "SANDBOX": "1",
            "SANDBOX_PORT": str(port),
            "INSTANCE_PATH": str(tmp_path),
            "PYTHONPATH": ".",
            "LOG_FORMAT": "json",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "app.gateways.sandbox"], env=environment, stderr=subprocess.DEVNULL
        )
        wait_for(lambda: session.get(f"http://127.0.0.1:{port}/v3/nothing", timeout=5).status_code == 404)
        return process

    trade = sandbox.books.open_trade(
        gateway="wechat",
        channel="native",
        out_trade_no="KILLED01",
        token="t",
        subject="s",
        total_fen=1,
        parameters="{}",
        notify_url=shop.settings.notify_url,
        signed_with="public_key",
    )
    first = start()
    first.send_signal(signal.SIGKILL)
    first.wait()
    sandbox.books.pay(trade)
    second = start()
    try:
        wait_for(lambda: sandbox.books.list_deliveries(trade)[0].state == "done")
    finally:
        second.send_signal(signal.SIGTERM)
        assert second.wait(timeout=10) == 0
        session.close()
        sandbox.close()
    assert [notice.payment.attempt_no for notice in shop.merchant.notices] == ["KILLED01"]


def test_the_process_does_not_start_without_the_sandbox(tmp_path, monkeypatch, capsys):
    words = {"INSTANCE_PATH": str(tmp_path), "EDITION": "private", "SANDBOX": "0"}
    for name, value in (words | {"SECRET_KEY": "s" * 40, "FIELD_KEY": "f" * 40}).items():
        monkeypatch.setenv(name, value)

    assert main() == 2

    assert "SANDBOX=1" in capsys.readouterr().err


def test_keys_are_made_once_for_their_owner_only_however_many_ask(tmp_path, keys, monkeypatch):
    from app.gateways.sandbox import keys as module

    monkeypatch.setattr(module, "make_keys", lambda: module.SandboxKeys(**{**vars(keys), "mchid": os.urandom(4).hex()}))

    with ThreadPoolExecutor(8) as threads:
        found = {made.mchid for made in threads.map(lambda _: load_keys(tmp_path), range(8))}

    path = tmp_path / "sandbox" / "keys.json"
    assert len(found) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["keys.json"]
