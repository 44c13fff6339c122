"""What CI runs, part by part, with every part required: ``make test-all``, or ``python -m tests.everything [part …]``.

A part that fails does not stop the others. At the end stand a table of the parts with their seconds, the closing
line of each pytest run, and their sum on one line.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.config import ROOT
from tests.requirements import MARIADB_URL, POSTGRESQL_URL

_BIN = Path(sys.executable).parent
_COUNTS = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed|deselected)")
_CLOSING = re.compile(r"^=*\s*(?:\d+ \w+, )*\d+ \w+(?:, \d+ \w+)* in [\d.]+s.*$|^=*\s*no tests ran in .*$")


@dataclass
class Part:
    """One command, what it is for, and how it went."""

    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    is_pytest: bool = False
    seconds: float = 0.0
    status: int = 0
    closing: str = ""

    def run(self) -> None:
        """Run it, showing its output as it comes; its processes end with it."""
        print(f"\n── {self.name} ── {' '.join(self.command)}", flush=True)
        began = time.monotonic()
        environment = {**os.environ, "REQUIRE_ALL": "1", "PYTHONUNBUFFERED": "1", **self.environment}
        process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if self.is_pytest and _CLOSING.match(line.strip()):
                self.closing = line.strip("= \n")
        self.status = process.wait()
        self.seconds = time.monotonic() - began
        _end_group(process.pid)


def _end_group(group: int) -> None:
    """Whatever a part left running is ended with it."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _pytest(name: str, *arguments: str, **environment: str) -> Part:
    return Part(name, [sys.executable, "-m", "pytest", *arguments], environment, is_pytest=True)


def parts() -> dict[str, Part]:
    """Every part by the word that asks for it alone."""
    npm = shutil.which("npm") or "npm"
    # What touches tables runs on each database; the areas' pages, which ask the same domain, on SQLite alone.
    on_a_server = ("-m", "database and not browser and not slow", "--ignore=tests/areas")
    return {
        # Not `npm ci`: it refuses a lock file that lacks the binaries of other systems, which not every registry has.
        "packages": Part(
            "front-end packages", [npm, "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]
        ),
        "css": Part("built assets = their source", [npm, "run", "--silent", "check"]),
        "ruff": Part("ruff", [str(_BIN / "ruff"), "check", "."]),
        "format": Part("formatting", [str(_BIN / "ruff"), "format", "--check", "."]),
        "mypy": Part("types", [str(_BIN / "mypy")]),
        "imports": Part("floors", [str(_BIN / "lint-imports")]),
        "djlint": Part("templates", [str(_BIN / "djlint"), "--lint", "--quiet", "app/templates"]),
        "sqlite": _pytest("suite on SQLite", "-m", "not browser and not slow"),
        "postgresql": _pytest("suite on PostgreSQL", *on_a_server, TEST_DATABASE_URL=POSTGRESQL_URL),
        "mariadb": _pytest("suite on MariaDB", *on_a_server, TEST_DATABASE_URL=MARIADB_URL),
        "browser": _pytest("journeys in a browser", "-m", "browser and not slow"),
        "plugs": _pytest("purchases while plugs are pulled", "-n", "0", "-m", "slow"),
    }


def _table(chosen: list[Part]) -> str:
    width = max(len(part.name) for part in chosen)
    rows = [
        f"{part.name:<{width}}  {part.seconds:7.1f} s  {'ok' if part.status == 0 else f'FAILED ({part.status})'}"
        for part in chosen
    ]
    total = sum(part.seconds for part in chosen)
    return "\n".join([*rows, f"{'all':<{width}}  {total:7.1f} s"])


def _sum(chosen: list[Part]) -> str:
    """The counts of all pytest runs, in a form that any reader of test results knows."""
    counts: Counter[str] = Counter()
    for part in chosen:
        for number, word in _COUNTS.findall(part.closing):
            counts[word.rstrip("s") if word.startswith("error") else word] += int(number)
    return f"{counts['passed']} passed, {counts['failed'] + counts['error']} failed, {counts['skipped']} skipped"


def main() -> int:
    known = parts()
    wanted = sys.argv[1:] or list(known)
    if unknown := [name for name in wanted if name not in known]:
        print(f"There is no part called {', '.join(unknown)}; there are: {', '.join(known)}.", file=sys.stderr)
        return 2
    chosen = [known[name] for name in wanted]
    with tempfile.TemporaryDirectory(prefix="yunke-tests-") as folder:
        os.environ["TMPDIR"] = folder  # what the tests leave behind goes with it
        for part in chosen:
            part.run()
    silent = [part for part in chosen if part.is_pytest and not part.closing]
    print(f"\n{_table(chosen)}\n")
    for part in chosen:
        if part.is_pytest:
            print(f"{part.name}: {part.closing or 'did not finish'}")
    print(_sum(chosen), flush=True)
    return 1 if silent or any(part.status for part in chosen) else 0


if __name__ == "__main__":
    sys.exit(main())
