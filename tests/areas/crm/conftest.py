"""Browsers of the CRM: each request in an application context of its own."""

from __future__ import annotations

import pytest
from flask import Flask, Response

from tests.company import CrmBrowser


@pytest.fixture
def client(app: Flask) -> CrmBrowser:
    return CrmBrowser(app, Response)
