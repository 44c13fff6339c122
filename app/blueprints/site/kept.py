"""Public pages are made once for all visitors, and again when what they show has changed.

A page depends on its address, the theme and the catalogue; those together are its key, so nothing has to be
forgotten by hand. The browser keeps it too and asks by its ETag whether it still holds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

from flask import Response, current_app, make_response, request

from app.web.security import theme

_MOST = 64

_pages: OrderedDict[Hashable, bytes] = OrderedDict()
_lock = Lock()


def kept_page(shows: Hashable, render: Callable[[], str]) -> Response:
    """The page of this address that shows ``shows``, rendered by ``render`` if it is not at hand."""
    key = (request.path, theme(), shows)
    html = None if current_app.debug else _pages.get(key)
    if html is None:
        html = render().encode()
        _keep(key, html)
    response = make_response(html)
    response.headers["Cache-Control"] = "public, no-cache"
    response.vary.add("Cookie")
    response.add_etag()
    response.make_conditional(request)
    return response


def _keep(key: Hashable, html: bytes) -> None:
    with _lock:
        _pages[key] = html
        while len(_pages) > _MOST:
            _pages.popitem(last=False)
