"""The running product, as ``make run`` starts it, in a folder and on ports of its own; its parts can be stopped, killed
and started by name.

Used by the browser's journeys, by the test that pulls plugs, and by the benchmark.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.config import ROOT

PARTS = ("valkey", "sandbox", "web", "worker", "worker2", "clock")
_PATIENCE = 15.0


class Product:
    """One installation with all its processes, on loopback."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.sandbox_port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("WECHATPAY_", "ALIPAY_", "SMTP_"))
            },
            "INSTANCE_PATH": str(folder / "instance"),
            "PORT": str(self.port),
            "SANDBOX_PORT": str(self.sandbox_port),
            "PUBLIC_URL": self.base_url,
            "SANDBOX": "1",
            "DATABASE_URL": "",
            "REDIS_URL": "",
            "LOG_FORMAT": "json",
            "PASSWORD_ROUNDS": "4",
            **environment,
        }
        self._launchers: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def log_path(self) -> Path:
        """What all parts wrote, for the day a test fails."""
        return self.folder / "product.log"

    def prepare(self, *, demo: bool = True) -> None:
        """Migrate the database, ship the catalogue, write the demo data; raises RuntimeError with the log's end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            command = [sys.executable, "-m", "flask", "--app", "wsgi", "prepare", *(["--demo"] if demo else [])]
            status = subprocess.run(
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, check=False
            ).returncode
        if status:
            raise RuntimeError(f"the product could not be prepared:\n{self.log_end()}")

    def start(self, *names: str) -> None:
        """Start these parts, or all. A part that runs already is left alone."""
        for name in names or PARTS:
            if name in self._launchers:
                continue
            with self.log_path.open("ab") as log:
                self._launchers[name] = subprocess.Popen(
                    [sys.executable, "-m", "app.launch", name],
                    cwd=ROOT,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    def stop(self, *names: str) -> None:
        """End these parts, or all, as Ctrl-C does, the broker last; they stay down until ``start``."""
        ending = [name for name in names or PARTS if name in self._launchers]
        for group in ([name for name in ending if name != "valkey"], [name for name in ending if name == "valkey"]):
            self._end([self._launchers.pop(name) for name in group])

    def _end(self, launchers: list[subprocess.Popen[bytes]]) -> None:
        for launcher in launchers:
            launcher.terminate()
        for launcher in launchers:
            try:
                launcher.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                for pid in [*_descendants(launcher.pid), launcher.pid]:
                    _kill(pid)
                launcher.wait()

    def kill(self, name: str) -> None:
        """``kill -9`` a part with all its processes; its launcher starts it again, as it does in production."""
        for pid in _descendants(self._launchers[name].pid):
            _kill(pid)

    def processes(self, name: str) -> list[int]:
        """The process ids of a part, without its launcher's."""
        return _descendants(self._launchers[name].pid)

    def wait_until_ready(self, seconds: float = 60) -> None:
        """Wait until /readyz says that database, queue and worker take work; raises TimeoutError with the log's end."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.answers("/readyz"):
                return
            if dead := [name for name, launcher in self._launchers.items() if launcher.poll() is not None]:
                raise TimeoutError(f"{', '.join(dead)} did not start:\n{self.log_end()}")
            time.sleep(0.1)
        raise TimeoutError(f"the product is not ready after {seconds} s:\n{self.log_end()}")

    def answers(self, path: str) -> bool:
        """Whether a GET of ``path`` is answered with 200."""
        try:
            with urllib.request.urlopen(self.base_url + path, timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, http.client.HTTPException, OSError):
            return False

    def log_end(self, lines: int = 40) -> str:
        return "\n".join(self.log_path.read_text("utf-8", "replace").splitlines()[-lines:])


@contextmanager
def running_product(
    folder: Path, *, parts: tuple[str, ...] = PARTS, demo: bool = True, **environment: str
) -> Iterator[Product]:
    """A product that is ready to take orders; all its processes are gone afterwards."""
    product = Product(folder, **environment)
    product.prepare(demo=demo)
    try:
        product.start(*parts)
        product.wait_until_ready()
        yield product
    finally:
        product.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _descendants(pid: int) -> list[int]:
    """The children of a process and theirs, the youngest generation last."""
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return children + [grandchild for child in children for grandchild in _descendants(child)]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
