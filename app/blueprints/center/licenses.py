"""我的授权: codes, certificates, packages to download (seed P §4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flask import Response, send_file
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.blueprints.center import area
from app.blueprints.center.roles import room
from app.core.errors import NotFound
from app.provisioning import downloads
from app.provisioning import queries as provisioning
from app.provisioning.models import License, Release
from app.provisioning.releases import PLATFORMS
from app.web.agreements import OPERATOR
from app.web.pages import page


class Package(NamedTuple):
    """A file to download, and its link for the next ten minutes."""

    release: Release
    link: str


@area.get("/licenses")
@room("service")
def licenses() -> ResponseReturnValue:
    found = provisioning.licenses_of(current_user.customer_id)
    releases = provisioning.releases() if found else []
    return page(
        "center/licenses.html",
        licenses=[(license, *_packages(license, releases)) for license in found],
        help_email=OPERATOR.email,
    )


@area.get("/licenses/<license_id>/certificate")
@room("service")
def certificate(license_id: str) -> Response:
    """The signed certificate as a file, for an installation without a network."""
    license = provisioning.license(license_id)
    if not license.certificate:
        raise NotFound("授权证书还没有签发好，请稍后再试。")
    response = Response(license.certificate, mimetype="text/plain; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{license.code}.lic"'
    response.headers["Cache-Control"] = "private, no-store"
    return response


@area.get("/downloads/<token>")
@room("service")
def download(token: str) -> Response:
    """Hand out one package; the link is the person's own and ten minutes old at most."""
    found = downloads.open_link(token, current_user.id)
    response = send_file(found.path, as_attachment=True, download_name=found.file_name)
    response.headers["X-Checksum-SHA256"] = found.sha256
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _packages(license: License, releases: Sequence[Release]) -> tuple[list[Package], str]:
    """The packages of the newest version that the licence covers, and the newest version of all where it is a later one."""
    covered = [row for row in releases if downloads.covers(license, row)]
    packages = [
        Package(row, downloads.signed_path(row, license, current_user.id))
        for row in sorted(covered, key=lambda row: PLATFORMS.index(row.platform))
        if row.version == covered[0].version
    ]
    is_later = bool(releases) and (not covered or releases[0].version != covered[0].version)
    return packages, releases[0].version if is_later else ""
