"""The schedule's process: registers ``jobs.schedule`` with RQ's cron; ``python -m jobs.clock``.

Each ring lives no longer than its interval in the queue, so that a stopped worker finds no heap of them.
"""

from __future__ import annotations

from redis import Redis
from rq.cron import CronScheduler

from app import config
from jobs import entry
from jobs.schedule import RECURRING


def main() -> None:
    settings = config.load()
    cron = CronScheduler(connection=Redis.from_url(settings.redis_url), logging_level="WARNING")
    for name, recurring in RECURRING.items():
        cron.register(
            entry.ring,
            queue_name=recurring.queue,
            args=(name,),
            interval=recurring.every,
            job_timeout=300,
            ttl=max(recurring.every, 5),
            result_ttl=0,
            failure_ttl=0,
        )
    cron.start()


if __name__ == "__main__":
    main()
