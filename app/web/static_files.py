"""Static files: named by their content, compressed once, kept by browsers for ever.

``static_url("app.css")`` gives ``/static/app.1a2b3c4d.css``. A middleware in front of Flask answers those addresses,
so that a stylesheet costs neither a session nor a database connection.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import brotli  # type: ignore[import-untyped]
from flask import Flask
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.wrappers import Request, Response

PREFIX = "/static/"
_HASHED = re.compile(r"^(?P<stem>.+)\.(?P<hash>[0-9a-f]{8})(?P<suffix>\.[A-Za-z0-9]+)$")
_TEXT = ("text/", "application/json", "application/javascript", "image/svg+xml", "application/manifest+json")
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "public, no-cache"

_WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True)
class Compressed:
    """Some text in every encoding that browsers read, each made when it is first asked for."""

    body: bytes

    quality: ClassVar[int] = 5  # of Brotli: a hundredth of the work of 11 for a tenth more bytes

    @cached_property
    def brotli(self) -> bytes:
        return brotli.compress(self.body, quality=self.quality)

    @cached_property
    def gzip(self) -> bytes:
        return gzip.compress(self.body, compresslevel=9, mtime=0)

    def encoded_for(self, request: Request) -> tuple[bytes, str | None]:
        """The smallest body that the browser can read, and the name of its encoding."""
        if request.accept_encodings.quality("br"):
            return self.brotli, "br"
        if request.accept_encodings.quality("gzip"):
            return self.gzip, "gzip"
        return self.body, None


@dataclass(frozen=True)
class StaticFile(Compressed):
    """One file as it was when it was read; a changed file is read anew as another StaticFile."""

    name: str

    quality: ClassVar[int] = 11

    @cached_property
    def hash(self) -> str:
        return hashlib.sha256(self.body).hexdigest()[:8]

    @cached_property
    def url(self) -> str:
        stem, dot, suffix = self.name.rpartition(".")
        return f"{PREFIX}{stem}.{self.hash}{dot}{suffix}"

    @cached_property
    def content_type(self) -> str:
        guessed = mimetypes.guess_type(self.name)[0] or "application/octet-stream"
        return f"{guessed}; charset=utf-8" if guessed.startswith(_TEXT) else guessed

    def encoded_for(self, request: Request) -> tuple[bytes, str | None]:
        """Pictures are compressed already."""
        return super().encoded_for(request) if self.content_type.startswith(_TEXT) else (self.body, None)


class StaticFiles:
    """The files of one folder. Read once; while developing, read again when they change."""

    def __init__(self, folder: Path, *, watch: bool = False) -> None:
        self._folder = folder
        self._watch = watch
        self._files: dict[str, tuple[float, StaticFile]] = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self._read(path.relative_to(folder).as_posix())

    def url(self, name: str) -> str:
        """The address of a file; a name that does not exist is a fault of the template and raises."""
        return self.get(name).url

    def get(self, name: str) -> StaticFile:
        if name not in self:
            raise LookupError(f"no static file is called {name!r}; npm run build makes those of app/assets")
        return self._files[name][1]

    def __contains__(self, name: str) -> bool:
        if self._watch:
            self._read_if_changed(name)
        return name in self._files

    def _read_if_changed(self, name: str) -> None:
        path = self._folder / name
        if path.is_file() and path.stat().st_mtime != self._files.get(name, (None,))[0]:
            self._read(name)

    def _read(self, name: str) -> None:
        path = self._folder / name
        self._files[name] = (path.stat().st_mtime, StaticFile(path.read_bytes(), name))


class StaticFilesMiddleware:
    """Answers /static/ and hands everything else on to the application."""

    def __init__(self, application: _WsgiApp, files: StaticFiles) -> None:
        self._application = application
        self._files = files

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            return self._application(environ, start_response)
        return self._answer(Request(environ), path.removeprefix(PREFIX))(environ, start_response)

    def _answer(self, request: Request, name: str) -> Response | NotFound | MethodNotAllowed:
        if request.method not in ("GET", "HEAD"):
            return MethodNotAllowed(["GET", "HEAD"])
        file, lasting = self._find(name)
        if file is None:
            return NotFound()
        body, encoding = file.encoded_for(request)
        response = Response(body, content_type=file.content_type)
        response.headers["Cache-Control"] = _FOR_EVER if lasting else _ASK_AGAIN
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Vary"] = "Accept-Encoding"
        if encoding:
            response.headers["Content-Encoding"] = encoding
        response.set_etag(f"{file.hash}-{encoding or 'plain'}")
        return response.make_conditional(request)

    def _find(self, name: str) -> tuple[StaticFile | None, bool]:
        """The file of a hashed name, for ever; of a plain name, or of an old hash after a release, for now only."""
        if name in self._files:
            return self._files.get(name), False
        hashed = _HASHED.match(name)
        plain = f"{hashed['stem']}{hashed['suffix']}" if hashed else ""
        if hashed is None or plain not in self._files:
            return None, False
        file = self._files.get(plain)
        return file, file.hash == hashed["hash"]


def init_app(app: Flask) -> None:
    files = StaticFiles(Path(app.root_path) / "static", watch=app.debug)
    app.wsgi_app = StaticFilesMiddleware(app.wsgi_app, files)  # type: ignore[method-assign]
    app.extensions["static_files"] = files
    app.jinja_env.globals["static_url"] = files.url
