"""Rules of the house that can be read off the source: each takes Python text and names what breaks the rule.

The tests put every file of the tree to them, and a planted offence, so that a rule that sleeps is noticed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from app.config import ROOT

Rule = Callable[[str], list[str]]

STATE_COLUMNS = {"status", "delivery"}
_IRREGULAR_PAST = {
    "paid",
    "sent",
    "written",
    "stuck",
    "begun",
    "lost",
    "taken",
    "made",
    "given",
    "kept",
    "found",
    "put",
    "spent",
    "undone",
    "became",
    "due",
    "left",
    "done",
}
_EVENT = re.compile(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*")


def python_files(*folders: str) -> list[Path]:
    """The Python files of these folders of the project, as paths relative to it."""
    return [path.relative_to(ROOT) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def offences(rule: Rule, files: list[Path], *, but: tuple[str, ...] = ()) -> list[str]:
    """What ``rule`` finds in these files, as ``path: offence``; paths that begin as one of ``but`` are free."""
    return [
        f"{path}:{offence}"
        for path in files
        if not path.as_posix().startswith(but or ("\0",))
        for offence in rule((ROOT / path).read_text("utf-8"))
    ]


@cache
def nodes(source: str) -> tuple[ast.AST, ...]:
    """Every node of a source, parsed once for all rules."""
    return tuple(ast.walk(ast.parse(source)))


def _calls(source: str) -> Iterator[ast.Call]:
    return (node for node in nodes(source) if isinstance(node, ast.Call))


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def written_sql(source: str) -> list[str]:
    """SQL written by hand, which no scope reaches: ``text()`` of SQLAlchemy and ``exec_driver_sql``."""
    imported = {
        alias.asname or alias.name
        for node in nodes(source)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy")
        for alias in node.names
        if alias.name == "text"
    }
    return [
        f"{call.lineno} writes SQL by hand with {ast.unparse(call.func)}()"
        for call in _calls(source)
        if (isinstance(call.func, ast.Name) and call.func.id in imported)
        or ast.unparse(call.func) in {"db.text", "sa.text", "sqlalchemy.text"}
        or _name(call.func) == "exec_driver_sql"
    ]


def state_written(source: str) -> list[str]:
    """A state column written past its machine: by assignment, ``setattr`` or an UPDATE's values."""
    found = [f"{target.lineno} assigns .{target.attr}" for target in _assigned(source) if target.attr in STATE_COLUMNS]
    for call in _calls(source):
        if _name(call.func) == "values":
            names = {keyword.arg for keyword in call.keywords} | {
                key.value
                for argument in call.args
                if isinstance(argument, ast.Dict)
                for key in argument.keys
                if isinstance(key, ast.Constant)
            }
            found += [f"{call.lineno} updates {name}" for name in sorted(map(str, names & STATE_COLUMNS))]
        if _name(call.func) == "setattr" and len(call.args) > 1 and isinstance(call.args[1], ast.Constant):
            found += [f"{call.lineno} sets {call.args[1].value}"] if call.args[1].value in STATE_COLUMNS else []
    return found


def _assigned(source: str) -> Iterator[ast.Attribute]:
    """Attributes of other things than ``self`` that some statement assigns to."""
    for node in nodes(source):
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
            targets = [node.target]
        else:
            continue
        for target in targets:
            for part in ast.walk(target):
                if isinstance(part, ast.Attribute) and ast.unparse(part.value) != "self":
                    yield part


def transaction_ended(source: str) -> list[str]:
    """A transaction ended by somebody who did not open it."""
    return [
        f"{call.lineno} calls {ast.unparse(call.func)}()"
        for call in _calls(source)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in {"commit", "rollback"}
        and "session" in ast.unparse(call.func.value)
    ]


def clock_passed_by(source: str) -> list[str]:
    """The time taken from elsewhere than ``clock``, which no test can hold."""
    wrong = {
        "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "func.now", "func.current_timestamp",
        "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.date.today",
    }  # fmt: skip
    return [
        f"{call.lineno} asks {ast.unparse(call.func)}()"
        for call in _calls(source)
        if ast.unparse(call.func).removeprefix("sa.") in wrong
    ]


def events_named(source: str) -> list[tuple[int, str]]:
    """Each event that this source records, by a verb or by a move of a state machine, with its line."""
    named = []
    for call in _calls(source):
        candidates: list[ast.expr] = []
        if ast.unparse(call.func) in {"events.record", "events.record_many", "record"} and call.args:
            candidates = [call.args[0]]
        elif _name(call.func) == "Move":
            candidates = [*call.args[2:3], *(keyword.value for keyword in call.keywords if keyword.arg == "event")]
        named += [
            (call.lineno, node.value)
            for node in candidates
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
    return named


def event_misnamed(source: str) -> list[str]:
    """An event that is not called ``noun.past``: something that happened, to something."""
    return [f"{line} records {name!r}" for line, name in events_named(source) if not is_past(name)]


def is_past(name: str) -> bool:
    """Whether an event's name has the form ``noun.past``, such as order.paid, code.budget_spent, person.logged_in."""
    words = name.partition(".")[2].split("_")
    return bool(_EVENT.fullmatch(name)) and any(word.endswith("ed") or word in _IRREGULAR_PAST for word in words)


def http_seen(source: str) -> list[str]:
    """What a request knows, in a room that must work without one. Settings and templates are no such thing."""
    innocent = {"Flask", "current_app"}
    return [
        f"{node.lineno} imports {alias.name} from flask"
        for node in nodes(source)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "flask"
        for alias in node.names
        if alias.name not in innocent
    ]


def money_floated(source: str) -> list[str]:
    """Money made a float: ``float(…)`` or a literal with a point beside an amount's name."""
    return [
        f"{call.lineno} makes a float of {ast.unparse(call.args[0])}"
        for call in _calls(source)
        if isinstance(call.func, ast.Name)
        and call.func.id == "float"
        and call.args
        and re.search(r"amount|price|total|money|yuan", ast.unparse(call.args[0]))
    ]
