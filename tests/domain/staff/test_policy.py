"""What each role may do, written out: the table in the product is changed on purpose or not at all."""

from __future__ import annotations

import pytest

from app.core.errors import Forbidden
from app.staff import policy
from app.staff.models import Staff

CLOSED = {
    "admin": set(),
    "support": {"orders.refund", "payments.resolve"},
    "finance": {
        "customers.reveal",
        "orders.resend",
        "orders.redeliver",
        "messages.see",
        "messages.resend",
        "tasks.retry",
    },
}


@pytest.mark.parametrize("role", policy.ROLES)
def test_a_role_may_do_all_but_what_is_closed_to_it(role: str) -> None:
    staff = Staff(role=role)

    assert {right for right in policy.RIGHTS if not policy.may(staff, right)} == CLOSED[role]


def test_who_may_not_is_told_who_can_help() -> None:
    with pytest.raises(Forbidden) as refusal:
        policy.insist(Staff(role="support"), "orders.refund")

    assert refusal.value.message == "技术支持不能做这件事，请找管理员或财务。"


def test_a_role_that_does_not_exist_may_nothing() -> None:
    assert not any(policy.may(Staff(role="guest"), right) for right in policy.RIGHTS)


def test_an_unknown_right_is_a_fault_of_the_program() -> None:
    with pytest.raises(KeyError):
        policy.may(Staff(role="admin"), "orders.eat")
