"""Run the sandbox gateways: ``python -m app.gateways.sandbox``. The settings are the product's."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from app import config
from app.core import logs
from app.gateways.sandbox.server import open_and_serve


def main() -> int:
    try:
        settings = config.load()
    except config.ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if not settings.sandbox:
        sys.stderr.write("The sandbox is off: set SANDBOX=1 to try the product with local gateways.\n")
        return 2
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=settings.sandbox_port, help="loopback port (SANDBOX_PORT)")
    parser.add_argument(
        "--speed-up",
        type=float,
        default=settings.sandbox_speed_up,
        help="divides all documented intervals: repeats of notices, time of a refund (SANDBOX_SPEED_UP)",
    )
    given = parser.parse_args()
    logs.set_up(settings.log_format)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    open_and_serve(settings.instance_path, given.port, settings.public_url, given.speed_up, stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
