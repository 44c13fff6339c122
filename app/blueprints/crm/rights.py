"""What a view says about who may use it: one mark on each, which the guard insists on and from which the matrix is made.

``@right("edit", "lead")`` above ``/leads/<record_id>`` says: the action ``edit`` on that very lead. A route without a mark
fails tests/security/test_matrix.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from app.core.errors import Forbidden
from app.crm.access import packages
from app.crm.access.policy import ACTIONS, Policy
from app.crm.access.tenants import Tenant
from app.crm.records.types import RecordType

View = TypeVar("View", bound=Callable[..., Any])
RECORD, MANAGES, OWN, EVERYBODY = "record", "manages", "own", "everybody"


@dataclass(frozen=True, slots=True)
class Right:
    """``kind``: an action on records, administrators only, one's own rows only, or everybody who is logged in.

    ``thing`` is the key of an object, or "" where the address names it (``<things>``, its plural). ``argument`` is the
    part of the address that bears the record's id, if it bears one.
    """

    kind: str
    action: str = ""
    thing: str = ""
    argument: str = "record_id"

    def thing_of(self, arguments: Mapping[str, Any]) -> str:
        """The key of the object; "" where the address names none."""
        named = arguments.get("things")
        return self.thing or (named.key if isinstance(named, RecordType) else "")


def right(action: str, thing: str = "", *, record: str = "record_id") -> Callable[[View], View]:
    """Mark a view as an action (policy.ACTIONS) on records of ``thing``; its verbs check the very record (reach.find)."""
    if action not in ACTIONS:
        raise LookupError(f"no action is called {action!r}")
    return _mark(Right(RECORD, action, thing, record))


def manages(view: View) -> View:
    """Mark a view that only those may use who manage the tenant: the guard refuses everybody else with 403."""
    return _mark(Right(MANAGES))(view)


def own(view: View) -> View:
    """Mark a view on what belongs to the user himself, or is shared with him: a stranger's key is a 404."""
    return _mark(Right(OWN))(view)


def everybody(view: View) -> View:
    """Mark a view for everybody of the tenant, which shows each what he may see."""
    return _mark(Right(EVERYBODY))(view)


def needs(feature: str) -> Callable[[View], View]:
    """Mark a view that only a package with this feature opens (packages.FEATURES): the guard refuses it with a way up."""
    if feature not in packages.FEATURES:
        raise LookupError(f"no feature is called {feature!r}")

    def mark(view: View) -> View:
        view.feature = feature  # type: ignore[attr-defined]
        return view

    return mark


def _mark(said: Right) -> Callable[[View], View]:
    def mark(view: View) -> View:
        view.right = said  # type: ignore[attr-defined]
        return view

    return mark


def insist(view: Any, policy: Policy, tenant: Tenant, arguments: Mapping[str, Any]) -> None:
    """What can be refused before the view is asked: rules to those who do not manage, actions that no role of theirs has,
    and what the tenant's package does not hold.

    Reading and editing also come by other ways than a role (a collaborator's), so those are left to the verbs.
    Raises Forbidden.
    """
    _insist_on_right(view, policy, arguments)
    feature = getattr(view, "feature", "")
    if feature:
        packages.insist(tenant, feature)


def _insist_on_right(view: Any, policy: Policy, arguments: Mapping[str, Any]) -> None:
    said: Right | None = getattr(view, "right", None)
    if said is None:
        return
    if said.kind == MANAGES and not policy.manages:
        raise Forbidden("这里只有管理员能进。需要的话，请联系管理员。")
    if said.kind == RECORD and said.action not in {"read", "edit"}:
        policy.insist(said.thing_of(arguments), said.action)
