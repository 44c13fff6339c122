"""How much a request costs: CPU time of the server's processes, in alternation with the floor's.

CPU time drifts by a few per cent on a busy machine where requests a second drift by several times; so the table is
judged by CPU time, queries and bytes, and shows wrk's requests a second only as a ratio.
"""

from __future__ import annotations

import http.client
import re
import shutil
import statistics
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

Pids = Callable[[], list[int]]


@dataclass(frozen=True)
class Request:
    """What is asked of a server."""

    path: str
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "GET"
    make: Callable[[], tuple[bytes, dict[str, str]]] | None = None  # a body and its headers, new for each request


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


class Server:
    """A web server on loopback, and the processes whose CPU time its requests cost."""

    def __init__(self, port: int, pids: Pids) -> None:
        self.port = port
        self.pids = pids
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, request: Request) -> Answer:
        body, more = request.make() if request.make else (None, {})
        for attempt in (1, 2):
            try:
                self._connection.request(request.method, request.path, body, {**request.headers, **more})
                answer = self._connection.getresponse()
                return Answer(answer.status, answer.read())
            except (http.client.HTTPException, ConnectionError):
                self._connection.close()
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    def cost(self, request: Request, count: int) -> float:
        """Seconds of CPU time a request, over ``count`` serial ones."""
        before = cpu_seconds(self.pids())
        for _ in range(count):
            self.ask(request)
        return (cpu_seconds(self.pids()) - before) / count

    def memory(self) -> float:
        """MiB of the largest process."""
        return max((_resident(pid) for pid in self.pids()), default=0.0)


def cpu_seconds(pids: list[int]) -> float:
    """CPU time of all threads of these processes, to the nanosecond."""
    total = 0
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                total += int(thread.read_text().split()[0])
            except (OSError, IndexError):
                continue
    return total / 1e9


def _resident(pid: int) -> float:
    try:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def pids_called(name: str) -> list[int]:
    """Every process of a program, for a database server whose work belongs to the request."""
    found = []
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            if comm.read_text().strip() == name:
                found.append(int(comm.parent.name))
        except OSError:
            continue
    return found


def alternate(ours: Server, request: Request, floor: Server, base: Request, *, rounds: int, count: int) -> float:
    """Our cost as a multiple of the floor's: the median over rounds that ask one after the other."""
    ours.cost(request, 5)
    floor.cost(base, 5)
    ratios = []
    for _ in range(rounds):
        beneath = floor.cost(base, count)
        ratios.append(ours.cost(request, count) / beneath)
    return statistics.median(ratios)


def throughput(port: int, request: Request, *, seconds: float = 2.0, connections: int = 8) -> float:
    """Requests a second under ``connections`` clients, by wrk where there is one."""
    if shutil.which("wrk"):
        headers = [part for name, value in request.headers.items() for part in ("-H", f"{name}: {value}")]
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", *headers]
        said = subprocess.run(
            [*command, f"http://127.0.0.1:{port}{request.path}"], capture_output=True, text=True, check=False
        ).stdout
        found = re.search(r"Requests/sec:\s+([\d.]+)", said)
        return float(found[1]) if found else 0.0
    return _throughput_by_threads(port, request, seconds, connections)


def _throughput_by_threads(port: int, request: Request, seconds: float, connections: int) -> float:
    counts = [0] * connections
    deadline = time.monotonic() + seconds

    def ask(place: int) -> None:
        server = Server(port, list)
        while time.monotonic() < deadline:
            server.ask(request)
            counts[place] += 1

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds
