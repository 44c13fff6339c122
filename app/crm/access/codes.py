"""The tenant code as people type it: with blanks, in lower case, from a Chinese keyboard, without hyphens."""

from __future__ import annotations

import re
import unicodedata

PREFIX = "TENANT"
_NOISE = re.compile(r"[^0-9A-Z]")


def normalise(text: str) -> str:
    """``tenant a1b2 c3d4 …`` as TENANT-A1B2-C3D4-…; text that is no code comes back as something no tenant has."""
    signs = _NOISE.sub("", unicodedata.normalize("NFKC", text or "").upper())[:60]
    body = signs.removeprefix(PREFIX)
    groups = [body[start : start + 4] for start in range(0, len(body), 4)]
    return "-".join([PREFIX, *groups]) if groups else ""
