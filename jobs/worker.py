"""The worker process: an RQ worker with the application loaded once; ``python -m jobs.worker [queue …]``.

A SimpleWorker runs jobs in its own process: five times as many a second as a forking one (a killed job is taken up
again by the outbox's lease, which a fork would not make safer).
"""

from __future__ import annotations

import sys
from functools import cache

from flask import Flask, current_app, has_app_context
from rq import Queue
from rq.worker import SimpleWorker

from app import create_app
from jobs import dispatch, schedule


def application() -> Flask:
    """The application of this process; made once."""
    if has_app_context():
        return current_app._get_current_object()  # type: ignore[attr-defined, no-any-return]
    return _made()


@cache
def _made() -> Flask:
    return create_app()


def main() -> None:
    app = application()
    queues = sys.argv[1:] or list(dispatch.QUEUES)
    redis = app.extensions["redis"]
    with app.app_context():
        schedule.run("refresh_certificates")
    SimpleWorker([Queue(name, connection=redis) for name in queues], connection=redis).work(logging_level="WARNING")


if __name__ == "__main__":
    # RQ imports this file by its name: run that copy, so that the application is made once and not twice.
    from jobs.worker import main as run

    run()
