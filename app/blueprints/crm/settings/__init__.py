"""设置: one's own name and password for everybody, and the tenant's people, rights and records of both for administrators."""

from app.blueprints.crm.settings import (  # noqa: F401
    audit,
    calendar,
    cases,
    departments,
    explain,
    fields,
    me,
    roles,
    sharing,
    simulate,
    tabs,
    users,
)
