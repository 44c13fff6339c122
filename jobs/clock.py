"""The schedule's process: registers ``jobs.schedule`` with RQ's cron; ``python -m jobs.clock``.

Each ring lives no longer than its interval in the queue, so that a stopped worker finds no heap of them.
"""

from __future__ import annotations

from rq.cron import CronScheduler

from app import create_app
from jobs import worker
from jobs.schedule import RECURRING


def main() -> None:
    app = create_app()
    cron = CronScheduler(connection=app.extensions["redis"], logging_level="WARNING")
    for name, recurring in RECURRING.items():
        cron.register(
            worker.ring,
            queue_name=recurring.queue,
            args=(name,),
            name=name,
            interval=recurring.every,
            job_timeout=300,
            ttl=max(recurring.every, 5),
            result_ttl=0,
            failure_ttl=0,
        )
    cron.start()


if __name__ == "__main__":
    main()
