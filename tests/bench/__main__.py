"""``make bench``: each figure as a ratio to a floor measured in alternation in the same run.

It starts the product in a temporary folder with a tenant of BENCH_ROWS customers (100,000), and beside it bare Flask
routes on the same server with the same options. DATABASE_URL chooses the database (default: SQLite). Loopback only,
bounded in count and time, and no test: it prints a table and exits 0.

F is the CPU time a request costs (web processes and database server, serial requests) as a multiple of what a bare
route that renders a 15 KB Jinja page costs.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import launch
from app.config import ROOT
from tests.bench import stage as stages
from tests.bench.measure import Request, Server, alternate, pids_called, throughput
from tests.bench.purchases import median, percentile, sell
from tests.bench.stage import Stage
from tests.journeys.product import free_port, running_product

ROWS = int(os.environ.get("BENCH_ROWS", "100000"))
ROUNDS, COUNT = 4, 32
UNIT = Request("/page/15")  # what F = 1 means


@dataclass(frozen=True)
class Page:
    """A page of the table, and what shared PERFORMANCE.md wants of it: F, queries, KB ("" where it names none)."""

    name: str
    request: Request
    f: str
    queries: str = ""
    kilobytes: str = ""
    rows_of: bool = False  # its list's SQL is also run by the bare driver


def pages(stage: Stage) -> list[Page]:
    assert stage.cookies is not None
    buyer, person, user, sales = ({"Cookie": stage.cookies[kind]} for kind in ("buyer", "person", "crm_user", "sales"))
    fragment = {"HX-Request": "true"}
    deep = stages.deep_cursor(stage, ROWS * 9 // 10)
    order = f"/checkout/orders/{stage.order_no}"
    return [
        Page("home", Request("/"), "≤ 3", "0"),
        Page("price page", Request("/pricing"), "≤ 1", "0", "≤ 40"),
        Page("checkout, step 1", Request("/checkout/saas"), "≤ 5", "≤ 6"),
        Page("order, waiting page", Request(order, buyer), "≤ 5", "≤ 6"),
        Page("order, its fragment", Request(order, {**buyer, **fragment, "HX-Target": "pay_status"}), "≤ 4", "≤ 6"),
        Page("customer center", Request("/my/", person), "≤ 5", "≤ 6"),
        Page("CRM list, first page", Request("/crm/customers", user), "≤ 6", "≤ 5", "≤ 40", rows_of=True),
        Page(
            "CRM list, its fragment",
            Request("/crm/customers", {**user, **fragment, "HX-Target": "record_list"}),
            "≤ 4",
            "≤ 5",
            "≤ 40",
        ),
        Page(
            "CRM list, filtered",
            Request("/crm/customers?source=%E5%B1%95%E4%BC%9A", user),
            "≤ 6",
            "≤ 5",
            "≤ 40",
            rows_of=True,
        ),
        Page(
            "CRM list, deep by key",
            Request(f"/crm/customers?cursor={deep}", user),
            "= first",
            "≤ 5",
            "≤ 40",
            rows_of=True,
        ),
        Page("CRM list, search", Request("/crm/customers?q=kehu0999", user), "≤ 8", "≤ 5", "≤ 40", rows_of=True),
        Page("lead list, salesperson", Request("/crm/leads", sales), "≤ 6", "≤ 5", "≤ 40"),
        Page("lead, salesperson", Request(f"/crm/leads/{stage.lead_id}", sales), "≤ 5", "≤ 6"),
        Page("gateway's callback", stages.notice(stage), "≤ 6"),
    ]


@contextmanager
def serving(target: str, port: int, environment: dict[str, str], command: list[str] | None = None) -> Iterator[Server]:
    """A WSGI application on the product's server with the product's options, or by ``command``."""
    command = command or _as_launched(target, port)
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    server = Server(port, lambda: _group(process.pid))
    try:
        _wait_for(server, "/hello" if "floor" in target else "/healthz")
        yield server
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _as_launched(target: str, port: int) -> list[str]:
    from app.config import load

    command = list(launch.parts(load())["web"].command)
    command[-1] = target
    command[command.index("--port") + 1] = str(port)
    command[command.index("--host") + 1] = "127.0.0.1"
    return command


def _group(leader: int) -> list[int]:
    return [
        int(stat.parent.name)
        for stat in Path("/proc").glob("[0-9]*/stat")
        if (found := _read(stat)) and found.rpartition(")")[2].split()[2] == str(leader)
    ]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _wait_for(server: Server, path: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if server.ask(Request(path)).status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"nothing answers on port {server.port}")


def _row(*cells: object) -> None:
    widths = (24, 15, 9, 11, 9, 10, 14, 10)
    print("  ".join(f"{cell!s:<{width}}" for cell, width in zip(cells, widths, strict=False)).rstrip(), flush=True)


def page_table(stage: Stage, ours: Server, floor: Server) -> None:
    print("\nPages (F: CPU time ÷ a bare Flask route with a 15 KB page; in brackets the aim of PERFORMANCE.md)\n")
    _row("page", "F (aim)", "× same", "× bare SQL", "wrk ratio", "queries", "KB (aim)", "KB gzip")
    known = pages(stage)
    for place, page in enumerate(known):
        answer = ours.ask(page.request)
        if answer.status >= 400:
            _row(page.name, f"answers {answer.status}")
            continue
        kilobytes = max(1, round(len(answer.body) / 1024))
        same = Request(f"/page/{kilobytes}")
        f = alternate(ours, page.request, floor, UNIT, rounds=ROUNDS, count=COUNT)
        beside = alternate(ours, page.request, floor, same, rounds=2, count=COUNT)
        bare = (
            f"{alternate(ours, page.request, floor, Request(f'/rows/{place}'), rounds=2, count=COUNT):.1f}"
            if page.rows_of
            else ""
        )
        ratio = ""
        if page.request.make is None:
            beneath = throughput(floor.port, UNIT, seconds=1)
            ratio = f"{throughput(ours.port, page.request, seconds=1) / beneath:.2f}" if beneath else ""
        queries = len(stages.statements_of(stage.app, page.request))
        _row(
            page.name,
            f"{f:.1f} ({page.f})",
            f"{beside:.1f}",
            bare,
            ratio,
            f"{queries} ({page.queries})" if page.queries else queries,
            f"{len(answer.body) / 1024:.1f}" + (f" ({page.kilobytes})" if page.kilobytes else ""),
            f"{len(gzip.compress(answer.body)) / 1024:.1f}",
        )


def statements(stage: Stage) -> dict[str, Any]:
    """For each list its own SQL (the statement that takes longest to write is the list's), for the bare driver."""
    found = {}
    url = stage.product.environment["DATABASE_URL"] or f"sqlite:///{stage.product.folder / 'instance' / 'yunke.db'}"
    for place, page in enumerate(pages(stage)):
        if page.rows_of:
            asked = [entry for entry in stages.statements_of(stage.app, page.request) if "crm_customers" in entry[0]]
            statement, parameters = max(asked, key=lambda entry: len(entry[0]))
            found[str(place)] = {"url": url, "statement": statement, "parameters": parameters}
    return found


def purchase_table(stage: Stage) -> None:
    print("\nPurchases, end to end on this machine\n")
    alone, sales = sell(stage, buyers=1, each=5), sell(stage)
    print(
        f"  requests from the packages to the code to scan, redirects and polls too: "
        f"{median(alone.each('requests')):.0f} (aim: ≤ 6), {median(sales.each('requests')):.0f} among eight buyers"
    )
    print(
        f"  one buyer alone: these requests take {median(alone.each('asking')) * 1000:.0f} ms (aim: ≤ 200); "
        f"with the way of the SMS and of the gateway's answer {median(alone.each('to_the_code')):.2f} s"
    )
    print(
        f"  eight buyers: {sales.done} purchases in {sales.seconds:.1f} s, {sales.per_minute:.0f} a minute "
        f"(aim: ≥ 600, 10 a second)"
    )
    print(
        f"  notice → delivered order: p50 {percentile(sales.server, 0.5) * 1000:.0f} ms, "
        f"p95 {percentile(sales.server, 0.95) * 1000:.0f} ms; alone p50 {percentile(alone.server, 0.5) * 1000:.0f} ms"
    )
    print(
        f"  after the queue, first step → delivered order: p50 {percentile(sales.delivery, 0.5) * 1000:.0f} ms, "
        f"p95 {percentile(sales.delivery, 0.95) * 1000:.0f} ms; alone p50 {percentile(alone.delivery, 0.5) * 1000:.0f} ms "
        f"(aim: ≤ 60 ms)"
    )
    print(
        f"  paid on the phone → code on the screen: p50 {percentile(sales.each('on_screen'), 0.5):.2f} s, "
        f"p95 {percentile(sales.each('on_screen'), 0.95):.2f} s (aim: < 2 s)"
    )
    for trouble in sorted({*alone.refused, *sales.refused}):
        print(f"  {[*alone.refused, *sales.refused].count(trouble)} × {trouble}")


def server_table(stage: Stage, floor_environment: dict[str, str]) -> None:
    """Our five-query page and the floor's page on the two servers one would choose between, eight clients at once."""
    print("\nWeb server, requests a second with eight clients (aim: ≥ 1.5 × gthread 2×4 on our five-query page)\n")
    assert stage.cookies is not None
    asked = {
        "floor page": ("tests.bench.floor:app", UNIT),
        "CRM list": ("wsgi:app", Request("/crm/customers", {"Cookie": stage.cookies["crm_user"]})),
    }
    for name, (target, request) in asked.items():
        environment = floor_environment if "floor" in target else stage.product.environment
        figures: dict[str, list[float]] = {"granian 2×1": [], "gunicorn gthread 2×4": []}
        for _ in range(2):
            for server, results in figures.items():
                port = free_port()
                command = None if server.startswith("granian") else _gunicorn(target, port)
                with serving(target, port, environment, command) as running:
                    throughput(running.port, request, seconds=1)
                    results.append(throughput(running.port, request, seconds=2))
        ours, theirs = (max(results) for results in figures.values())
        print(
            f"  {name:<12} granian 2×1 {ours:7.0f}/s   gunicorn gthread 2×4 {theirs:7.0f}/s   ratio {ours / theirs:.2f}",
            flush=True,
        )


def _gunicorn(target: str, port: int) -> list[str]:
    arguments = f"-m gunicorn -k gthread -w 2 --threads 4 -b 127.0.0.1:{port} --log-level warning {target}"
    return [sys.executable, *shlex.split(arguments)]


def main() -> int:
    began = time.monotonic()
    os.environ.setdefault("TZ", "Asia/Shanghai")
    database = stages.empty_database(_with_driver(os.environ.get("DATABASE_URL", "")))
    kind = database.partition(":")[0] or "sqlite"
    with tempfile.TemporaryDirectory(prefix="yunke-bench-") as name:
        folder = Path(name)
        settings = {"DATABASE_URL": database, "TRUSTED_PROXIES": "1", "SANDBOX_SPEED_UP": "10"}
        with running_product(folder / "product", demo=False, **settings) as product:
            print(f"云客CRM, {kind}, {ROWS:,} customers in one tenant, {os.cpu_count()} cores", flush=True)
            stage = stages.set_up(product, ROWS)
            logging.disable(
                logging.WARNING
            )  # the application in this process would write between the rows of the table
            (folder / "statements.json").write_text(json.dumps(statements(stage), default=str), "utf-8")
            environment = {**product.environment, "FLOOR_STATEMENTS": str(folder / "statements.json")}
            database_pids = {"postgresql": "postgres", "mysql": "mariadbd", "mariadb": "mariadbd"}.get(
                kind.partition("+")[0]
            )
            extra = (lambda: pids_called(database_pids)) if database_pids else list
            ours = Server(product.port, lambda: [*product.processes("web"), *extra()])
            with serving("tests.bench.floor:app", free_port(), environment) as floor:
                floor_pids = floor.pids
                floor.pids = lambda: [*floor_pids(), *extra()]
                memory_before = Server(product.port, lambda: product.processes("web")).memory()
                page_table(stage, ours, floor)
            purchase_table(stage)
            memory = Server(product.port, lambda: product.processes("web")).memory()
            print(
                f"\nMemory of the largest web process: {memory_before:.0f} MiB at first, {memory:.0f} MiB now (aim: ≤ 150)"
            )
            product.stop("web")
            server_table(stage, environment)
            with stage.app.app_context():
                stages.db.engine.dispose()
    print(f"\nThe whole run took {time.monotonic() - began:.0f} s.")
    return 0


def _with_driver(url: str) -> str:
    from app.config import load

    return load(database_url=url, sandbox=True).database_url if url else ""


if __name__ == "__main__":
    sys.exit(main())
