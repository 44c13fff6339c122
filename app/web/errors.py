"""Refusals and faults as answers: a page for people, a fragment or a toast for htmx, JSON for machines."""

from __future__ import annotations

import json

import structlog
from flask import Flask, Response, current_app, g, jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from app.core.errors import Refused, TooMany
from app.web.agreements import OPERATOR
from app.web.area import SAFE_METHODS, keep_changes, safe_next
from app.web.identity import area_of

log = structlog.get_logger(__name__)

_SENTENCES = {
    400: "这个请求我们读不懂，请返回上一页再试一次。",
    401: "请先登录。",
    403: "你没有权限做这件事。需要的话，请联系管理员开通。",
    404: "没有找到这个页面或记录。",
    405: "这个地址不接受这种请求。",
    413: "文件或内容太大了。",
    415: "这种文件格式不支持。",
    422: "有内容需要修改。",
    429: "操作太频繁了，请稍后再试。",
    503: "服务正忙，请稍等几秒再试。",
}

_LOST_NOTHING = "你的数据不受影响，请过一分钟再试。"
_NOT_SAVED = "这次提交没有保存，以前的数据不受影响。请过一分钟再提交一次。"
_TRY_AGAIN = {429, 500, 503}


def init_app(app: Flask) -> None:
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(CSRFError, _expired_form)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _fault)


def _refused(error: Refused) -> ResponseReturnValue:
    if getattr(error, "keeps_changes", False):
        keep_changes()
    response = answer(error.status, error.message)
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _expired_form(_error: CSRFError) -> ResponseReturnValue:
    return answer(400, "页面放得太久，已经过期。请刷新页面后再提交，填过的内容请先复制。")


def _http(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < 400:
        return error.get_response()  # type: ignore[return-value]
    response = answer(error.code, _SENTENCES.get(error.code, "这个请求没有成功。"))
    for name, value in error.get_headers():
        if name.lower() in {"allow", "retry-after"}:
            response.headers[name] = value
    return response


def _fault(error: Exception) -> ResponseReturnValue:
    log.exception("unhandled_error", path=request.path, method=request.method)
    return answer(500, _LOST_NOTHING if request.method in SAFE_METHODS else _NOT_SAVED)


def answer(status: int, message: str) -> Response:
    """A refusal in the form its reader understands."""
    said = f"服务出错了。{message}" if status == 500 else message
    if area_of(request.path) == "api" or request.accept_mimetypes.best == "application/json":
        response = jsonify(error={"status": status, "message": said, "request_id": g.get("request_id", "")})
        response.status_code = status
        return response
    if request.headers.get("HX-Request") == "true":
        toast = {"message": said, "kind": "error"} | ({"reference": g.get("request_id", "")} if status >= 500 else {})
        response = make_response("", status)
        response.headers["HX-Reswap"] = "none"
        response.headers["HX-Trigger"] = json.dumps({"toast": toast})
        return response
    return make_response(_page(status, message), status)


def _page(status: int, message: str) -> str:
    is_private = current_app.extensions["settings"].edition == "private"
    return render_template(
        "errors/404.html" if status == 404 else "errors/error.html",
        status=status,
        message=message,
        request_id=g.get("request_id", ""),
        again=_again() if status in _TRY_AGAIN or (status == 400 and request.method == "POST") else None,
        is_private=is_private,
        help_email="" if is_private or area_of(request.path) == "admin" else OPERATOR.email,
    )


def _again() -> tuple[str, str] | None:
    """Path and name of the way to try again: this very page, or the one with the form, from which it was sent."""
    if request.method in SAFE_METHODS:
        return safe_next(request.full_path.rstrip("?"), "/"), "重试"
    origin, _, path = (request.referrer or "").partition(request.host_url)
    form = safe_next(f"/{path}", "") if path and not origin else ""
    return (form, "回到刚才的表单") if form else None
