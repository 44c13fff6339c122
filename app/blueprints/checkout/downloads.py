"""The packages behind the success page's links, for the browser that may see the order."""

from __future__ import annotations

from flask import Response, send_file

from app.blueprints.checkout import area, browser
from app.core.errors import NotFound
from app.orders import queries as orders
from app.provisioning import downloads


@area.get("/downloads/<token>")
def download(token: str) -> Response:
    """Hand out one file; raises NotFound to any browser but the buyer's, whoever gave it the link."""
    found = downloads.open_link(token)
    if found.license.order_id is None:
        raise NotFound()
    browser.visible_order(orders.by_id(found.license.order_id).order_no)
    response = send_file(found.path, as_attachment=True, download_name=found.file_name)
    response.headers["X-Checksum-SHA256"] = found.sha256
    response.headers["Cache-Control"] = "private, no-store"
    return response
