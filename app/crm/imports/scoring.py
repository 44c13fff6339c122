"""Scores after an import: reckoned when it is over, in portions, so that they hold nothing up."""

from __future__ import annotations

import time

from app.core import events
from app.crm.imports.stages import unit
from app.crm.leads.scoring import keep

SLICE = 60.0  # seconds; then the rest is left to the next job of the queue
_PORTION = 200


def score(job_id: str, tenant_id: str, *, seconds: float = SLICE) -> bool:
    """The job behind the end of an import: all leads that are due for a score; True once none is left."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with unit(tenant_id):
            if not keep.rescore_due(tenant_id, _PORTION):
                return True
    with unit(tenant_id):
        events.record("import.score_wanted", job_id, actor="job:导入", tenant_id=tenant_id)
    return False
