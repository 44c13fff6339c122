"""What both counterparts do with a merchant's request: find whom it names, and know it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def canonical(parameters: Mapping[str, Any]) -> str:
    """The parameters as one text, by which a repeated request is known."""
    return json.dumps(parameters, sort_keys=True, ensure_ascii=False)


def naming(asked: Mapping[str, Any], transaction: str) -> dict[str, str]:
    """How the request names a trade, as ``Books.find`` takes it: the gateway's own number wins; {} for neither."""
    for name, column in ((transaction, "transaction_no"), ("out_trade_no", "out_trade_no")):
        if isinstance(asked.get(name), str) and asked[name]:
            return {column: asked[name]}
    return {}
