"""The description of the API, made of the objects' own fields, so that the two can not part (OpenAPI 3.1)."""

from __future__ import annotations

from typing import Any

from app.blueprints.api import CODES, PER_MINUTE
from app.crm.customers.customer import CUSTOMER
from app.crm.leads.lead import LEAD
from app.crm.records.fields import Field
from app.crm.records.types import RecordType

_KINDS: dict[str, dict[str, Any]] = {
    "number": {"type": "string", "description": "数字，写成文字，不丢精度"}, "money": {"type": "string", "pattern": r"^-?\d+(\.\d{1,2})?$"},
    "date": {"type": "string", "format": "date"}, "datetime": {"type": "string", "format": "date-time"},
    "email": {"type": "string", "format": "email"}, "bool": {"type": "boolean"},
    "tags": {"type": "array", "items": {"type": "string", "maxLength": 30}, "maxItems": 20},
}  # fmt: skip
_INTRO = (
    "用 API 读写线索、读取客户。密钥在 CRM 的「设置 → API 密钥」里新建，放在请求头 `Authorization: Bearer yk_…` 里，"
    f"权限与密钥主人的一样，每分钟最多 {PER_MINUTE} 次。手机号只给打码的。时间是 UTC。自定义字段以 `x_` 开头，与其他字段放在一起。"
)


