"""服务协议 and 隐私政策: which version is in force. What a customer accepted is stored as (key, version)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Agreement:
    """A document in versions named by the day they take effect, newest first; each is a template of its own."""

    key: str
    title: str
    versions: tuple[str, ...]

    @property
    def version(self) -> str:
        return self.versions[0]


@dataclass(frozen=True)
class Operator:
    """Whom a reader of the documents writes to."""

    email: str


TERMS = Agreement("terms", "服务协议", ("2026-11-22",))
PRIVACY = Agreement("privacy", "隐私政策", ("2026-11-22",))
AGREEMENTS = {agreement.key: agreement for agreement in (TERMS, PRIVACY)}
OPERATOR = Operator(email="service@yunke-crm.com")
