"""The views of leads that every tenant begins with (design, crm-leads)."""

from __future__ import annotations

from app.core.filters import Tree
from app.crm.leads.lead import OPEN
from app.crm.records import views
from app.crm.records.views import View

HOT = 80  # points from which a lead is called at once

IS_OPEN: Tree = {"field": "status", "op": "is_in", "value": list(OPEN)}
MINE: Tree = {"field": "owner_id", "op": "is_in", "value": ["me"]}
# What lies in a pool has no owner; said, so that no database looks for one's own leads there
IN_POOL: Tree = {"all": [{"field": "pool_id", "op": "is_not_empty"}, {"field": "owner_id", "op": "is_empty"}]}
DUE_TODAY: Tree = {
    "any": [
        {"field": "next_follow_at", "op": "within", "value": "today"},
        {"field": "next_follow_at", "op": "within", "value": "overdue"},
    ]
}

views.ship(
    "lead",
    (
        View("today", "今日待跟进", {"all": [MINE, IS_OPEN, DUE_TODAY]}, sort="next_follow_at"),
        View(
            "hot",
            "高分未联系",
            {
                "all": [
                    IS_OPEN,
                    {"field": "score", "op": "gte", "value": HOT},
                    {"field": "last_contact_at", "op": "is_empty"},
                ]
            },
            sort="-score",
        ),
        View(
            "stale", "7 天未跟进", {"all": [IS_OPEN, {"field": "last_contact_at", "op": "older_than_days", "value": 7}]}
        ),
        View("pool", "公海", IN_POOL, sort="-score"),
    ),
)