def description(server: str) -> dict[str, Any]:
    """The whole document; ``server`` is the address of the API, e.g. https://www.example.com/api."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "云客CRM API", "version": "1.0.0", "description": _INTRO},
        "servers": [{"url": server}],
        "security": [{"key": []}],
        "tags": [{"name": "线索"}, {"name": "客户"}],
        "paths": {
            "/v1/leads": {"get": _list(LEAD), "post": _add()},
            "/v1/leads/{id}": {"parameters": [_ID], "get": _one(LEAD), "patch": _change()},
            "/v1/customers": {"get": _list(CUSTOMER)},
            "/v1/customers/{id}": {"parameters": [_ID], "get": _one(CUSTOMER)},
        },
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "parameters": {"idempotency": _IDEMPOTENCY},
            "schemas": {
                "Lead": _record(LEAD), "LeadInput": _input(LEAD, whole=True), "LeadChange": _input(LEAD, whole=False),
                "Customer": _record(CUSTOMER), "Error": _ERROR,
            },
            "responses": {f"E{status}": _refusal(status) for status in (400, 401, 403, 404, 409, 413, 415, 422, 429)},
        },
    }  # fmt: skip


_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
_IDEMPOTENCY = {
    "name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string", "maxLength": 200},
    "description": "同一个值再发一次，不会重复执行，答复与第一次一样",
}  # fmt: skip
_ERROR = {
    "type": "object", "required": ["error"],
    "properties": {"error": {
        "type": "object", "required": ["code", "message"],
        "properties": {"code": {"type": "string", "enum": list(CODES.values())}, "message": {"type": "string"},
                       "field": {"type": ["string", "null"]}, "request_id": {"type": "string"}},
    }},
}  # fmt: skip
_REFUSALS = {400: "请求读不懂", 401: "没有密钥，或密钥不对", 403: "没有权限", 404: "不存在，或者看不到", 409: "与现有的冲突", 413: "内容太大",
             415: "不是 JSON", 422: "有字段填得不对", 429: "太频繁，过 Retry-After 秒再试"}  # fmt: skip


def _refusal(status: int) -> dict[str, Any]:
    return {"description": _REFUSALS[status], "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}  # fmt: skip


def _answers(status: int, words: str, schema: dict[str, Any], *refusals: int) -> dict[str, Any]:
    known = {str(one): {"$ref": f"#/components/responses/E{one}"} for one in (*refusals, 401, 403, 429)}
    return {str(status): {"description": words, "content": {"application/json": {"schema": schema}}}, **known}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _name(described: RecordType) -> str:
    return described.key.capitalize()


def _list(described: RecordType) -> dict[str, Any]:
    page = {
        "type": "object", "required": ["data", "next_cursor"],
        "properties": {"data": {"type": "array", "items": _ref(_name(described))}, "next_cursor": {"type": ["string", "null"]}},
    }  # fmt: skip
    sorts = [f"{sign}{key}" for key in ("created_at", "updated_at") for sign in ("-", "")]
    parameters = [
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}},
        {"name": "cursor", "in": "query", "schema": {"type": "string"}, "description": "上一页的 next_cursor"},
        {"name": "q", "in": "query", "schema": {"type": "string", "maxLength": 100}, "description": "名称、拼音、完整手机号或后四位"},
        {"name": "sort", "in": "query", "schema": {"type": "string", "enum": sorts, "default": "-created_at"}},
    ]  # fmt: skip
    return {
        "operationId": f"list_{described.plural}", "summary": f"{described.label}列表", "tags": [described.label],
        "parameters": parameters, "responses": _answers(200, "一页", page, 400),
    }  # fmt: skip


def _one(described: RecordType) -> dict[str, Any]:
    return {
        "operationId": f"get_{described.key}", "summary": f"读取一{described.unit}{described.label}", "tags": [described.label],
        "responses": _answers(200, described.label, _ref(_name(described)), 404),
    }  # fmt: skip


def _add() -> dict[str, Any]:
    return {
        "operationId": "create_lead", "summary": "新建线索", "tags": ["线索"],
        "parameters": [{"$ref": "#/components/parameters/idempotency"}], "requestBody": _sent("LeadInput"),
        "responses": _answers(201, "新建的线索", _ref("Lead"), 400, 409, 413, 415, 422),
    }  # fmt: skip


def _change() -> dict[str, Any]:
    return {
        "operationId": "update_lead", "summary": "修改线索", "tags": ["线索"],
        "parameters": [{"$ref": "#/components/parameters/idempotency"}], "requestBody": _sent("LeadChange"),
        "responses": _answers(200, "改好的线索", _ref("Lead"), 400, 404, 409, 413, 415, 422),
    }  # fmt: skip


def _sent(schema: str) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": _ref(schema)}}}


def _record(described: RecordType) -> dict[str, Any]:
    """What is answered: every field may be missing, since its reader may not see it."""
    own = {"id": {"type": "string", "format": "uuid"}, "version": {"type": "integer"},
           "created_at": {"type": "string", "format": "date-time"}, "updated_at": {"type": "string", "format": "date-time"}}  # fmt: skip
    return {
        "type": "object", "required": list(own),
        "properties": own | {one.key: _schema(one, is_nullable=True) for one in described.fields},
        "patternProperties": {"^x_": {"description": "自定义字段"}},
    }  # fmt: skip


def _input(described: RecordType, *, whole: bool) -> dict[str, Any]:
    written = [one for one in described.fields if one.written]
    properties = {one.key: _schema(one, is_nullable=not one.required) for one in written}
    if not whole:
        properties["version"] = {"type": "integer", "description": "读到的版本；别人改过就答 409"}
    found: dict[str, Any] = {
        "type": "object", "properties": properties, "patternProperties": {"^x_": {"description": "自定义字段"}},
        "additionalProperties": False,
    }  # fmt: skip
    return found | {"required": [one.key for one in written if one.required]} if whole else found


def _schema(one: Field, *, is_nullable: bool) -> dict[str, Any]:
    schema = dict(_KINDS.get(one.kind, {"type": "string"}))
    if one.kind in {"text", "long_text"}:
        schema["maxLength"] = one.most
    if one.kind == "choice":
        schema["enum"] = [value for value, _ in one.choices] + ([None, ""] if is_nullable else [])
        schema["description"] = "、".join(f"{value} {label}" for value, label in one.choices)
    if is_nullable:
        schema["type"] = [schema["type"], "null"]
    return {"title": one.label, **schema}
