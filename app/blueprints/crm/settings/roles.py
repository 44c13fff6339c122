"""设置 → 角色: object × action × scope and the rights on fields, with a look at whom a change touches."""

from __future__ import annotations

from typing import Any

from flask import g, request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import manages
from app.core.errors import Refused
from app.crm.access import departments, packages, policy, roles
from app.crm.access.models import Role
from app.crm.records import custom, types
from app.web.pages import done, page

CHOSEN = "departments"  # in the form: the departments ticked below the grid
_OTHER_LABELS = {"communication": "沟通记录", "task": "任务", "plan": "跟进计划", policy.MANAGE: "设置"}


def things() -> list[tuple[str, str]]:
    """(key, label) of all that a role may have rights on."""
    labels = {described.key: described.label for described in types.each()}
    known = [*roles.THINGS, *(key for key in labels if key not in roles.THINGS), policy.MANAGE]
    return [(key, _OTHER_LABELS.get(key) or labels.get(key, key)) for key in known]


def words(said: str) -> str:
    """ "lead.read" and "lead:phone" of an audit row or a preview, in Chinese: 线索·查看, 线索的手机."""
    labels = dict(things())
    if "." in said:
        thing, _, action = said.partition(".")
        return f"{labels.get(thing, thing)}·{policy.ACTIONS.get(action, action)}"
    thing, _, name = said.partition(":")
    described = types.find(thing)
    field = described.by_key.get(name) if described else None
    return f"{labels.get(thing, thing)}的{field.label if field else name}" if name else said


@area.get("/settings/roles")
@manages
def role_list() -> ResponseReturnValue:
    return page("crm/settings/roles.html", roles=roles.each(), counts=roles.counts())


@area.route("/settings/roles/<role_id>", methods=["GET", "POST"])
@manages
def role_edit(role_id: str) -> ResponseReturnValue:
    role = roles.get(role_id)
    refusal = None
    if request.method == "POST":
        try:
            roles.write(
                role, request.form.get("name", ""), request.form.get("description", ""), _rights(), _fields(role), me()
            )
            return done(url_for("crm.role_list"), f"「{role.name}」已保存，从下一次操作起生效")
        except Refused as error:
            refusal = error.message
    return _page(role, refusal=refusal, status=422 if refusal else 200)


@area.post("/settings/roles/<role_id>/preview")
@manages
def role_preview(role_id: str) -> ResponseReturnValue:
    """「谁会受影响」, before anything is saved."""
    role = roles.get(role_id)
    try:
        effects = roles.preview(role, _rights(), _fields(role))
    except Refused as error:
        return _page(role, refusal=error.message, status=422)
    said = [(one.name, [_in_words(change) for change in one.changes]) for one in effects]
    return _page(role, effects=said)


@area.post("/settings/roles/<role_id>/copy")
@manages
def role_copy(role_id: str) -> ResponseReturnValue:
    made = roles.copy(roles.get(role_id), me())
    return done(url_for("crm.role_edit", role_id=made.id), f"已复制为「{made.name}」")


@area.post("/settings/roles/<role_id>/delete")
@manages
def role_delete(role_id: str) -> ResponseReturnValue:
    role = roles.get(role_id)
    try:
        roles.remove(role, me())
    except Refused as error:
        return done(url_for("crm.role_edit", role_id=role.id), error.message, kind="error")
    return done(url_for("crm.role_list"), f"「{role.name}」已删除")


def _page(role: Role, *, refusal: str | None = None, effects: Any = None, status: int = 200) -> ResponseReturnValue:
    sent = request.method == "POST"
    rights, fields = (_rights(), _fields(role)) if sent else (role.rights, role.fields)
    chosen = request.form.getlist("departments") if sent else _chosen(role.rights)
    return page(
        "crm/settings/role.html",
        fragments=("role_effects",),
        role=role,
        name=request.form.get("name", "") if sent else role.name,
        description=request.form.get("description", "") if sent else role.description,
        is_fixed=role.is_shipped and role.key == "admin",
        rights=rights,
        given_fields=fields,
        things=things(),
        actions=policy.ACTIONS,
        scopes=policy.SCOPES,
        chosen=chosen,
        tree=departments.tree(),
        field_rights=policy.FIELD_RIGHT_NAMES,
        has_field_rights=_has_field_rights(),
        feature=packages.FEATURES["field_rights"],
        objects=[(described, list(custom.fields(described, me()).values())) for described in types.each()],
        holders=roles.holders(role.id),
        effects=effects,
        refusal=refusal,
        status=status,
    )


def _rights() -> dict[str, Any]:
    """The grid as it was sent: r.<object>.<action> = scope."""
    chosen = request.form.getlist("departments")
    rights: dict[str, Any] = {}
    for name, scope in request.form.items():
        mark, _, rest = name.partition(".")
        thing, _, action = rest.partition(".")
        if mark == "r" and scope:
            rights.setdefault(thing, {})[action] = chosen if scope == CHOSEN else scope
    return rights


def _has_field_rights() -> bool:
    return packages.holds(g.tenant, "field_rights")


def _fields(role: Role) -> dict[str, Any]:
    """f.<object>.<field> = right, and s.<object>.<field> where the narrowest role wins.

    A package without rights on fields has no such part in its form; what stands in the role stays then.
    """
    if not _has_field_rights() and not any(name.startswith("f.") for name in request.form):
        return role.fields
    fields: dict[str, Any] = {}
    for name, right in request.form.items():
        mark, _, rest = name.partition(".")
        thing, _, field = rest.partition(".")
        if mark == "f" and right:
            strict = "!" if request.form.get(f"s.{rest}") else ""
            fields.setdefault(thing, {})[field] = f"{right}{strict}"
    return fields


def _chosen(rights: dict[str, Any]) -> list[str]:
    lists = [scope for actions in rights.values() for scope in actions.values() if isinstance(scope, list)]
    return sorted({key for one in lists for key in one})


def _in_words(change: str) -> str:
    said, _, rest = change.partition(": ")
    return f"{words(said)}：{rest}"
