"""Which column becomes which field, and what is done about rows that are known already; remembered by the head row."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.core.db import db
from app.core.errors import Forbidden, Invalid
from app.crm.access.actor import Actor
from app.crm.imports.models import ImportMapping
from app.crm.records import custom
from app.crm.records.fields import Field
from app.crm.records.types import RecordType
from app.crm.records.words import plain

POLICIES = {"overwrite": "覆盖", "fill": "为空才填", "append": "追加"}
ACTIONS = {"update": "更新已有的", "skip": "跳过", "create": "仍然新建", "review": "留待我确认"}
BIN = {"skip": "跳过并列出", "restore": "恢复并更新", "create": "仍然新建"}
ELSEWHERE = {"skip": "跳过并列出", "create": "仍然新建", "review": "留待我确认"}
OWNERS = {"nobody": "先不分配", "me": "归我"}
KEYS = {"phone": "电话", "email": "邮箱", "name": "公司和姓名", "external_id": "外部编号"}
RESULT_HEAD = ("行号", "错误原因")  # what our own file of failed rows has behind the columns of its source
APPENDED = {"tags", "long_text"}  # kinds of fields that hold several values

_SYNONYMS = {
    "name": "姓名 名字 联系人 联系人姓名 客户姓名 称呼 name contact fullname",
    "company": "公司 公司名称 企业 企业名称 单位 单位名称 客户名称 客户 机构 company organization corp account",
    "contact_name": "联系人 联系人姓名 姓名 contact",
    "title": "职位 职务 岗位 头衔 title position jobtitle",
    "phone": "手机 手机号 手机号码 电话 电话号码 联系电话 联系方式 移动电话 座机 mobile tel phone cellphone telephone phonenumber mobilephone",
    "email": "邮箱 电子邮箱 邮件 电子邮件 邮箱地址 email mail emailaddress",
    "wechat": "微信 微信号 wechat weixin",
    "region": "地区 区域 省市 城市 省份 所在地 所在地区 region city province area",
    "address": "地址 联系地址 详细地址 公司地址 address",
    "source": "来源 线索来源 客户来源 渠道 来源渠道 source channel leadsource",
    "campaign": "活动 来源活动 市场活动 campaign",
    "sourced_at": "来源时间 获取时间 登记时间 创建时间 日期 时间 date createdat",
    "tags": "标签 兴趣 意向产品 tags tag labels",
    "priority": "优先级 重要程度 priority",
    "amount": "金额 预计金额 预算 意向金额 amount budget value",
    "owner_id": "负责人 销售 归属人 跟进人 业务员 所属人 owner sales assignee",
    "remark": "备注 说明 描述 留言 需求 remark note notes comment description",
    "external_id": "外部编号 编号 客户编号 线索编号 externalid id",
    "next_follow_at": "下次跟进 下次跟进时间 下次联系 nextfollowup",
    "industry": "行业 所属行业 industry",
    "size": "规模 人数 公司规模 size employees",
    "level": "等级 客户等级 级别 level",
    "customer_id": "客户 公司 公司名称 客户名称 所属客户 customer company account",
    "role": "角色 决策角色 role",
    "gender": "性别 gender sex",
    "birthday": "生日 出生日期 birthday",
}  # fmt: skip
_NOT_LETTERS = re.compile(r"[（(].*?[）)]|[\s*:：_\-./\\【】\[\]]+")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the file: ``field`` "" is left out. ``clears``: a blank cell empties the field; ``adds``: so does an
    unknown word become a new choice."""

    header: str
    field: str = ""
    policy: str = "overwrite"
    clears: bool = False
    adds: bool = False


