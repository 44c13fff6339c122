"""The API: a key's user and nobody more, JSON in and out, the same thing asked twice done once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, Response

from app.core import clock, tenancy
from app.core.audit import AuditEvent
from app.core.db import db, first_key
from app.crm.access import users
from app.crm.capture import keys
from app.crm.capture.models import ApiAnswer, ApiKey, Door
from app.crm.leads.models import Lead
from tests.company import Company, CrmBrowser, working

pytestmark = pytest.mark.database


class Program:
    """A client of the API with a key."""

    def __init__(self, app: Flask, key: str = "") -> None:
        self.browser, self.headers = CrmBrowser(app, Response), {"Authorization": f"Bearer {key}"} if key else {}

    def __call__(
        self, method: str, path: str, json: Any = None, headers: dict[str, str] | None = None, **more: Any
    ) -> Any:
        if json is not None:
            more["json"] = json
        return self.browser.open(f"/api/v1{path}", method=method, headers={**self.headers, **(headers or {})}, **more)


@pytest.fixture
def program(app: Flask) -> Callable[..., Program]:
    def make(company: Company, username: str = "admin", *, may_write: bool = True) -> Program:
        with working(company, username) as actor:
            _, text = keys.add("测试", actor, may_write=may_write)
        return Program(app, text)

    return make


def rows(ours: Company, model: Any) -> list[Any]:
    tenancy.leave()
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        found = session.scalars(db.select(model).order_by(model.id)).all()
        session.expunge_all()
        return list(found)


def test_a_lead_is_added_read_and_changed(ours: Company, program: Callable[..., Program]) -> None:
    api = program(ours)

    made = api("POST", "/leads", {"name": "李牧之", "phone": "13800138000", "tags": ["演示"], "amount": "1280.50"})
    assert made.status_code == 201
    told = made.get_json()
    assert made.headers["Location"] == f"/api/v1/leads/{told['id']}"
    assert (told["name"], told["phone"], told["source"], told["tags"], told["amount"]) == (
        "李牧之", "138****8000", "api", ["演示"], "1280.50"
    )  # fmt: skip
    changed = api("PATCH", f"/leads/{told['id']}", {"company": "北京优远", "version": told["version"]})
    assert (changed.status_code, changed.get_json()["company"]) == (200, "北京优远")
    assert (
        api("PATCH", f"/leads/{told['id']}", {"company": "x", "version": 1}).get_json()["error"]["code"] == "conflict"
    )
    assert api("GET", f"/leads/{told['id']}").get_json() == changed.get_json()
    audited = [one for one in rows(ours, AuditEvent) if one.entity == "lead"]
    assert {(one.actor_kind, one.actor_name) for one in audited} == {("api", "陈嘉禾")}


def test_a_list_is_read_page_by_page_to_its_end(
    ours: Company, program: Callable[..., Program], record: Callable[..., str]
) -> None:
    made = [record(ours, "lead", name=f"客户{number}") for number in range(7)]
    api = program(ours)

    seen, cursor = [], ""
    while True:
        page = api("GET", "/leads", query_string={"limit": 3, **({"cursor": cursor} if cursor else {})}).get_json()
        seen += [one["id"] for one in page["data"]]
        cursor = page["next_cursor"]
        if not cursor:
            break

    assert seen == made[::-1]
    assert [one["name"] for one in api("GET", "/leads?q=客户3").get_json()["data"]] == ["客户3"]


def test_a_key_sees_and_does_what_its_user_may(
    ours: Company, theirs: Company, program: Callable[..., Program], record: Callable[..., str]
) -> None:
    mine, other = record(ours, "lead", owner="sales1"), record(ours, "lead", owner="sales3", phone="13900139000")
    foreign = record(theirs, "lead", owner="sales1")
    sales, looker = program(ours, "sales1"), program(ours, "looker")

    assert [one["id"] for one in sales("GET", "/leads").get_json()["data"]] == [mine]
    for hidden in (other, foreign, "nobody"):
        assert sales("GET", f"/leads/{hidden}").status_code == 404
        assert sales("PATCH", f"/leads/{hidden}", {"name": "x"}).status_code == 404
    assert looker("POST", "/leads", {"name": "x"}).status_code == 403
    assert looker("PATCH", f"/leads/{mine}", {"name": "x"}).status_code == 403
    assert all(one.name == "李牧之" for one in rows(ours, Lead))


def test_customers_are_read(ours: Company, program: Callable[..., Program], record: Callable[..., str]) -> None:
    made = record(ours, "customer", name="北京优远", phone="13800138000")
    api = program(ours, "manager")  # sees what nobody owns: nothing

    assert api("GET", "/customers").get_json() == {"data": [], "next_cursor": None}
    admin = program(ours)
    assert admin("GET", f"/customers/{made}").get_json()["phone"] == "138****8000"
    assert admin("POST", "/customers", {"name": "x"}).status_code in {404, 405}


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer yk_nobody", "Basic YTpi", "Bearer ' OR 1=1", "bearer \u00e9"]
)
def test_without_a_key_nothing_is_answered(app: Flask, ours: Company, header: str) -> None:
    for method, path in (
        ("GET", "/leads"),
        ("POST", "/leads"),
        ("GET", "/leads/1"),
        ("PATCH", "/leads/1"),
        ("GET", "/customers"),
        ("GET", "/customers/1"),
    ):
        answer = Program(app)(method, path, headers={"Authorization": header} if header else {})
        assert answer.status_code == 401, (method, path)
        assert answer.get_json()["error"]["code"] == "unauthorized"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert "Set-Cookie" not in answer.headers


def test_a_cookie_opens_nothing(ours: Company, browser: Callable[..., Any]) -> None:
    assert browser(ours).get("/api/v1/leads").status_code == 401


def test_a_revoked_key_and_one_whose_user_left_open_nothing(ours: Company, program: Callable[..., Program]) -> None:
    revoked, left = program(ours), program(ours, "sales1")
    assert revoked("GET", "/leads").status_code == left("GET", "/leads").status_code == 200
    with working(ours) as actor:
        first = db.session.scalars(db.select(ApiKey).order_by(ApiKey.id)).first()
        keys.revoke(first.id, actor)
        users.deactivate(users.get(ours.people["sales1"]), actor)

    assert revoked("GET", "/leads").status_code == left("GET", "/leads").status_code == 401


def test_a_key_that_only_reads_writes_nothing(
    ours: Company, program: Callable[..., Program], record: Callable[..., str]
) -> None:
    lead = record(ours, "lead")
    api = program(ours, may_write=False)

    assert api("GET", f"/leads/{lead}").status_code == 200
    for answer in (api("POST", "/leads", {"name": "x"}), api("PATCH", f"/leads/{lead}", {"name": "x"})):
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "forbidden")


def test_the_text_of_a_key_is_kept_nowhere(ours: Company, program: Callable[..., Program]) -> None:
    api = program(ours)
    text = api.headers["Authorization"].removeprefix("Bearer ")
    api("GET", "/leads")

    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        (door,), (key,) = session.scalars(db.select(Door)).all(), session.scalars(db.select(ApiKey)).all()
        assert door.key_hash != text and len(door.key_hash) == 64
        assert key.start == text[:8] and key.last_used_at is not None


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "name"), ({"name": ""}, 422, "name"), ({"name": "x", "phone": "12"}, 422, "phone"),
        ({"name": "x", "owner": "y"}, 422, "owner"), ({"name": "x", "status": "converted"}, 422, "status"),
        ({"name": "x", "tenant_id": "y"}, 422, "tenant_id"), ({"name": {"a": 1}}, 422, "name"), ({"name": "a\ud800"}, 422, "name"),
        ({"name": "x", "source": "nowhere"}, 422, "source"), ({"name": "x", "tags": [["y"]]}, 422, "tags"),
        ({"name": "x", "amount": 1e400}, 400, None), ({"name": "x", "owner_id": "nobody"}, 422, None), ([], 400, None), ("x", 400, None),
        ({"name": "x", "priority": True}, 422, "priority"), ({"name": "x", "sourced_at": 5}, 422, "sourced_at"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(
    ours: Company, program: Callable[..., Program], body: Any, status: int, field: str | None
) -> None:
    answer = program(ours)("POST", "/leads", body)

    assert answer.status_code in {status, 422}, answer.text
    error = answer.get_json()["error"]
    assert error["code"] in {"invalid", "bad_request"} and error["message"]
    if field:
        assert error["field"] == field
    assert rows(ours, Lead) == []


def test_what_can_not_be_read_is_refused(ours: Company, program: Callable[..., Program]) -> None:
    api = program(ours)

    for raw in (b"", b"{", b"[" * 5000, b"\xff\xfe", b"null"):
        assert api("POST", "/leads", data=raw, content_type="application/json").status_code == 400
    assert api("POST", "/leads", data={"name": "x"}).status_code == 415
    assert api("POST", "/leads", data=b"<xml/>", content_type="text/xml").status_code == 415
    assert api("POST", "/leads", {"name": "x", "remark": "长" * 200_000}).status_code == 413
    assert api("DELETE", "/leads").status_code in {404, 405}
    assert api("GET", "/nowhere").get_json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    "hostile", ["'", '"', "' OR 1=1 --", "1; DROP TABLE crm_leads", "<script>", "9" * 5000, "-1", "²", "%"]
)
@pytest.mark.parametrize("parameter", ["limit", "cursor", "sort", "order", "ids"])
def test_no_parameter_of_a_list_reaches_the_database_as_more_than_a_value(
    ours: Company, program: Callable[..., Program], parameter: str, hostile: str
) -> None:
    answer = program(ours)("GET", "/leads", query_string={parameter: hostile})

    assert answer.status_code == 400
    assert answer.get_json()["error"]["field"] == parameter


def test_hostile_words_are_words(ours: Company, program: Callable[..., Program], browser: Callable[..., Any]) -> None:
    api = program(ours)
    hostile = "<img src=x onerror=alert(1)>' OR 1=1 --"

    made = api("POST", "/leads", {"name": hostile, "company": hostile, "remark": hostile})

    assert made.get_json()["name"] == hostile
    assert api("GET", "/leads", query_string={"q": hostile[:90]}).status_code == 200
    assert "<img src=x" not in browser(ours).get(f"/crm/leads/{made.get_json()['id']}").text


def test_the_same_request_again_is_answered_and_not_done(ours: Company, program: Callable[..., Program]) -> None:
    api = program(ours)
    once = {"Idempotency-Key": "订单-1".encode().hex()}

    first, again = (api("POST", "/leads", {"name": "李牧之"}, headers=once) for _ in range(2))
    other = api("POST", "/leads", {"name": "王"}, headers=once)

    assert (first.status_code, again.status_code, first.get_json()) == (201, 201, again.get_json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.get_json()["error"]["field"]) == (409, "Idempotency-Key")
    assert len(rows(ours, Lead)) == 1
    refused = api("POST", "/leads", {"name": ""}, headers={"Idempotency-Key": "2"})
    assert refused.status_code == 422
    assert api("POST", "/leads", {"name": "陈"}, headers={"Idempotency-Key": "2"}).status_code == 201


def test_an_answer_is_forgotten_after_a_day(ours: Company, program: Callable[..., Program]) -> None:
    api = program(ours)
    first = api("POST", "/leads", {"name": "李牧之"}, headers={"Idempotency-Key": "1"})

    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        (answer,) = session.scalars(db.select(ApiAnswer)).all()
        answer.id = first_key(clock.now() - timedelta(hours=25))
    again = api("POST", "/leads", {"name": "李牧之"}, headers={"Idempotency-Key": "1"})

    assert again.status_code == 201 and again.get_json()["id"] != first.get_json()["id"]
    assert len(rows(ours, ApiAnswer)) == 1


def test_the_same_request_at_once_is_done_once(app: Flask, ours: Company, program: Callable[..., Program]) -> None:
    api = program(ours)
    start, answers = threading.Barrier(4), []
    db.session.rollback()

    def post() -> None:
        with app.app_context():
            start.wait()
            answers.append(api("POST", "/leads", {"name": "李"}, headers={"Idempotency-Key": "1"}).get_json()["id"])

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 4 and len(set(answers)) == 1
    assert len(rows(ours, Lead)) == 1


def test_a_taken_phone_is_a_conflict(
    ours: Company, program: Callable[..., Program], record: Callable[..., str]
) -> None:
    record(ours, "lead", phone="13800138000")

    answer = program(ours)("POST", "/leads", {"name": "x", "phone": "13800138000"})

    assert (answer.status_code, answer.get_json()["error"]["field"]) == (409, "phone")


def test_a_key_has_so_many_turns_a_minute(
    ours: Company, program: Callable[..., Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.blueprints.api.PER_MINUTE", 3)
    api = program(ours)

    statuses = [api("GET", "/leads").status_code for _ in range(4)]
    refused = api("POST", "/leads", {"name": "x"})

    assert statuses == [200, 200, 200, 429]
    assert int(refused.headers["Retry-After"]) > 0 and refused.get_json()["error"]["code"] == "too_many_requests"


def test_an_expired_tenant_reads_and_does_not_write(
    make_company: Callable[..., Company], program: Callable[..., Program]
) -> None:
    ours = make_company(days=-30)
    api = program(ours)

    assert api("GET", "/leads").status_code == 200
    assert api("POST", "/leads", {"name": "x"}).status_code == 403


def test_the_description_is_valid_and_names_every_route(app: Flask, ours: Company) -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    found = Program(app)("GET", "/openapi.json").get_json()

    validator.validate(found)
    described = {
        (method.upper(), f"/api{path}")
        for path, item in found["paths"].items()
        for method in item
        if method != "parameters"
    }
    routes = {
        (method, rule.rule.replace("<record_id>", "{id}"))
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api.") and rule.rule.startswith("/api/v1/") and rule.endpoint != "api.openapi"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == routes
    assert "phone" in found["components"]["schemas"]["LeadInput"]["properties"]
    assert "status" not in found["components"]["schemas"]["LeadInput"]["properties"]


def test_people_find_a_page(app: Flask, ours: Company) -> None:
    page = CrmBrowser(app, Response).get("/api/docs")

    assert page.status_code == 200 and "新建线索" in page.text


def test_keys_are_made_shown_once_and_stopped(ours: Company, theirs: Company, browser: Callable[..., Any]) -> None:
    sales = browser(ours, "sales1")
    assert sales.post("/crm/settings/keys", data={"name": " "}).status_code == 422
    made = sales.post("/crm/settings/keys", data={"name": "报表<b>", "may_write": "1"})
    assert "yk_" in made.text and "报表<b>" not in made.text
    (key,) = rows(ours, ApiKey)
    assert key.may_write and key.user_id == ours.people["sales1"]

    assert "报表" in sales.get("/crm/settings/keys").text
    assert "报表" not in browser(ours, "sales2").get("/crm/settings/keys").text
    for stranger in (browser(ours, "sales2"), browser(theirs)):
        assert stranger.post(f"/crm/settings/keys/{key.id}/revoke").status_code == 404
    assert browser(ours).post(f"/crm/settings/keys/{key.id}/revoke").status_code == 303
    assert rows(ours, ApiKey)[0].revoked_at is not None
