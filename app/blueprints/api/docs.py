"""What the API can do: for programs as OpenAPI, for people as a page made of the same document."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from app.blueprints.api import area, open_to_all
from app.blueprints.api.openapi import description
from app.core.errors import NotFound


@area.get("/v1/openapi.json")
@open_to_all
def openapi() -> Response:
    answer = jsonify(_described())
    answer.headers["Cache-Control"] = "public, max-age=300"
    answer.headers["Access-Control-Allow-Origin"] = "*"  # a description, the same for everybody
    return answer


@area.get("/docs")
@open_to_all
def docs() -> ResponseReturnValue:
    return render_template("api/docs.html", api=_described(), operations=operations(_described()))


@area.route("/", defaults={"path": ""}, methods=["GET", "POST", "PATCH", "PUT", "DELETE"])
@area.route("/<path:path>", methods=["GET", "POST", "PATCH", "PUT", "DELETE"])
@open_to_all
def nowhere(path: str) -> ResponseReturnValue:
    """Any other address is answered in JSON, too."""
    raise NotFound(f"没有 {request.method} /api/{path[:60]} 这个地址，见 /api/docs。")


def operations(api: dict[str, Any]) -> list[dict[str, Any]]:
    """Each operation with its method, its path and the fields of what is sent, for the page."""
    found = []
    for path, item in api["paths"].items():
        for method in ("get", "post", "patch"):
            if method in item:
                sent = (
                    item[method].get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
                )
                name = sent.get("$ref", "").rpartition("/")[2]
                found.append({**item[method], "method": method.upper(), "path": path, "input": name})
    return found


def _described() -> dict[str, Any]:
    return description(f"{current_app.extensions['settings'].public_url}/api")
