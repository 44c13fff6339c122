"""A process that lives long: what it made at its start is out of the garbage collector's way."""

from __future__ import annotations

import os
import subprocess
import sys

from app.config import ROOT


def in_a_process_of_its_own(code: str, folder: str) -> str:
    environment = {**os.environ, "SANDBOX": "1", "INSTANCE_PATH": folder, "DATABASE_URL": "", "LOG_FORMAT": "json"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_web_process_collects_only_what_its_requests_made_and_does_without_alembic(tmp_path):
    said = in_a_process_of_its_own(
        "import gc, sys, wsgi; print(gc.isenabled(), gc.get_freeze_count() > 100_000, 'alembic' in sys.modules)",
        str(tmp_path),
    )

    assert said == "True True False"
