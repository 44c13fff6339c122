"""Links to the packages: signed, good for ten minutes, bound to one licence and to the account that asked.

A version that was published before maintenance ended stays downloadable for ever; later ones need a renewal (SPEC §3).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog
from itsdangerous import BadSignature, URLSafeSerializer

from app.core import clock
from app.core.errors import Forbidden, Invalid, NotFound, Refused
from app.provisioning import queries, releases
from app.provisioning.models import License, Release

log = structlog.get_logger(__name__)

LIVES = timedelta(minutes=10)

_signer: URLSafeSerializer | None = None


@dataclass(frozen=True, slots=True)
class Download:
    """A file to hand out; ``license.order_id`` says which order it belongs to."""

    path: Path
    file_name: str
    sha256: str
    license: License
    release: Release


def use_secret(secret: str) -> None:
    """Set by the assembly: what signs the links."""
    global _signer
    _signer = URLSafeSerializer(secret, salt="download")


def signed_path(release: Release, license: License, person_id: str | None = None) -> str:
    """The address of a package for the next ten minutes.

    With ``person_id`` it opens in the customer center and for that person only; without, on the order's page of the
    checkout, whose view must check that this browser may see the order ``license.order_id``. Raises Forbidden for a
    version that the licence does not cover.
    """
    if not covers(license, release):
        raise Forbidden(_uncovered(license))
    until = int((clock.now() + LIVES).timestamp())
    token = _signing().dumps([release.id, license.id, person_id, until])
    return f"{'/my' if person_id else '/checkout'}/downloads/{token}"


def open_link(token: str, person_id: str | None = None) -> Download:
    """The file behind a link, for the person it was made for (None: on the checkout's page).

    Raises NotFound for a changed link or another account's, Invalid for one that is too old, Forbidden if the
    licence does not cover the version (any more).
    """
    release_id, license_id, owner_id, until = _read(token)
    if owner_id != person_id:
        raise NotFound()
    if clock.now().timestamp() >= until:
        raise Invalid("这个下载链接已过期（10 分钟有效）。回到上一页刷新后重新点下载。")
    license, release = queries.license(license_id), queries.release(release_id)
    if not covers(license, release):
        raise Forbidden(_uncovered(license))
    path = releases.path_of(release)
    if not path.is_file():
        log.error("release_file_missing", version=release.version, platform=release.platform)
        raise Refused("这个安装包暂时取不到，我们正在处理。请稍后再试，或提交工单。")
    return Download(path, release.file_name, release.sha256, license, release)


def covers(license: License, release: Release) -> bool:
    """Whether the licence may download this version."""
    if license.status == "revoked":
        return False
    until = license.maintenance_until or license.issued_on
    return release.published_at < clock.end_of_day(until)


def _uncovered(license: License) -> str:
    if license.status == "revoked":
        return "这个授权已作废，不能再下载安装包。"
    until = license.maintenance_until or license.issued_on
    return f"这个版本在维护服务到期（{until}）之后发布。续费维护服务后可以下载，之前的版本一直可以下载。"


def _read(token: str) -> tuple[str, str, str | None, int]:
    try:
        release_id, license_id, owner_id, until = _signing().loads(token)
    except BadSignature:
        raise NotFound() from None
    return release_id, license_id, owner_id, until


def _signing() -> URLSafeSerializer:
    if _signer is None:
        raise RuntimeError("no secret for links: the application was not assembled")
    return _signer
