"""Finding by any part of a name, by pinyin and by initials: one table of search terms, on each database's own index.

An entry's terms are the ends of its words (北京优远 → 北京优远 京优远 优远 远 beijingyouyuan … bjyy jyy yy y), so that a search for
a part is a search for a beginning, which a full-text index answers on SQLite (FTS5), PostgreSQL (GIN over a tsvector) and
MariaDB (FULLTEXT) alike, for two signs as for ten. Each term begins with a mark of its tenant and object: neighbours cost
nothing.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    DDL,
    ColumnElement,
    Index,
    String,
    Text,
    UniqueConstraint,
    and_,
    cast,
    column,
    event,
    func,
    literal_column,
    select,
    table,
)
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.orm import Mapped, mapped_column

from app.core import pinyin
from app.core.db import Identified, db
from app.core.tenancy import TenantOwned

MOST_WORDS = 5
_MOST_TERMS = 160
_LONGEST = 24  # signs of a term behind its mark
_RUNS = re.compile(r"[0-9a-z]+|[^\W0-9a-z_]+")


class SearchEntry(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """What one record is found by."""

    __tablename__ = "search_entries"
    __table_args__ = (
        UniqueConstraint("record_id"),
        Index("ix_search_entries_tenant_object", "tenant_id", "object"),
    )

    object: Mapped[str] = mapped_column(String(40))
    record_id: Mapped[str] = mapped_column(String(36))
    terms: Mapped[str] = mapped_column(Text)


def plain(text: str) -> str:
    """Half-width, lower case, without accents or points."""
    return unicodedata.normalize("NFKC", text or "").lower()


def terms(texts: Iterable[str]) -> list[str]:
    """Every end of every word of ``texts``, and of the pinyin and the initials of its Chinese."""
    found: dict[str, None] = {}
    for text in texts:
        for run in _RUNS.findall(plain(text)):
            found |= dict.fromkeys(_endings(run))
    return list(found)[:_MOST_TERMS]


def beginnings(text: str) -> list[str]:
    """What ``text`` begins with: its words themselves, the pinyin of each and its initials."""
    return [reading for run in _RUNS.findall(plain(text)) for reading in _readings(run)]


def _readings(run: str) -> list[str]:
    if run.isascii():
        return [run]
    syllables = [syllable for syllable in pinyin.syllables(run) if syllable]
    return [run, "".join(syllables), "".join(syllable[0] for syllable in syllables)]


@lru_cache(maxsize=5_000)
def _endings(run: str) -> tuple[str, ...]:
    """Every end of a run, each no longer than a term; the words of names come again and again."""
    return tuple(ending[:_LONGEST] for ending in _ends(run))


def _ends(run: str) -> list[str]:
    if run.isascii():
        return [run, run[-4:]] if run.isdigit() and len(run) > 4 else [run]
    syllables = [syllable for syllable in pinyin.syllables(run) if syllable]
    initials = "".join(syllable[0] for syllable in syllables)
    ends = [run[place:] for place in range(len(run))]
    ends += ["".join(syllables[place:]) for place in range(len(syllables))]
    return ends + [initials[place:] for place in range(len(initials))]


def stored(tenant_id: str, thing: str, texts: Iterable[str]) -> str:
    """The terms of a record as its entry keeps them."""
    begin, found = mark(tenant_id, thing), terms(texts)
    return begin + f" {begin}".join(found) if found else ""


def mark(tenant_id: str, thing: str) -> str:
    """What each term of a tenant's object begins with."""
    return hashlib.sha256(f"{tenant_id}\0{thing}".encode()).hexdigest()[:8]


def words(query: str) -> list[str]:
    """What is looked for: the runs of letters of a query, at most ``MOST_WORDS``."""
    return [run[:_LONGEST] for run in _RUNS.findall(plain(query))[:MOST_WORDS]]


def matching(tenant_id: str, thing: str, query: str) -> ColumnElement[bool] | None:
    """The condition on ``SearchEntry`` that every word of ``query`` begins one of its terms; None for no words."""
    wanted = [f"{mark(tenant_id, thing)}{word}" for word in words(query)]
    if not wanted:
        return None
    return and_(SearchEntry.tenant_id == tenant_id, SearchEntry.object == thing, _index_condition(wanted))


def says(tenant_id: str, thing: str, query: str) -> ColumnElement[bool]:
    """The same asked of one entry that is at hand, without an index: for words that very many records bear."""
    wanted = [f" {mark(tenant_id, thing)}{word}" for word in words(query)]
    terms = literal_column("' '").concat(SearchEntry.terms)
    return and_(*(terms.contains(word, autoescape=True) for word in wanted))


def _index_condition(wanted: list[str]) -> Any:
    dialect = db.engine.dialect.name
    if dialect == "postgresql":
        query = " & ".join(f"'{word}':*" for word in wanted)
        return _vector().op("@@")(cast(query, postgresql.TSQUERY))
    if dialect == "sqlite":
        index = table("search_entries_fts", column("rowid"), column("search_entries_fts"))
        query = " AND ".join(f'"{word}"*' for word in wanted)
        hits = select(index.c.rowid).where(index.c.search_entries_fts.op("MATCH")(query))
        return column("rowid", _selectable=SearchEntry.__table__).in_(hits)  # type: ignore[arg-type]
    query = " ".join(f"+{word}*" for word in wanted)
    return mysql.match(SearchEntry.__table__.c.terms, against=query).in_boolean_mode()


def _vector() -> Any:
    # The blank is written out: behind a parameter, a prepared statement no longer says what the index holds.
    return func.array_to_tsvector(func.string_to_array(SearchEntry.terms, literal_column("' '")))


# The indexes themselves; a migration writes the same.
POSTGRESQL = (
    "CREATE INDEX ix_search_entries_terms ON search_entries USING gin (array_to_tsvector(string_to_array(terms, ' ')))",
)
MARIADB = ("CREATE FULLTEXT INDEX ix_search_entries_terms ON search_entries (terms)",)
SQLITE = (
    "CREATE VIRTUAL TABLE search_entries_fts USING fts5(terms, content='search_entries', content_rowid='rowid', prefix='9 10 11')",
    "CREATE TRIGGER search_entries_added AFTER INSERT ON search_entries BEGIN "
    "INSERT INTO search_entries_fts(rowid, terms) VALUES (new.rowid, new.terms); END",
    "CREATE TRIGGER search_entries_gone AFTER DELETE ON search_entries BEGIN "
    "INSERT INTO search_entries_fts(search_entries_fts, rowid, terms) VALUES ('delete', old.rowid, old.terms); END",
    "CREATE TRIGGER search_entries_changed AFTER UPDATE OF terms ON search_entries BEGIN "
    "INSERT INTO search_entries_fts(search_entries_fts, rowid, terms) VALUES ('delete', old.rowid, old.terms); "
    "INSERT INTO search_entries_fts(rowid, terms) VALUES (new.rowid, new.terms); END",
)
for _dialect, _statements in (("postgresql", POSTGRESQL), ("mysql", MARIADB), ("mariadb", MARIADB), ("sqlite", SQLITE)):
    for _statement in _statements:
        event.listen(
            SearchEntry.__table__, "after_create", DDL(_statement.replace("%", "%%")).execute_if(dialect=_dialect)
        )
event.listen(
    SearchEntry.__table__, "after_drop", DDL("DROP TABLE IF EXISTS search_entries_fts").execute_if(dialect="sqlite")
)
