"""设置 → 部门: the tree that scopes such as 本部门及下级 follow."""

from __future__ import annotations

from flask import url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectField, StringField
from wtforms.validators import DataRequired, Length

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import manages
from app.core.errors import Refused
from app.crm.access import departments
from app.crm.access.models import Department
from app.web.forms import Form
from app.web.pages import done, page


class DepartmentForm(Form):
    name = StringField("部门名称", [DataRequired("请填部门名称"), Length(max=40, message="部门名称最多 40 个字")])
    parent = SelectField("上级部门", validate_choice=False)

    def offer(self, besides: Department | None = None) -> None:
        """Every place but under itself."""
        branches = [one for one in departments.tree() if besides is None or f"/{besides.id}/" not in one.path]
        self.parent.choices = [("", "最上级"), *((one.id, "\u3000" * one.depth + one.name) for one in branches)]


@area.route("/settings/departments", methods=["GET", "POST"])
@manages
def department_list() -> ResponseReturnValue:
    form = DepartmentForm()
    form.offer()
    if form.validate_on_submit():
        try:
            made = departments.add(form.name.data or "", form.parent.data or None, me())
            return done(url_for("crm.department_list"), f"已新建「{made.name}」")
        except Refused as error:
            form.refuse(error)
    return page(
        "crm/settings/departments.html", form=form, tree=departments.tree(), status=422 if form.is_submitted() else 200
    )


@area.route("/settings/departments/<department_id>", methods=["GET", "POST"])
@manages
def department_edit(department_id: str) -> ResponseReturnValue:
    department = departments.get(department_id)
    form = DepartmentForm(data={"name": department.name, "parent": department.parent_id or ""})
    form.offer(department)
    if form.validate_on_submit():
        try:
            departments.change(department, form.name.data or "", form.parent.data or None, me())
            return done(url_for("crm.department_list"), f"「{department.name}」已保存")
        except Refused as error:
            form.refuse(error)
    return page(
        "crm/settings/department.html", form=form, department=department, status=422 if form.is_submitted() else 200
    )


@area.post("/settings/departments/<department_id>/delete")
@manages
def department_delete(department_id: str) -> ResponseReturnValue:
    department = departments.get(department_id)
    try:
        departments.remove(department, me())
    except Refused as error:
        return done(url_for("crm.department_list"), error.message, kind="error")
    return done(url_for("crm.department_list"), f"「{department.name}」已删除")
