"""Message and alert jobs: three lines and a domain verb."""

from __future__ import annotations
