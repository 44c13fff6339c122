"""The floor that every figure is a ratio to: bare Flask routes on the very server that serves the product.

``/page/<kilobytes>`` renders one Jinja page of that size; ``/rows/<name>`` runs the SQL of one of our lists by the bare
driver and renders its rows. The statements come in a JSON file named by ``FLOOR_STATEMENTS``.
"""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

from flask import Flask, render_template_string
from sqlalchemy import make_url

PAGE = """<!doctype html><html lang="zh-CN"><head><title>{{ title }}</title></head><body><main><table>
{% for row in rows %}<tr class="row"><td class="name">{{ row.name }}</td><td class="phone">{{ row.phone }}</td><td><a
href="/customers/{{ row.id }}">{{ row.city }}</a></td></tr>
{% endfor %}</table></main></body></html>"""
LIST = """<!doctype html><html lang="zh-CN"><body><main><table>
{% for row in rows %}<tr>{% for value in row %}<td>{{ value }}</td>{% endfor %}</tr>
{% endfor %}</table></main></body></html>"""
_ROW_BYTES = 143

app = Flask(__name__)


@app.get("/hello")
def hello() -> str:
    return "hello"


@app.get("/page/<int:kilobytes>")
def page(kilobytes: int) -> str:
    count = max(1, kilobytes * 1024 // _ROW_BYTES)
    rows = [{"id": n, "name": f"青禾电子商务 {n}", "phone": "138****8000", "city": "杭州"} for n in range(count)]
    return render_template_string(PAGE, title="客户", rows=rows)


@app.get("/rows/<name>")
def rows(name: str) -> str:
    asked = statements()[name]
    return render_template_string(LIST, rows=fetch(asked["url"], asked["statement"], asked["parameters"]))


def statements() -> dict[str, Any]:
    if "statements" not in app.extensions:
        app.extensions["statements"] = json.loads(Path(os.environ["FLOOR_STATEMENTS"]).read_text("utf-8"))
    return app.extensions["statements"]


def fetch(url: str, statement: str, parameters: Any) -> list[Any]:
    """The rows of a statement in the driver's own words, over one connection that stays open."""
    cursor = _connection(url).cursor()
    cursor.execute(statement, parameters)
    found = cursor.fetchall()
    cursor.close()
    return list(found)


def _connection(url: str) -> Any:
    if "connection" not in app.extensions:
        wanted = make_url(url)
        if wanted.get_backend_name() == "sqlite":
            app.extensions["connection"] = sqlite3.connect(str(wanted.database), check_same_thread=False)
        elif wanted.get_backend_name() == "postgresql":
            import psycopg

            plain = wanted.set(drivername="postgresql").render_as_string(hide_password=False)
            app.extensions["connection"] = psycopg.connect(plain, autocommit=True)
        else:
            import pymysql

            app.extensions["connection"] = pymysql.connect(
                host=wanted.host,
                port=wanted.port or 3306,
                user=wanted.username,
                password=wanted.password or "",
                database=wanted.database,
                autocommit=True,
            )
    return app.extensions["connection"]
