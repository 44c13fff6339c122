"""The rules of ARCHITECTURE §2, §3 and §5 that can be read off the source, each also seen to fail."""

from __future__ import annotations

import pytest

from tests.architecture import sources
from tests.architecture.sources import offences, python_files

EVERYWHERE = ("app", "jobs")


def test_sql_is_written_by_hand_only_on_the_ground() -> None:
    assert offences(sources.written_sql, python_files(*EVERYWHERE), but=("app/core/", "app/gateways/sandbox/")) == []


def test_only_its_machine_writes_a_state() -> None:
    free = (
        "app/core/states.py",
        "app/web/",
        "app/gateways/",
        # A new record gets its first state where it is reckoned; a row of an import has a result; who leaves is gone
        "app/crm/leads/lead.py",
        "app/crm/activities/task.py",
        "app/crm/imports/",
        "app/crm/access/users.py",
    )  # answers have a status too, and a gateway keeps its own books

    assert offences(sources.state_written, python_files(*EVERYWHERE), but=free) == []


def test_only_the_guard_the_ground_and_the_jobs_end_a_transaction() -> None:
    free = ("app/core/", "app/web/area.py", "app/crm/imports/trial.py")  # a trial run is taken back, that is its point

    assert offences(sources.transaction_ended, python_files("app"), but=free) == []


def test_everybody_asks_one_clock() -> None:
    free = (
        "app/core/clock.py",
        "app/gateways/sandbox/",
        "app/launch.py",
    )  # the counterparts are other people's machines

    assert offences(sources.clock_passed_by, python_files(*EVERYWHERE), but=free) == []


def test_an_event_says_what_happened_to_what() -> None:
    assert offences(sources.event_misnamed, python_files(*EVERYWHERE)) == []


def test_the_business_sees_no_request() -> None:
    areas = (
        "app/web/",
        "app/blueprints/",
        "app/gateways/",
        "app/assembly.py",
        "app/outside.py",
        "app/__init__.py",
        "app/cli.py",
        "app/demo/measure.py",  # asks the pages, as a browser would
    )

    assert offences(sources.http_seen, python_files("app"), but=areas) == []


def test_money_never_becomes_a_float() -> None:
    assert offences(sources.money_floated, python_files(*EVERYWHERE)) == []


@pytest.mark.parametrize(
    ("rule", "offence"),
    [
        (sources.written_sql, "from sqlalchemy import text\nsession.execute(text('SELECT 1'))"),
        (sources.written_sql, "from sqlalchemy import text as sql\nsession.execute(sql('SELECT 1'))"),
        (sources.written_sql, "connection.exec_driver_sql('SELECT 1')"),
        (sources.state_written, "order.status = 'paid'"),
        (sources.state_written, "order.note, order.delivery = 'x', 'delivered'"),
        (sources.state_written, "session.execute(update(Order).values(status='paid'))"),
        (sources.state_written, "session.execute(update(Order).values({'delivery': 'failed'}))"),
        (sources.state_written, "setattr(order, 'status', 'paid')"),
        (sources.transaction_ended, "db.session.commit()"),
        (sources.transaction_ended, "session.rollback()"),
        (sources.clock_passed_by, "paid_at = datetime.now(UTC)"),
        (sources.clock_passed_by, "created_at = mapped_column(server_default=func.now())"),
        (sources.event_misnamed, "events.record('order.pay', order.id)"),
        (sources.event_misnamed, "events.record('paid', order.id)"),
        (sources.event_misnamed, "moves = {'pay': Move(('pending',), 'paid', 'order.pays')}"),
        (sources.http_seen, "from flask import current_app, request"),
        (sources.http_seen, "def verb():\n    from flask import session"),
        (sources.money_floated, "total = float(order.actual_price)"),
    ],
)
def test_a_planted_offence_is_found(rule: sources.Rule, offence: str) -> None:
    assert len(rule(offence)) == 1


@pytest.mark.parametrize(
    ("rule", "innocent"),
    [
        (sources.written_sql, "text = path.read_text()\nprint(text)"),
        (
            sources.state_written,
            "order = Order(status='pending')\nself.status = 'seen'\nif order.status == 'paid': pass",
        ),
        (sources.transaction_ended, "books.commit()"),
        (sources.clock_passed_by, "paid_at = clock.now()"),
        (sources.event_misnamed, "events.record('order.cancel_wanted', order.id)"),
    ],
)
def test_the_innocent_are_left_alone(rule: sources.Rule, innocent: str) -> None:
    assert rule(innocent) == []
