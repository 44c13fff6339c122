"""Every door has a guard, and behind it a stranger finds nothing that is not his."""

from __future__ import annotations

import contextvars
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from flask import Flask, Response, current_app, session
from flask.globals import _cv_app
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from app.core import clock, tenancy
from app.core.db import db
from app.core.tenancy import CustomerOwned, TenantOwned
from app.crm.access.models import CrmUser
from app.crm.customers.models import CrmCustomer
from app.customers.models import Person
from app.provisioning.models import Tenant
from app.web import identity
from app.web.area import Area
from tests.domain.provisioning import shop

# Areas without a log-in. Each finds out for itself what a visitor may see; their own tests say so.
# forms: strangers fill them in, the address names the tenant and nothing of his is shown but the form.
# hooks: WeChat and Weibo call them, each call is proven by its signature.
# api: no log-in but a key, which leads to its user; tests/areas/api tries every route without one.
OPEN_AREAS = {"site", "checkout", "pay", "sandbox", "forms", "hooks", "api"}
GUARDED = {"center": "person", "admin": "staff", "crm": "crm_user"}


def rules(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Each route with the name of its blueprint."""
    for rule in app.url_map.iter_rules():
        yield rule, rule.endpoint.rpartition(".")[0]


def unguarded(app: Flask) -> list[str]:
    """Routes that belong to no area, or to an area that lets everybody in and is not known as open."""
    found = []
    for rule, name in rules(app):
        if name == "operations":
            continue
        blueprint = app.blueprints.get(name)
        if not isinstance(blueprint, Area) or (blueprint.kind is None and name not in OPEN_AREAS):
            found.append(f"{rule.rule} ({rule.endpoint})")
    return found


def test_every_route_has_a_guard_or_belongs_to_an_open_area(app: Flask) -> None:
    assert unguarded(app) == []


def test_a_route_without_an_area_is_noticed() -> None:
    bare = Flask("bare", static_folder=None)
    bare.add_url_rule("/secret", "secret", lambda: "")
    shady = Area("shady", "shady")
    shady.add_url_rule("/shady", "view", lambda: "")
    bare.register_blueprint(shady)

    assert unguarded(bare) == ["/secret (secret)", "/shady (shady.view)"]


@pytest.mark.parametrize(("name", "kind"), GUARDED.items())
def test_each_guarded_area_asks_for_its_own_kind_of_person(app: Flask, name: str, kind: str) -> None:
    area = app.blueprints[name]

    assert isinstance(area, Area)
    assert area.kind == kind
    assert area.scope_of is not None


def test_every_view_of_the_admin_pages_names_the_right_it_needs(app: Flask) -> None:
    views = {rule.endpoint: app.view_functions[rule.endpoint] for rule, name in rules(app) if name == "admin"}

    assert [
        name for name, view in views.items() if not getattr(view, "right", None) and not getattr(view, "is_open", False)
    ] == []


def test_nobody_who_is_not_logged_in_sees_a_guarded_page(app: Flask, client: FlaskClient) -> None:
    """Each route of a guarded area sends a visitor to the log-in, whatever stands in the address."""
    open_doors = []
    for rule, name in rules(app):
        if name not in GUARDED or getattr(app.view_functions[rule.endpoint], "is_open", False):
            continue
        path = re.sub(r"<[^>]+>", "1", rule.rule)
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            answer = client.open(path, method=method)
            if answer.status_code not in {303, 401, 404} or (
                answer.status_code == 303 and "/login" not in answer.location
            ):
                open_doors.append(f"{method} {rule.rule}: {answer.status_code} {answer.location or ''}")

    assert open_doors == []


def owned_keys(app: Flask) -> dict[str, set[str]]:
    """For each owner (a customer's or a tenant's id) everything that could stand in an address: ids, numbers, codes."""
    keys: dict[str, set[str]] = {}
    with tenancy.scope(tenancy.everyone("a test looks")) as work:
        for mapper in db.Model.registry.mappers:
            for mixin, column in ((CustomerOwned, "customer_id"), (TenantOwned, "tenant_id")):
                if not issubclass(mapper.class_, mixin):
                    continue
                names = [column.name for column in mapper.local_table.columns if column.primary_key or column.unique]
                for row in work.scalars(db.select(mapper.class_)):
                    owner = keys.setdefault(getattr(row, column), set())
                    owner.update(str(getattr(row, name)) for name in names if getattr(row, name, None))
    return keys


def doors(app: Flask, area: str) -> list[tuple[str, Rule]]:
    """(method, rule) of each route of an area with something in its address."""
    return [
        (method, rule)
        for rule, name in rules(app)
        if name == area and rule.arguments
        for method in sorted((rule.methods or set()) & {"GET", "POST"})
    ]


@dataclass(frozen=True)
class Owner:
    """Somebody who bought a tenant and a licence: his customer, his tenant, and the people who log in for them."""

    customer_id: str
    tenant_id: str
    person: str
    user: str


@pytest.fixture
def owner_and_stranger(app: Flask, work: Callable[..., list[str]]) -> tuple[Owner, Owner]:
    """Two companies that never heard of each other, each with a tenant full of rows and a licence."""
    return a_company(work, "13800138000"), a_company(work, "13900139000")


def a_company(work: Callable[..., list[str]], phone: str) -> Owner:
    shop.buy("saas", "enterprise", phone=phone)
    order = shop.buy("private", "pro", phone=phone)
    work()
    with tenancy.scope(tenancy.everyone("a test sets the stage")) as found:
        tenant_id = found.scalars(db.select(Tenant.id).where(Tenant.customer_id == order.customer_id)).one()
        user = found.scalars(db.select(CrmUser).where(CrmUser.tenant_id == tenant_id)).one()
        user.must_change_password = False
        found.add(CrmCustomer(tenant_id=tenant_id, name="远山机械", owner_id=user.id, created_at=clock.now()))
        person = found.scalars(db.select(Person).where(Person.customer_id == order.customer_id)).one()
        found.flush()
        found.expunge_all()
    return Owner(order.customer_id, tenant_id, cookie(person, "/my/"), cookie(user, "/crm/"))


def cookie(person: object, path: str) -> str:
    """The session cookie of somebody who has logged in to the area of ``path``."""
    with current_app.test_request_context(path):
        identity.log_in(person)
        answer = Response()
        current_app.session_interface.save_session(current_app, session._get_current_object(), answer)  # type: ignore[attr-defined]
        return answer.headers["Set-Cookie"].partition(";")[0]


def ask(app: Flask, method: str, path: str, visitor: str) -> int:
    """The status of an answer, in a context of its own: in the test's, ``g`` would remember the last visitor."""

    def asked() -> int:
        db.session.rollback()
        _cv_app.set(None)
        return app.test_client(use_cookies=False).open(path, method=method, headers={"Cookie": visitor}).status_code

    return contextvars.copy_context().run(asked)


def let_in(app: Flask, area: str, keys: set[str], visitor: str) -> list[str]:
    """What of an area was not answered with 404, whichever key stands in the address."""
    return [
        f"{method} {path}: {status}"
        for method, rule in doors(app, area)
        for key in sorted(keys)
        for path in [re.sub(r"<[^>]+>", key, rule.rule)]
        for status in [ask(app, method, path, visitor)]
        if status not in {404, 405}
    ]


@pytest.mark.parametrize(("area", "home"), [("center", "/my/"), ("crm", "/crm/")])
def test_a_stranger_finds_nothing_of_the_owners(
    app: Flask, owner_and_stranger: tuple[Owner, Owner], area: str, home: str
) -> None:
    owner, stranger = owner_and_stranger
    keys = owned_keys(app)
    theirs, visitor = (
        (keys[owner.customer_id], stranger.person) if area == "center" else (keys[owner.tenant_id], stranger.user)
    )

    assert ask(app, "GET", home, visitor) == 200
    assert len(theirs) >= 2
    assert let_in(app, area, theirs, visitor) == []


def test_the_owner_does_find_his_own(app: Flask, owner_and_stranger: tuple[Owner, Owner]) -> None:
    """Else the test above would pass for doors that open to nobody."""
    owner, _stranger = owner_and_stranger
    keys = owned_keys(app)

    assert any(found.endswith(": 200") for found in let_in(app, "center", keys[owner.customer_id], owner.person))
    assert any(found.endswith(": 200") for found in let_in(app, "crm", keys[owner.tenant_id], owner.user))
