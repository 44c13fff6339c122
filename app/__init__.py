"""云客CRM: a CRM that sells, bills, provisions and supports itself."""

from __future__ import annotations

import gc
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


def lasting_app() -> Flask:
    """The application of a process that lives long.

    What is made at its start stays: the garbage collector need not look through it, neither now (a tenth of the start)
    nor later, where each full look would hold a request up for a fifth of a second.
    """
    gc.disable()
    try:
        return create_app()
    finally:
        gc.freeze()
        gc.enable()
