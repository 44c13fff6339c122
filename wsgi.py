"""The WSGI entry: ``granian --interface wsgi wsgi:app``, ``flask --app wsgi …``."""

from __future__ import annotations

from app import create_app

app = create_app()
