"""Whatever the product writes into the audit has a name there that people read."""

from __future__ import annotations

import ast
from pathlib import Path

from app.crm.access import trail

ROOT = Path(__file__).parents[4] / "app"


def written() -> set[tuple[str, str]]:
    """(action, object) of every ``audited("…", "…")`` in the product, "" where it is not written out."""
    found = set()
    for path in ROOT.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "audited" and call.args:
                said = [one.value if isinstance(one, ast.Constant) else "" for one in call.args[:2]]
                found.add((str(said[0]), str(said[1]) if len(said) > 1 else ""))
    return found


def test_every_action_and_object_has_a_name() -> None:
    pairs = written()

    assert len(pairs) > 40
    assert sorted({action for action, _ in pairs if action} - set(trail.ACTIONS)) == []
    assert sorted({entity for _, entity in pairs if entity} - set(trail.ENTITIES)) == []
