"""Who acts: a user with his policy, or the product itself for a tenant, always with a name for the audit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.core import audit
from app.crm.access import policy as policies
from app.crm.access.models import CrmUser
from app.crm.access.policy import Policy


@dataclass(frozen=True, slots=True)
class Actor:
    """``kind``: user, api, job or system. ``on_behalf_of`` is the user for whom a job works."""

    policy: Policy
    kind: str = "user"
    name: str = ""
    on_behalf_of: str | None = None

    @property
    def id(self) -> str | None:
        """The user's id, or None for the product itself."""
        return self.policy.user_id or None

    @property
    def tenant_id(self) -> str:
        return self.policy.tenant_id

    def __str__(self) -> str:
        """For events and transitions: crm_user:<id>, job:<name>."""
        return f"crm_user:{self.id}" if self.id and self.kind != "job" else f"{self.kind}:{self.name or 'system'}"

    def audited(self, action: str, entity: str, entity_id: str = "", **more: Any) -> None:
        """Write one audit row in this actor's name; the rest as in ``audit.row``."""
        audit.write(self.tenant_id, action, entity, entity_id, **self.audit_fields(), **more)

    def audit_fields(self) -> dict[str, Any]:
        """How an audit row names this actor."""
        return {
            "actor_kind": self.kind,
            "actor_id": self.id,
            "actor_name": self.name or self.policy.name,
            "on_behalf_of": self.on_behalf_of,
        }


def of(user: CrmUser, *, kind: str = "user") -> Actor:
    """A user, acting by hand or through the API."""
    return Actor(policies.of(user), kind=kind)


def job(tenant_id: str, name: str, *, on_behalf_of: CrmUser | None = None) -> Actor:
    """A job: with the rights of the user it works for, or with all of them where it works for the tenant."""
    if on_behalf_of is not None:
        return Actor(policies.of(on_behalf_of), "job", name, on_behalf_of.id)
    return Actor(policies.system(tenant_id), "job", name)


def system(tenant_id: str, name: str = "系统") -> Actor:
    """The product itself, in answer to something from outside: a form, a callback, a rule."""
    return Actor(policies.system(tenant_id), "system", name)
