"""任务: the outbox, and jobs that failed for good until somebody starts them again."""

from __future__ import annotations

from flask import request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.admin import area, words
from app.blueprints.admin.reads import tasks as reads
from app.blueprints.admin.rights import actor, needs
from app.core import clock
from app.notifications import alerts
from app.notifications.resend import retry_task as retry
from app.web import tables
from app.web.pages import done, page


@area.get("/tasks")
@needs("tasks.see")
def tasks() -> ResponseReturnValue:
    state = request.args.get("state", "") if request.args.get("state") in words.TASK else ""
    found = reads.listed(state, request.args.get(tables.CURSOR))
    counts = reads.counts()
    previous, following = tables.paths(found)
    tabs: list[tuple[str, str, int | None, bool]] = [("全部", url_for("admin.tasks"), None, not state)]
    tabs += [
        (word, url_for("admin.tasks", state=key), counts.get(key), key == state)
        for key, (word, _kind) in words.TASK.items()
    ]
    return page(
        "admin/tasks.html",
        fragments=("task_list",),
        rows=found.rows,
        state=state,
        tabs=tabs,
        is_busy=bool(counts["waiting"] or counts["running"]),
        previous=previous,
        following=following,
        here=tables.path_with(),
        now=clock.now(),
    )


@area.post("/tasks/<task_id>/retry")
@needs("tasks.retry")
def retry_task(task_id: str) -> ResponseReturnValue:
    """Once is enough and twice is harmless: only a failed task is started."""
    task = reads.one(task_id)
    started = retry(task, actor())
    if started:
        alerts.settle("task_failed", task.id)
    return done(url_for("admin.tasks", state="failed"), "已重新安排" if started else "这个任务没有失败，或已经在重试")
