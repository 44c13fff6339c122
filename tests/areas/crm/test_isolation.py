"""Every door of the CRM, knocked at by the neighbour with our ids (SPEC §3, Tenancy)."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.core import tenancy
from app.core.events import Event
from app.crm.customers.models import CrmCustomer


def doors(app: Flask):
    """(method, rule) of every route of the CRM that takes an id."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/crm") and rule.arguments:
            for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
                yield method, rule


def all_of(model):
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        return session.scalar(select(func.count()).select_from(model))


def test_no_door_opens_to_the_neighbour(app, ours, theirs, browser, known, stored):
    id = known(ours, phone="13800138000", remark="只给我们自己看")
    neighbour = browser(theirs)
    events = all_of(Event)
    knocked = 0

    for method, rule in doors(app):
        path = rule.build(dict.fromkeys(rule.arguments, id))[1]
        answer = neighbour.open(path, method=method, data={"name": "改掉", "version": "1"})
        assert answer.status_code == 404, (method, path)
        assert "优远" not in answer.text and "13800138000" not in answer.text
        knocked += 1

    assert knocked >= 7
    assert all_of(Event) == events, "a refused request leaves no trace"
    assert stored(CrmCustomer, id).name == "北京优远科技有限公司"


@pytest.mark.parametrize(
    "path",
    ["/crm/", "/crm/customers", "/crm/customers?q=13800138000", "/crm/customers?q=bjyy", "/crm/customers?deleted=1"],
)
def test_no_list_or_figure_holds_the_neighbours_rows(ours, theirs, browser, known, path):
    known(ours, phone="13800138000")

    page = browser(theirs).get(path).text

    assert "优远" not in page and "138****8000" not in page


def test_a_neighbours_owner_filters_nothing_in_and_is_not_named(ours, theirs, browser, known):
    known(ours, owner_id=ours.people["sales1"])
    known(theirs, "他们的客户有限公司")

    page = browser(theirs).get(f"/crm/customers?owner={ours.people['sales1']}").text

    assert "优远" not in page and "没有符合条件的客户" in page


def test_duplicates_are_looked_for_at_home_only(ours, theirs, browser, known):
    known(ours, "杭州青禾商贸有限公司", phone="13800138000")

    answer = browser(theirs).post(
        "/crm/customers/duplicates", data={"name": "杭州青禾商贸有限公司", "phone": "13800138000"}
    )

    assert "可能已经有" not in answer.text


def test_a_stranger_is_sent_to_the_log_in_from_every_door(app, ours, client, known):
    id = known(ours)

    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if rule.endpoint.startswith("crm.") and not getattr(view, "is_open", False):
            for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
                answer = client.open(rule.build(dict.fromkeys(rule.arguments, id))[1], method=method)
                assert answer.status_code == 303 and answer.location.startswith("/crm/login"), (method, rule.rule)
