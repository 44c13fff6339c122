"""The WSGI entry: ``granian --interface wsgi wsgi:app``, ``flask --app wsgi …``."""

from __future__ import annotations

from app import lasting_app

app = lasting_app()
