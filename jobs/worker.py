"""The worker process: an RQ worker with the application loaded once; ``python -m jobs.worker [queue …]``.

It runs jobs in its own process: five times as many a second as a forking one (a killed job is taken up again by the
outbox's lease, which a fork would not make safer).
"""

from __future__ import annotations

import sys
from datetime import timedelta
from functools import cache

import structlog
from flask import Flask, current_app, has_app_context
from redis import Redis, RedisError
from redis.client import Pipeline
from rq import Queue
from rq.job import Job
from rq.timeouts import JobTimeoutException
from rq.utils import now
from rq.worker import SimpleWorker

from app import lasting_app
from jobs import base, dispatch, schedule

log = structlog.get_logger(__name__)

_BEATS_EVERY = timedelta(seconds=15)  # RQ forgets a worker that is silent for eight minutes


class OutboxWorker(SimpleWorker):
    """RQ's worker without RQ's books on each job: the outbox knows what is owed, tried and done.

    Those books are 24 of the 28 round trips to the broker that a job costs. The queues' order, the time limit of a
    job and the worker's own entry (``rq info``) are RQ's as ever.
    """

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run what was queued, no longer than its time limit, and drop it from the broker; a failure is logged."""
        try:
            with self.death_penalty_class(job.timeout or base.TIMEOUT, JobTimeoutException, job_id=job.id):
                job.perform()
        except Exception:  # a job may fail in any way; the worker goes on with the next
            log.exception("queued_job_failed", function=job.func_name)
        try:
            self.connection.delete(job.key)
        except RedisError as error:
            log.warning("queued_job_not_dropped", error=type(error).__name__)  # it lapses there by itself

    def set_state(self, state: str, pipeline: Pipeline | None = None) -> None:
        if state != self.get_state():
            super().set_state(state, pipeline)

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        if timeout is None and self.last_heartbeat and now() - self.last_heartbeat < _BEATS_EVERY:
            return
        super().heartbeat(timeout, pipeline)


def application() -> Flask:
    """The application of this process; made once."""
    if has_app_context():
        return current_app._get_current_object()  # type: ignore[attr-defined, no-any-return]
    return _made()


@cache
def _made() -> Flask:
    return lasting_app()


def worker(queues: list[str], connection: Redis) -> OutboxWorker:
    """A worker for these queues, the first the most urgent."""
    return OutboxWorker([Queue(name, connection=connection) for name in queues], connection=connection)


def main() -> None:
    app = application()
    with app.app_context():
        schedule.run("refresh_certificates")
    worker(sys.argv[1:] or list(dispatch.QUEUES), app.extensions["redis"]).work(logging_level="WARNING")


if __name__ == "__main__":
    # RQ imports this file by its name: run that copy, so that the application is made once and not twice.
    from jobs.worker import main as run

    run()
