"""The matrix of rights: every route of the CRM × every shipped role × one's own, a colleague's, a stranger's, a neighbour's.

It is made of what the routes declare (app/blueprints/crm/rights.py) and of what the roles say, and asks the running
product. What is expected is reckoned here from the roles' data alone, by no code of the product (CRM §12, promise 8).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import AnyConverter, IntegerConverter, Rule

from app.blueprints.crm.rights import MANAGES, RECORD, Right, right
from app.core import clock, tenancy
from app.core.db import uuid7
from app.crm.access import actor as actors
from app.crm.access.roles import SHIPPED
from app.crm.records import keep, types
from app.web.area import Area, discard_changes
from tests.company import CAST

pytestmark = pytest.mark.database

ROLES = {key: (rights, fields) for key, _name, _what, rights, fields in SHIPPED}
USERS = {role: username for username, _name, role, _department in reversed(CAST)}  # of each role one: sales is sales1
DEPARTMENT = {username: department for username, _name, _role, department in CAST}
REPORTS_TO = {"sales1": "manager", "sales2": "manager"}
# Whose record it is, seen from each user: his own, one of his department's, one of another department's
OWNERS = {
    "sales1": {"own": "sales1", "team": "sales2", "other team": "sales3"},
    "manager": {"own": "manager", "team": "sales2", "other team": "sales3"},
    "admin": {"own": "admin", "team": "looker", "other team": "sales3"},
    "marketing": {"own": "marketing", "team": "looker", "other team": "sales3"},
    "looker": {"own": "looker", "team": "marketing", "other team": "sales3"},
}
REFUSED, HIDDEN = {403}, {404}
# What is named by the form, not by the address, and is not there: the stage to move to (and most objects have no board).
NAMED_IN_FORM = {"crm.board_move", "crm.move_lead"}
# Pages that stand at some objects only
ONLY_OF = {"crm.customer_profile": {"customer", "contact", "lead"}}


def doors(app: Flask) -> Iterator[tuple[str, Rule, Any]]:
    """(method, rule, view) of every route of the CRM behind the log-in."""
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if rule.endpoint.startswith("crm.") and not getattr(view, "is_open", False):
            for method in sorted((rule.methods or set()) & {"GET", "POST", "PUT", "PATCH", "DELETE"}):
                yield method, rule, view


def undeclared(app: Flask) -> list[str]:
    """The routes that do not say who may use them."""
    return [
        f"{method} {rule.rule}"
        for method, rule, view in doors(app)
        if not isinstance(getattr(view, "right", None), Right)
    ]


def test_every_route_says_who_may_use_it(app: Flask) -> None:
    assert undeclared(app) == []


def test_a_route_that_says_nothing_is_noticed() -> None:
    bare = Flask("bare", static_folder=None)
    planted = Area("crm", "planted", url_prefix="/crm")
    planted.add_url_rule("/leads/<record_id>/secret", "planted", lambda record_id: "", methods=["GET", "POST"])
    planted.add_url_rule("/said", "said", right("read", "lead")(lambda: ""))
    bare.register_blueprint(planted)

    assert undeclared(bare) == ["GET /crm/leads/<record_id>/secret", "POST /crm/leads/<record_id>/secret"]


@dataclass(frozen=True)
class Case:
    """One question to the product: a user of a role asks for a record of this object in this way."""

    method: str
    rule: Rule
    said: Right
    thing: str


def cases(app: Flask) -> list[Case]:
    found = []
    for method, rule, view in doors(app):
        said: Right = view.right
        if said.kind != RECORD or said.argument not in rule.arguments:
            continue
        things = [said.thing] if said.thing else [one.key for one in types.each()] if "things" in rule.arguments else []
        found += [Case(method, rule, said, thing) for thing in things]
    return found


def covers(scope: Any, user: str, owner: str) -> bool:
    """Whether a scope of a role holds a record of this owner, reckoned from the cast."""
    if scope == "all":
        return True
    if scope is None:
        return False
    if user == owner:
        return True
    same_department = DEPARTMENT[user] != "" and DEPARTMENT[user] == DEPARTMENT[owner]
    return {
        "own": False,
        "team": REPORTS_TO.get(owner) == user,
        "department": same_department,
        "tree": same_department,
    }[scope]


def expected(role: str, case: Case, owner: str, is_neighbours: bool) -> tuple[set[int] | None, set[int]]:
    """(the statuses of which it must be one, or None; those it must not be)."""
    rights = ROLES[role][0].get(case.thing, {})
    user, action = USERS[role], case.said.action
    refused_by_role = action not in {"read", "edit"} and action not in rights
    # a comment, a file, a stage: which is not there
    names_more = bool(case.rule.arguments - {"things", case.said.argument}) or case.rule.endpoint in NAMED_IN_FORM
    if is_neighbours or not covers(rights.get("read"), user, owner):
        return (REFUSED | HIDDEN if refused_by_role else HIDDEN), set()
    if not covers(rights.get(action), user, owner):
        return (REFUSED | HIDDEN if names_more else REFUSED), set()
    return None, ({500} if names_more else {403, 404, 500})


@pytest.fixture
def looking(app: Flask) -> Iterator[None]:
    """Each request is rolled back, whatever it does, so that the next one finds the same rows."""
    app.before_request_funcs.setdefault("crm", []).append(discard_changes)
    yield
    app.before_request_funcs["crm"].remove(discard_changes)


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_each_route_answers_as_the_role_says(app: Flask, ours, theirs, browser, looking, role: str) -> None:
    user = USERS[role]
    records = _records(ours, theirs, user)
    client = browser(ours, user)
    wrong = []
    for case in cases(app):
        for relation, (owner, keys) in records.items():
            if case.thing not in keys or case.thing not in ONLY_OF.get(case.rule.endpoint, keys):
                continue
            path = _path(app, case.method, case.rule, case.thing, **{case.said.argument: keys[case.thing]})
            status = client.open(path, method=case.method).status_code
            must, must_not = expected(role, case, owner, relation == "other tenant")
            if (must is not None and status not in must) or status in must_not:
                wrong.append(
                    f"{case.method} {path.replace(keys[case.thing], '…')} ({case.said.action}), {relation}: {status}, not {must or must_not}"
                )

    assert not wrong, "\n".join(wrong)


def _records(ours: Any, theirs: Any, user: str) -> dict[str, tuple[str, dict[str, str]]]:
    """{relation: (owner, {object: a record of his})}."""
    found = {
        relation: (owner, {thing.key: _make(ours, thing.key, owner) for thing in types.each()})
        for relation, owner in OWNERS[user].items()
    }
    found["other tenant"] = (
        "sales1",
        {thing.key: _make(theirs, thing.key, "sales1") for thing in types.each()},
    )
    return found


_SAMPLES: dict[str, Any] = {
    "datetime": "2026-06-18 10:00", "date": "2026-06-18", "number": "1", "money": "1.00", "bool": "1", "text": "季云舟", "long_text": "谈好了",
}  # fmt: skip


_COLUMNS: dict[str, dict[str, Any]] = {"task": {"status": "open", "before": "0"}, "plan": {"started_at": clock.now()}}


def _make(company: Any, thing: str, owner: str) -> str:
    """A record of the object with what it needs at least, as the product itself makes it."""
    described = types.get(thing)
    values = {
        field.key: field.choices[0][0] if field.kind == "choice" else _SAMPLES[field.kind]
        for field in described.fields
        if field.required and field.kind != "user"
    }
    with tenancy.scope(tenancy.tenant(company.id)):
        columns = {"owner_id": company.people[owner], **_COLUMNS.get(thing, {})}
        return str(keep.create(described, values, actors.system(company.id, "测试"), more=columns).id)


def _path(app: Flask, method: str, rule: Rule, thing: str = "", **named: str) -> str:
    """An address of the route: what is not named is a key of nothing, or the first of what the route knows."""
    values: dict[str, Any] = {name: _anything(rule._converters[name]) for name in rule.arguments} | named
    if "things" in rule.arguments:
        values["things"] = types.get(thing).plural
    return app.url_map.bind("localhost").build(rule.endpoint, values, method=method)


def _anything(converter: Any) -> Any:
    if isinstance(converter, AnyConverter):
        return sorted(converter.items)[0]
    return 1 if isinstance(converter, IntegerConverter) else uuid7()


@pytest.mark.parametrize("role", ROLES)
def test_only_who_manages_comes_into_what_is_the_administrators(app: Flask, ours, browser, looking, role: str) -> None:
    client = browser(ours, USERS[role])
    wrong = []
    for method, rule, view in doors(app):
        if view.right.kind != MANAGES:
            continue
        path = _path(app, method, rule, "lead")
        status = client.open(path, method=method).status_code
        if (status == 403) == (role == "admin") or status >= 500:
            wrong.append(f"{method} {rule.rule}: {status}")

    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_no_route_breaks_for_any_role(app: Flask, ours, browser, looking, role: str) -> None:
    """Nor for a key that is nothing; what an action of no role of his is refused whatever stands in the address."""
    client = browser(ours, USERS[role])
    wrong = []
    for method, rule, view in doors(app):
        if rule.endpoint == "crm.logout":  # nobody is in behind it
            continue
        for thing in [one.key for one in types.each()] if "things" in rule.arguments else [""]:
            status = client.open(_path(app, method, rule, thing), method=method).status_code
            said: Right = view.right
            key = said.thing or thing
            is_refused = (
                said.kind == RECORD
                and said.action not in {"read", "edit"}
                and said.action not in ROLES[role][0].get(key, {})
            )
            if status >= 500 or (is_refused and status != 403):
                wrong.append(f"{method} {rule.rule} {key}: {status}")

    assert wrong == []
