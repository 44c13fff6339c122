"""The cast of the journeys: a running product, and a person with a browser, at a desk or with a phone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.journeys.product import Product, running_product
from tests.requirements import chromium_path, require

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Without these Chromium speaks to its maker at every start.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product with demo data and all its processes, ready to take orders."""
    require("valkey")
    with running_product(tmp_path_factory.mktemp("product"), SANDBOX_SPEED_UP="10") as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all journeys; each person gets a fresh profile in it."""
    require("playwright", "chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium_path(), args=QUIET)
        yield running
        running.close()
