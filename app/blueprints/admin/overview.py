"""总览: what needs somebody, and the day so far."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from app.blueprints.admin import area
from app.blueprints.admin.reads import overview as reads
from app.blueprints.admin.rights import needs
from app.core import clock
from app.notifications import alerts
from app.web.pages import page


@area.get("/")
@needs("overview.see")
def overview() -> ResponseReturnValue:
    figures = reads.figures()
    return page(
        "admin/overview.html",
        fragments=("admin_figures",),
        figures=figures,
        late=reads.late_orders() if figures.late_orders else [],
        alerts=alerts.open_alerts(limit=20),
        today=clock.today().isoformat(),
        now=clock.now(),
    )
