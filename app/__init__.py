"""云客CRM: a CRM that sells, bills, provisions and supports itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.config import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """Build the application from ``settings``, or from the environment.

    The assembly is imported here and not above, so that any room may import ``app`` without a circle.
    """
    from app.assembly import assemble

    return assemble(settings)
