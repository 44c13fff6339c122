"""What RQ calls by name. Light to import: the web and the schedule put these in the queue without the worker's load."""

from __future__ import annotations


def carry_out(task_id: str, attempts: int | None = None) -> str:
    """One task of the outbox, which had been tried ``attempts`` times when it was queued; gives what became of it."""
    from jobs import base, worker

    with worker.application().app_context():
        return base.run_task(task_id, attempts)


def ring(name: str) -> None:
    """One recurring job of the schedule."""
    from jobs import schedule, worker

    with worker.application().app_context():
        schedule.run(name)
