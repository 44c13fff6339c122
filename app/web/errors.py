"""Refusals and faults as answers: a page for people, a fragment or a toast for htmx, JSON for machines."""

from __future__ import annotations

import json

import structlog
from flask import Flask, Response, g, jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from app.core.errors import Refused, TooMany
from app.web.area import keep_changes
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
    return answer(500, "服务出错了，我们正在处理。已提交的数据不受影响。")


def answer(status: int, message: str) -> Response:
    """A refusal in the form its reader understands."""
    if area_of(request.path) == "api" or request.accept_mimetypes.best == "application/json":
        response = jsonify(error={"status": status, "message": message, "request_id": g.get("request_id", "")})
        response.status_code = status
        return response
    if request.headers.get("HX-Request") == "true":
        response = make_response("", status)
        response.headers["HX-Reswap"] = "none"
        response.headers["HX-Trigger"] = json.dumps(
            {"toast": {"message": message, "kind": "error", "request_id": g.get("request_id", "")}}
        )
        return response
    template = {404: "errors/404.html", 403: "errors/403.html", 500: "errors/500.html"}.get(status, "errors/error.html")
    return make_response(
        render_template(template, status=status, message=message, request_id=g.get("request_id", "")), status
    )