@dataclass(frozen=True)
class Plan:
    """``keys``: by what a row is known again, in order, and what is done with it then."""

    columns: tuple[Column, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    bin: str = "skip"
    elsewhere: str = "skip"
    owner: str = "nobody"
    assigns: bool = False
    notifies: bool = False

    def plain(self) -> dict[str, Any]:
        return {
            "columns": [asdict(one) for one in self.columns], "keys": [list(pair) for pair in self.keys], "bin": self.bin,
            "elsewhere": self.elsewhere, "owner": self.owner, "assigns": self.assigns, "notifies": self.notifies,
        }  # fmt: skip

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Plan:
        columns = tuple(Column(**one) for one in kept.get("columns", ()))
        keys = tuple((key, action) for key, action in kept.get("keys", ()))
        rest = {name: kept[name] for name in ("bin", "elsewhere", "owner", "assigns", "notifies") if name in kept}
        return cls(columns, keys, **rest)


def takes_files(described: RecordType) -> bool:
    """Whether an object is brought in by file: people and companies, which have a phone; not what one does with them."""
    return bool(described.phone_fields)


def importable(described: RecordType, actor: Actor) -> dict[str, Field]:
    """The fields that this actor may bring in: those he may write, the owner only with the right to transfer."""
    policy = actor.policy
    return {
        key: field
        for key, field in custom.fields(described, actor).items()
        if field.written
        and field.imports
        and policy.writes(described.key, key)
        and (field.kind != "user" or policy.may(described.key, "transfer"))
        and (field.kind != "record" or field.to == "customer")
    }


def keys_of(described: RecordType) -> dict[str, str]:
    """By what records of the object are known again, in the order of CRM §5."""
    has = {
        "phone": "phone" in described.by_key, "email": "email" in described.by_key,
        "name": bool(described.company_field), "external_id": hasattr(described.model, "external_id"),
    }  # fmt: skip
    names = KEYS | ({"name": "公司名"} if described.company_field == "name" else {})
    return {key: names[key] for key in KEYS if has[key]}


def fingerprint(described: RecordType, head: Sequence[str]) -> str:
    """Equal for two head rows that say the same; so has the file of failed rows the mapping of its source."""
    return hashlib.sha256("\0".join([described.key, *map(_bare, own_head(head))]).encode()).hexdigest()


def own_head(head: Sequence[str]) -> list[str]:
    """A head row without what our file of failed rows added to it."""
    return list(head[: -len(RESULT_HEAD)] if tuple(head[-len(RESULT_HEAD) :]) == RESULT_HEAD else head)


def words_known(described: RecordType, cells: Sequence[str]) -> int:
    """How many cells of a row name a field: the head row has most."""
    known = {word for field in described.fields for word in _words(field)}
    return sum(_bare(cell) in known for cell in cells if cell)


def proposed(described: RecordType, head: Sequence[str], actor: Actor) -> Plan:
    """The mapping that this head row had last time, or the one that the words of it suggest."""
    fields = importable(described, actor)
    known = db.session.scalar(
        select(ImportMapping.mapping).where(
            ImportMapping.object == described.key, ImportMapping.fingerprint == fingerprint(described, head)
        )
    )
    if known is not None:
        return _allowed(Plan.of(known), fields, head)
    keys = tuple((key, "update" if key in {"phone", "external_id"} else "skip") for key in keys_of(described))
    may_see_all = actor.policy.reach(described.key, "read").everything
    return Plan(_guessed(head, fields), keys, owner="nobody" if may_see_all else "me")


def _allowed(plan: Plan, fields: Mapping[str, Field], head: Sequence[str]) -> Plan:
    """A remembered mapping for this head row, without what this actor may not write."""
    known = [one if one.field in fields else Column(one.header) for one in plan.columns]
    columns = [known[place] if place < len(known) else Column(header) for place, header in enumerate(head)]
    return replace(plan, columns=tuple(columns))


def _guessed(head: Sequence[str], fields: Mapping[str, Field]) -> tuple[Column, ...]:
    free = dict(fields)
    found: dict[int, Column] = {}
    for exact in (True, False):
        for place, header in enumerate(head):
            key = next((key for key, field in free.items() if _names(field, header, exact)), "") if header else ""
            if place not in found and key:
                found[place] = Column(header, key, "append" if free[key].kind in APPENDED else "overwrite")
                del free[key]
    return tuple(found.get(place, Column(header)) for place, header in enumerate(head))


def _names(field: Field, header: str, exact: bool) -> bool:
    word = _bare(header)
    return word == _bare(field.label) if exact else word in _words(field)


def _words(field: Field) -> set[str]:
    return {_bare(field.label), *_SYNONYMS.get(field.key, "").split()}


def _bare(text: str) -> str:
    return _NOT_LETTERS.sub("", plain(text)) or plain(text)


def checked(described: RecordType, mapping: Plan, actor: Actor) -> Plan:
    """The mapping, if the actor may carry it out. Raises Forbidden naming a field, Invalid on ``columns``."""
    actor.policy.insist(described.key, "import")
    if not takes_files(described):
        raise Invalid(f"{described.label}不能用表格导入。", field="columns")
    allowed = importable(described, actor)
    everything = custom.fields(described, actor)
    taken: dict[str, str] = {}
    for column in mapping.columns:
        if not column.field:
            continue
        field = allowed.get(column.field)
        if field is None:
            _refuse(described, everything.get(column.field), actor)
            continue
        _insist_on_sense(field, column, actor)
        if field.key in taken and not (field.kind in APPENDED and column.policy == "append"):
            raise Invalid(
                f"「{taken[field.key]}」和「{column.header}」都对应到了「{field.label}」，只能留一列。", field="columns"
            )
        taken[field.key] = column.header
    if not taken:
        raise Invalid("还没有一列对应到字段。", field="columns")
    _insist_on_choices(described, mapping)
    return mapping


def _refuse(described: RecordType, field: Field | None, actor: Actor) -> None:
    if field is None or not field.written:
        raise Invalid("有一列对应到了不存在的字段，请重新选择。", field="columns")
    if not actor.policy.writes(described.key, field.key):
        raise Forbidden(f"你的角色不能填写「{field.label}」，这一列请选「不导入」。", field="columns")
    raise Forbidden(f"你的角色不能指定「{field.label}」，这一列请选「不导入」。", field="columns")


def _insist_on_sense(field: Field, column: Column, actor: Actor) -> None:
    if column.policy not in POLICIES or (column.policy == "append" and field.kind not in APPENDED):
        raise Invalid(f"「{field.label}」不能用这种写入方式。", field="columns")
    if column.clears and field.required:
        raise Invalid(f"「{field.label}」是必填的，不能用空格子清空。", field="columns")
    if column.adds and not may_add(field, actor):
        raise Invalid(f"「{field.label}」不能自动新增选项。", field="columns")


def may_add(field: Field, actor: Actor) -> bool:
    """Whether an unknown word may become a new choice: only of a field that the tenant made, by whoever manages it."""
    return field.is_custom and field.kind == "choice" and actor.policy.manages


def _insist_on_choices(described: RecordType, mapping: Plan) -> None:
    known = keys_of(described)
    if (
        any(key not in known or action not in ACTIONS for key, action in mapping.keys)
        or mapping.bin not in BIN
        or mapping.elsewhere not in ELSEWHERE
        or mapping.owner not in OWNERS
    ):
        raise Invalid("处理方式选得不对，请重新选择。", field="keys")


def remember(described: RecordType, head: Sequence[str], mapping: Plan, actor: Actor) -> None:
    """Keep the mapping for the next file with this head row."""
    key = fingerprint(described, head)
    kept = replace(mapping, columns=mapping.columns[: len(own_head(head))]).plain()
    statement = select(ImportMapping).where(ImportMapping.object == described.key, ImportMapping.fingerprint == key)
    known = db.session.scalars(statement).first()
    if known is None:
        known = ImportMapping(tenant_id=actor.tenant_id, object=described.key, fingerprint=key, mapping=kept)
        try:
            with db.session.begin_nested():
                db.session.add(known)
        except IntegrityError:  # a colleague with the same file was faster
            known = db.session.scalars(statement).one()
    known.mapping = kept
