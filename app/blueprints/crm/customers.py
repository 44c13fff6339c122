"""The tenant's customers: listed, searched, added, changed, taken away and brought back."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from wtforms import HiddenField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Email, Length, Optional, ValidationError

from app.blueprints.crm import always_allowed, area
from app.core.db import uuid7
from app.core.errors import Invalid, Refused
from app.crm.access import users
from app.crm.access.models import CrmUser
from app.crm.customers import keep, phones, queries
from app.crm.customers.keep import Details, Outdated
from app.crm.customers.models import CrmCustomer
from app.crm.customers.queries import Filters
from app.web import tables
from app.web.forms import Form, trimmed
from app.web.pages import done, page

SORTS = {"changed": "最近修改", "added": "最近添加", "name": "名称"}


class CustomerForm(Form):
    name = StringField("公司", [DataRequired("请填公司名称"), Length(max=200, message="公司名称最多 200 个字")])
    contact_name = StringField("联系人", [Optional(), Length(max=100, message="联系人最多 100 个字")])
    phone = StringField("电话", [Optional(), Length(max=40, message="这不像一个电话号码")])
    email = StringField(
        "邮箱", [Optional(), Length(max=120, message="邮箱太长了"), Email("这不像一个邮箱地址，例如 name@example.com")]
    )
    region = StringField("地区", [Optional(), Length(max=60, message="地区最多 60 个字")])
    source = SelectField("来源", [Optional()], choices=[SelectChoice("", "未填"), *map(SelectChoice, keep.SOURCES)])
    owner_id = SelectField("负责人", [Optional()])
    remark = TextAreaField("备注", [Optional(), Length(max=5000, message="备注最多 5000 个字")])
    version = HiddenField()
    draft = HiddenField()

    def __init__(self, *args: Any, present: CrmCustomer | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        self.people = dict(users.colleagues(g.tenant.id))
        kept = present.owner_id if present is not None else None
        if kept and kept not in self.people:  # whoever left keeps what he has until somebody takes it over
            self.people[kept] = queries.names({kept}).get(kept, "已离开的同事")
        self.owner_id.choices = [SelectChoice("", "未分配"), *(SelectChoice(*person) for person in self.people.items())]
        if present is not None and present.source and present.source not in keep.SOURCES:
            self.source.choices = [*self.source.choices, SelectChoice(present.source)]

    def validate_phone(self, field: StringField) -> None:
        """Beside the other fields at once; a number in its mask stays as it is."""
        if "*" not in (field.data or ""):
            try:
                phones.normalise(field.data or "")
            except Invalid as error:
                raise ValidationError(error.message) from error

    def details(self) -> Details:
        return Details(**{field.name: self[field.name].data or "" for field in fields(Details)})


@area.get("/customers")
def customers() -> ResponseReturnValue:
    filters, sort = _filters(), request.args.get("sort", "changed")
    sort = sort if sort in SORTS else "changed"
    people = dict(users.colleagues(g.tenant.id))
    rows = tables.keyset(
        queries.listed(filters, g.tenant.id), queries.order(sort), request.args.get(tables.CURSOR), limit=30
    )
    prev_path, next_path = tables.paths(rows)
    return page(
        "crm/customers.html",
        fragments=("customer_list",),
        rows=rows.rows,
        prev_path=prev_path,
        next_path=next_path,
        filters=filters,
        chips=_chips(filters, people),
        people=people,
        sources=keep.SOURCES,
        sort=sort,
        sorts=SORTS,
        path_with=lambda **changes: tables.path_with(**{tables.CURSOR: None, **changes}),
    )


@area.route("/customers/new", methods=["GET", "POST"])
def new_customer() -> ResponseReturnValue:
    fresh = {"owner_id": current_user.id, "draft": uuid7()}
    form = CustomerForm(data=None if request.method == "POST" else fresh)
    if form.validate_on_submit():
        try:
            added = keep.add_customer(form.details(), actor=_me(), draft=form.draft.data or "")
            return _saved(added, f"已添加客户「{added.name}」")
        except Refused as error:
            form.refuse(error)
    status = 422 if form.is_submitted() else 200
    return _form_page(form, status=status)


@area.get("/customers/<id>")
def customer(id: str) -> ResponseReturnValue:
    return _detail(queries.any_state(id))


@area.route("/customers/<id>/edit", methods=["GET", "POST"])
def edit_customer(id: str) -> ResponseReturnValue:
    found = queries.live(id)
    form = CustomerForm(present=found, data=None if request.method == "POST" else _as_data(found))
    present: dict[str, str] = {}
    status = 200
    if form.is_submitted():
        status = 422
        if form.validate():
            try:
                changed = keep.change_customer(id, form.details(), _number(form.version.data), actor=_me())
                return _saved(changed, f"已保存「{changed.name}」")
            except Outdated as error:
                form.refuse(error)
                present, status = _present(form, error.present), error.status
                form.version.data = str(error.present.version)
            except Refused as error:
                form.refuse(error)
    return _form_page(form, customer=found, present=present, status=status)


@area.post("/customers/duplicates")
def customer_duplicates() -> ResponseReturnValue:
    """What is there already with this phone or company, asked while one types; nothing is refused for it."""
    found = queries.duplicates(
        trimmed(request.form.get("name", "")),
        trimmed(request.form.get("phone", "")),
        g.tenant.id,
        besides=trimmed(request.form.get("besides", "")),
    )
    return page("crm/_duplicates.html", duplicates=found)


@area.post("/customers/<id>/phone")
@always_allowed
def customer_phone(id: str) -> ResponseReturnValue:
    """The whole number, and a record of who read it."""
    return _detail(queries.live(id), phone=keep.reveal_phone(id, actor=_me()), fragments=("customer_phone",))


@area.get("/customers/<id>/delete")
def confirm_delete(id: str) -> ResponseReturnValue:
    """The question as a page, for a browser without script."""
    return page("crm/customer_delete.html", customer=queries.live(id))


@area.post("/customers/<id>/delete")
def delete_customer(id: str) -> ResponseReturnValue:
    gone = keep.delete_customer(id, actor=_me())
    flash(f"已删除客户「{gone.name}」", f"undo:{url_for('crm.restore_customer', id=id)}")
    return done(url_for("crm.customers"))


@area.post("/customers/<id>/restore")
def restore_customer(id: str) -> ResponseReturnValue:
    back = keep.restore_customer(id, actor=_me())
    return done(url_for("crm.customer", id=id), f"已恢复客户「{back.name}」")


def _form_page(
    form: CustomerForm, *, customer: CrmCustomer | None = None, present: dict[str, str] | None = None, status: int
) -> ResponseReturnValue:
    """``present`` is what somebody else wrote in the meantime, where it differs from what stands in the form."""
    by = queries.names({customer.updated_by_id}) if present and customer and customer.updated_by_id else {}
    return page(
        "crm/customer_form.html",
        form=form,
        customer=customer,
        present=present or {},
        present_by=next(iter(by.values()), "同事"),
        labels=keep.LABELS,
        duplicates=[],
        status=status,
    )


def _saved(saved: CrmCustomer, words: str) -> ResponseReturnValue:
    """To the customer's page, with a word on what looks like the same one twice."""
    twins = queries.duplicates(saved.name, saved.phone or "", g.tenant.id, besides=saved.id, limit=1)
    target = url_for("crm.customer", id=saved.id)
    if twins:
        return done(target, f"{words}。它和「{twins[0].name}」像是同一家，请核对", kind="warn")
    return done(target, words)


