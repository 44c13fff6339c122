"""Public pages are made once for all visitors, and again when what they show has changed.

A page depends on its address, the theme, the catalogue, and whether visits are asked for; those together are its key, so
nothing has to be forgotten by hand. It is compressed once as well, which is safe because no secret stands in it. The
browser keeps it too, and asks by its ETag whether it still holds.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

from flask import Response, current_app, make_response, request

from app.crm.capture import site as capture_site
from app.web.security import theme
from app.web.static_files import Compressed

_MOST = 64
# A sixth of a page is the templates' indentation. None of these pages holds text that was set in lines (pre, textarea).
_INDENT = re.compile(r"\n\s+")

_pages: OrderedDict[Hashable, Compressed] = OrderedDict()
_lock = Lock()


def kept_page(shows: Hashable, render: Callable[[], str]) -> Response:
    """The page of this address that shows ``shows``, rendered by ``render`` if it is not at hand."""
    key = (request.path, theme(), shows, capture_site.is_open())
    page = None if current_app.debug else _pages.get(key)
    if page is None:
        page = Compressed(_INDENT.sub("\n", render()).encode())
        _keep(key, page)
    return _answer(page)


def _answer(page: Compressed) -> Response:
    body, encoding = page.encoded_for(request)
    response = make_response(body)
    if encoding:
        response.headers["Content-Encoding"] = encoding
    response.headers["Cache-Control"] = "public, no-cache"
    response.vary.update(("Cookie", "Accept-Encoding"))
    response.add_etag()
    response.make_conditional(request)
    return response


def _keep(key: Hashable, page: Compressed) -> None:
    with _lock:
        _pages[key] = page
        while len(_pages) > _MOST:
            _pages.popitem(last=False)
