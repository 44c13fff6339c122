"""The floors of ARCHITECTURE §2 hold, and the contracts in pyproject.toml are awake."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from app.config import ROOT

PLANTED = {
    "A file imports from its own room and from lower floors": (
        "app/orders/planted.py",
        "from app.payments import settle",
    ),
    "Areas are strangers to each other": (
        "app/blueprints/center/planted.py",
        "from app.blueprints.checkout import area",
    ),
    "The CRM does not know how it is sold": ("app/crm/access/planted.py", "from app.orders.models import Order"),
    "The CRM's rooms know the door, not each other": (
        "app/crm/access/planted_2.py",
        "from app.crm.customers import models",
    ),
    "Nobody but the roof knows the jobs: what is owed goes as an event": (
        "app/web/planted.py",
        "from jobs import dispatch",
    ),
    "The business knows neither HTTP nor queue nor a provider's SDK": ("app/orders/planted_2.py", "import rq"),
    "The ground knows no business noun, no area and no provider": ("app/core/planted.py", "import redis"),
}


def contracts() -> list[dict[str, object]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]


def lint_imports(folder: Path) -> str:
    """What import-linter says of the packages in ``folder``, judged by the project's contracts."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    arguments = ["--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"}
    answer = subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return answer.stdout + answer.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The Python files of the product, to break as one likes."""
    for package in ("app", "jobs"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=_all_but_python)
    return tmp_path


def _all_but_python(folder: str, names: list[str]) -> list[str]:
    return [
        name
        for name in names
        if not name.endswith(".py") and (not (Path(folder) / name).is_dir() or name == "__pycache__")
    ]


def test_every_file_keeps_to_its_floor() -> None:
    verdict = lint_imports(ROOT)

    assert f"{len(contracts())} kept, 0 broken" in verdict, verdict


def test_each_contract_notices_a_planted_import(copy: Path) -> None:
    for path, source in PLANTED.values():
        (copy / path).write_text(source + "\n", "utf-8")

    verdict = lint_imports(copy)

    assert set(PLANTED) == {contract["name"] for contract in contracts()}
    for name in PLANTED:
        assert f"{name} BROKEN" in verdict, verdict


def test_every_room_stands_on_a_floor() -> None:
    layers = "\n".join(str(contract.get("layers", "")) for contract in contracts())
    rooms = {f"app.{path.name}" for path in (ROOT / "app").iterdir() if (path / "__init__.py").is_file()}
    jobs = {f"jobs.{path.stem}" for path in (ROOT / "jobs").glob("*.py") if path.stem != "__init__"}

    homeless = [room for room in sorted(rooms | jobs) if room not in layers]

    assert homeless == []
