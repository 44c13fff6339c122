"""Every door of the CRM, knocked at by the neighbour with our ids (SPEC §3, Tenancy)."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.routing import IntegerConverter, Rule

from app.core import tenancy
from app.core.events import Event
from app.crm.leads.models import Lead

# What stands in an address beside ids
WORDS = {
    "things": "leads",
    "stage": "qualified",
    "step": "verified",
    "field": "company",
    "format": "csv",
    "kind": "csv",
}


def filled_in(rule: Rule, id: str) -> dict[str, object]:
    """Something for every part of an address: this id, a word where one is asked for, a number."""
    return {
        name: 1 if isinstance(rule._converters[name], IntegerConverter) else WORDS.get(name, id)
        for name in rule.arguments
    }


def doors(app: Flask, id: str):
    """(method, path) of every route of the CRM that takes an id, with this one in it."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/crm") and rule.arguments - set(WORDS):
            arguments = filled_in(rule, id)
            if "record_id" in arguments and "key" in arguments:
                arguments["key"] = "company"
            for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
                yield method, rule.build(arguments)[1]


def all_of(model):
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        return session.scalar(select(func.count()).select_from(model))


def test_no_door_opens_to_the_neighbour(app, ours, theirs, browser, record, stored):
    id = record(ours, "lead", name="优远的人", phone="13800138000", remark="只给我们自己看")
    neighbour = browser(theirs)
    events = all_of(Event)
    open_doors = []
    knocked = 0

    for method, path in doors(app, id):
        answer = neighbour.open(
            path, method=method, data={"name": "改掉", "version": "1", "value": "改掉", "stage": "qualified"}
        )
        if answer.status_code != 404 or "优远" in answer.text or "13800138000" in answer.text:
            open_doors.append((method, path, answer.status_code))
        knocked += 1

    assert open_doors == []
    assert knocked >= 20
    assert all_of(Event) == events, "a refused request leaves no trace"
    assert stored(Lead, id).name == "优远的人"


@pytest.mark.parametrize(
    "path",
    ["/crm/", "/crm/leads", "/crm/leads?q=13800138000", "/crm/leads?q=8000", "/crm/leads?q=yy", "/crm/leads/board", "/crm/leads/filter",
     "/crm/leads/views", "/crm/leads/export", "/crm/leads?view=mine", "/crm/customers", "/crm/contacts"],
)  # fmt: skip
def test_no_list_or_figure_holds_the_neighbours_rows(ours, theirs, browser, record, path):
    record(ours, "lead", owner="admin", name="优远的人", company="优远科技", phone="13800138000", tags="优远标签")
    record(ours, "customer", name="优远科技", phone="13800138000")

    page = browser(theirs).get(path).text

    assert "优远" not in page and "138****8000" not in page


def test_a_neighbours_owner_filters_nothing_in_and_is_not_named(ours, theirs, browser, record):
    record(ours, "lead", owner="sales1", name="优远的人")
    record(theirs, "lead", name="他们的线索")
    tree = json.dumps({"field": "owner_id", "op": "is_in", "value": [ours.people["sales1"]]})

    page = browser(theirs).get(f"/crm/leads?f={quote(tree)}").text

    assert "优远" not in page and "没有符合条件的线索" in page


def test_a_neighbours_view_is_no_view(ours, theirs, browser):
    saved = browser(ours).post("/crm/leads/views", data={"name": "我们的视图", "shared": "all"}).location
    neighbour = browser(theirs)

    assert neighbour.get(saved).status_code == 404
    assert (
        "我们的视图" not in neighbour.get("/crm/leads").text
        and "我们的视图" not in neighbour.get("/crm/leads/views").text
    )


def test_duplicates_are_looked_for_at_home_only(ours, theirs, browser, record):
    record(ours, "lead", name="优远的人", company="优远科技", phone="13800138000")
    record(theirs, "lead", name="他们的线索", phone="13900139000")

    answer = browser(theirs).post(
        "/crm/leads/new", data={"name": "新来的人", "company": "优远科技", "phone": "13800138000"}
    )

    assert answer.status_code in {200, 303} and "优远的人" not in answer.text


def test_a_stranger_is_sent_to_the_log_in_from_every_door(app, ours, client, record):
    id = record(ours, "lead")

    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if rule.endpoint.startswith("crm.") and not getattr(view, "is_open", False):
            path = rule.build(filled_in(rule, id))[1]
            for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
                answer = client.open(path, method=method)
                assert answer.status_code == 303 and answer.location.startswith("/crm/login"), (method, rule.rule)
