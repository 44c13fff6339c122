"""Icons: one short ``<use>`` into the cacheable sprite; a name that the sprite lacks raises while the page is made."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import segno
from flask import Flask
from markupsafe import Markup

from app.web.static_files import StaticFile, StaticFiles

SPRITE = "icons.svg"
_SYMBOL = re.compile(rb'<symbol id="([a-z0-9-]+)"')
_BRANDS = ("wechat", "alipay")
_USE = Markup('<svg class="{cls}" aria-hidden="true"><use href="{sprite}#{name}"/></svg>')
_QR = Markup(
    '<svg viewBox="0 0 {width} {width}" shape-rendering="crispEdges" role="img" aria-label="{label}">'
    '<path d="{path}" fill="#0b1620"/></svg>'
)


class Icons:
    """The symbols of the sprite, and the markup that shows one."""

    def __init__(self, files: Callable[[], StaticFiles]) -> None:
        self._find_files = files
        self._markup = lru_cache(maxsize=1024)(self._make)

    def icon(self, name: str, cls: str = "") -> Markup:
        """A lucide icon; the words beside it carry the meaning, so it is hidden from screen readers."""
        return self._markup(self._sprite.url, name, f"ico {cls}".strip())

    def brand(self, name: str, cls: str = "") -> Markup:
        """The logo of a wallet, in the wallet's own colour."""
        if name not in _BRANDS:
            raise LookupError(f"no logo is called {name!r}; there are {', '.join(_BRANDS)}")
        return self._markup(self._sprite.url, f"brand-{name}", f"ico ico-brand brand-{name} {cls}".strip())

    def names(self) -> frozenset[str]:
        return frozenset(found.decode() for found in _SYMBOL.findall(self._sprite.body))

    @property
    def _sprite(self) -> StaticFile:
        return self._find_files().get(SPRITE)

    def _make(self, sprite_url: str, name: str, cls: str) -> Markup:
        if name not in self.names():
            raise LookupError(f"no icon is called {name!r}; add it to app/assets/icons.txt and run npm run build")
        return _USE.format(cls=cls, sprite=sprite_url, name=name)


@lru_cache(maxsize=256)
def qr(text: str, label: str = "支付二维码") -> Markup:
    """A QR code as inline SVG, black on the white square that the panel draws in both themes."""
    code = segno.make(text, error="m", micro=False)
    width = code.symbol_size(border=2)[0]
    path = "".join(
        f"M{x} {y}h1v1h-1z" for y, row in enumerate(code.matrix_iter(border=2)) for x, dark in enumerate(row) if dark
    )
    return _QR.format(width=width, label=label, path=path)


def init_app(app: Flask) -> None:
    icons = Icons(lambda: app.extensions["static_files"])
    app.jinja_env.globals.update(icon=icons.icon, brand=icons.brand, qr=qr)
