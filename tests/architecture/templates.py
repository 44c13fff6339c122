"""Rules for templates: what may not stand in them, and that a fragment is a block which bears its own name as id."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.config import ROOT

TEMPLATES = ROOT / "app" / "templates"

_HANDLER = re.compile(r"""<[^<>]*?\s(on[a-z]+|hx-on[:\w-]*)\s*=\s*["']""", re.DOTALL)
_STYLE = re.compile(r"""<[^<>]*?\sstyle\s*=""", re.DOTALL)
_INLINE = re.compile(
    r"<script(?![^>]*\ssrc=)(?![^>]*type=\"application/(?:ld\+)?json\")[^>]*>|<style[\s>]|javascript:", re.IGNORECASE
)
_THIRD_PARTY = re.compile(
    r"""(?:\ssrc|\ssrcset|\sposter|\shx-(?:get|post|put|delete)|<link[^>]*\shref|url\()\s*=?\s*["'(]?\s*((?:https?:)?//[^"'\s)]+)"""
)
_COMMENT = re.compile(r"\{#.*?#\}|<!--.*?-->", re.DOTALL)


def _found(pattern: re.Pattern[str], source: str, what: str) -> list[str]:
    bare = _COMMENT.sub(lambda match: "\n" * match.group().count("\n"), source)
    return [f"{bare[: match.start()].count(chr(10)) + 1} {what}" for match in pattern.finditer(bare)]


def handlers(source: str) -> list[str]:
    """Event handlers written into the page: the content security policy would silence them."""
    return _found(_HANDLER, source, "has an inline handler")


def styles(source: str) -> list[str]:
    """``style`` attributes, which the content security policy refuses. A mail knows nothing else."""
    return _found(_STYLE, source, "has a style attribute")


def inline(source: str) -> list[str]:
    """Scripts and style sheets written into the page, or hidden in an address."""
    return _found(_INLINE, source, "has an inline script or style sheet")


def third_parties(source: str) -> list[str]:
    """Anything a browser would load from somewhere else; a link that a person follows is no such thing."""
    return _found(_THIRD_PARTY, source, "loads from somewhere else")


@dataclass(frozen=True)
class PageCall:
    """One ``page("…", fragments=(…))`` in a view."""

    where: str
    template: str
    fragments: tuple[str, ...]


def page_calls(source: str, where: str = "") -> Iterator[PageCall]:
    """Each call of ``page`` with a written-out template; raises LookupError for fragments that can not be read off."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        if ast.unparse(node.func).split(".")[-1] != "page" or not isinstance(node.args[0], ast.Constant):
            continue
        fragments: tuple[str, ...] = ()
        for keyword in node.keywords:
            if keyword.arg == "fragments":
                fragments = _tuple(keyword.value, tree)
        yield PageCall(f"{where}:{node.lineno}", str(node.args[0].value), fragments)


def _tuple(value: ast.expr, module: ast.Module) -> tuple[str, ...]:
    """A tuple that is written out here, or under its name in the module, or at the calls of the helper it is handed to."""
    if not isinstance(value, ast.Name):
        return tuple(ast.literal_eval(value))
    written = [
        node.value
        for node in ast.walk(module)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == value.id
    ]
    helpers = [
        node.name
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef) and any(part is value for part in ast.walk(node))
    ]
    written += [
        keyword.value
        for call in ast.walk(module)
        if isinstance(call, ast.Call) and ast.unparse(call.func) in helpers
        for keyword in call.keywords
        if keyword.arg == value.id
    ]
    if not written:
        raise LookupError(f"line {value.lineno}: the fragments {value.id} are not written out in this module")
    constants = [part.value for found in written for part in ast.walk(found) if isinstance(part, ast.Constant)]
    return tuple(sorted({name for name in constants if isinstance(name, str)}))


def fragment_faults(call: PageCall, folder: Path = TEMPLATES) -> list[str]:
    """What keeps the fragments of this call from being a block whose element bears the block's name as id."""
    path = folder / call.template
    if not path.is_file():
        return [f"{call.where} there is no template {call.template}"]
    source = path.read_text("utf-8")
    return [
        f"{call.where} {call.template}: {fault}"
        for name in call.fragments
        if (fault := _block_fault(source, name, folder))
    ]


def _block_fault(source: str, name: str, folder: Path) -> str:
    block = block_source(source, name)
    if block is None:
        return f"there is no block {name}"
    shown = block + "".join(
        (folder / included).read_text("utf-8")
        for included in re.findall(r"""\{%-?\s*include\s+["']([^"']+)["']""", block)
        if (folder / included).is_file()
    )
    if not re.search(rf"""\bid\s*=\s*["']{re.escape(name)}["']""", shown):
        return f"the block {name} has no element with that id"
    return ""


def block_source(source: str, name: str) -> str | None:
    """The text between ``{% block name %}`` and its end, with the blocks inside it."""
    tags = list(re.finditer(r"\{%-?\s*(block\s+(?P<name>\w+)|endblock)\b[^%]*-?%\}", source))
    for place, tag in enumerate(tags):
        if tag["name"] != name:
            continue
        depth = 1
        for later in tags[place + 1 :]:
            depth += 1 if later["name"] else -1
            if depth == 0:
                return source[tag.end() : later.start()]
    return None