def _detail(found: CrmCustomer, *, phone: str | None = None, fragments: tuple[str, ...] = ()) -> ResponseReturnValue:
    history = queries.history(found.id)
    owner = queries.names({found.owner_id}).get(found.owner_id) if found.owner_id else None
    return page(
        "crm/customer.html",
        fragments=fragments,
        customer=found,
        phone=phone,
        owner=owner,
        history=history,
        labels=keep.LABELS,
    )


def _filters() -> Filters:
    arguments = request.args
    return Filters(
        q=arguments.get("q", "").strip()[:100],
        owner=current_user.id if arguments.get("owner") == "me" else arguments.get("owner", "")[:36],
        source=arguments.get("source", "")[:40],
        added="month" if arguments.get("added") == "month" else "",
        deleted=arguments.get("deleted") == "1",
    )


def _chips(filters: Filters, people: dict[str, str]) -> list[tuple[str, str, str, str]]:
    """(name, operator, value, path without it) of the conditions in force."""
    owner = "未分配" if filters.owner == "none" else people.get(filters.owner, "已离开的同事")
    shown = [
        ("搜索", "包含", filters.q, "q"),
        ("负责人", "是", owner if filters.owner else "", "owner"),
        ("来源", "是", filters.source, "source"),
        ("添加时间", "是", "本月" if filters.added else "", "added"),
    ]
    without = {"cursor": None}
    return [
        (name, operator, value, tables.path_with(**{**without, key: None}))
        for name, operator, value, key in shown
        if value
    ]


def _present(form: CustomerForm, now: CrmCustomer) -> dict[str, str]:
    """{field: what stands there now} where it differs from what was typed."""
    there, typed = keep.written(now), form.details()
    differing = [name for name in keep.LABELS if getattr(there, name) != getattr(typed, name)]
    values = {name: getattr(there, name) for name in differing}
    if "owner_id" in values:
        values["owner_id"] = form.people.get(values["owner_id"], "未分配")
    return {name: value or "（空）" for name, value in values.items()}


def _as_data(found: CrmCustomer) -> dict[str, Any]:
    written = keep.written(found)
    return {**{field.name: getattr(written, field.name) for field in fields(Details)}, "version": str(found.version)}


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 10 else 0


def _me() -> CrmUser:
    return current_user._get_current_object()  # type: ignore[no-any-return]
