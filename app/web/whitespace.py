"""The line breaks and indents by which people read a template are kept out of its pages: a break for each run of them.

It happens once, when a template is compiled. What a browser shows as it is written (``<pre>``, ``<textarea>``) stays whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

_RUN = re.compile(r"[ \t]*\n\s*")
_VERBATIM = re.compile(r"(</?(?:pre|textarea)\b)", re.IGNORECASE)


class Squeezed(Extension):
    """Makes one line break of every run of blanks that holds one, in templates whose name ends in .html."""

    def filter_stream(self, stream: TokenStream) -> TokenStream | Iterator[Token]:
        """The tokens of a template, its plain text squeezed."""
        return _squeezed(stream) if (stream.name or "").endswith(".html") else stream


def _squeezed(stream: TokenStream) -> Iterator[Token]:
    is_verbatim = False
    for token in stream:
        if token.type == "data":
            parts = []
            for part in _VERBATIM.split(token.value):
                if _VERBATIM.fullmatch(part):
                    is_verbatim = not part.startswith("</")
                parts.append(part if is_verbatim else _RUN.sub("\n", part))
            token = Token(token.lineno, token.type, "".join(parts))
        yield token
