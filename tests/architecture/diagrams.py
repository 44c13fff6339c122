"""The state machines as the documentation shows them: ``python -m tests.architecture.diagrams > docs/states.md``."""

from __future__ import annotations

import importlib

from app.config import ROOT
from app.core.states import StateMachine

PAGE = ROOT / "docs" / "states.md"

_HEAD = """# Lives

Every state of the product, as the state machines allow it. This page is generated from them
(`python -m tests.architecture.diagrams > docs/states.md`), and a test compares the two.
"""


def machines() -> dict[str, StateMachine]:
    """Every state machine of the product by its place, such as ``orders.life``."""
    found = {}
    for path in sorted((ROOT / "app").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if name == "app.core.states" or "StateMachine(" not in path.read_text("utf-8"):
            continue
        for variable, value in vars(importlib.import_module(name)).items():
            if isinstance(value, StateMachine):
                found[f"{name.removeprefix('app.').removesuffix('.states')}.{variable}"] = value
    return found


def page() -> str:
    parts = [_HEAD]
    for name, machine in machines().items():
        parts.append(
            f"## `{name}`\n\nIt writes the column `{machine.field}`.\n\n```mermaid\n{machine.diagram()}\n```\n"
        )
    return "\n".join(parts)


if __name__ == "__main__":
    print(page(), end="")
