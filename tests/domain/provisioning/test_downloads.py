"""Packages and the links to them: ten minutes, one account, fair for ever."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from flask import Flask

from app.config import ROOT
from app.core import clock, tenancy
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.orders import queries as orders
from app.orders.states import life
from app.provisioning import certificates, downloads, queries, releases, withdraw
from app.provisioning.models import License, Release
from tests.domain.provisioning import shop


@pytest.fixture
def source(app: Flask, tmp_path: Path) -> Iterator[Path]:
    """A small application to pack, in folders of its own."""
    source = tmp_path / "source"
    (source / "app" / "__pycache__").mkdir(parents=True)
    (source / "app" / "__init__.py").write_text("print('云客')\n", "utf-8")
    (source / "app" / "__pycache__" / "x.pyc").write_bytes(b"machine")
    (source / "wsgi.py").write_text("app = 1\n", "utf-8")
    (source / "requirements.txt").write_text("flask\n", "utf-8")
    (source / ".env").write_text("SECRET_KEY=secret\n", "utf-8")
    (source / "instance").mkdir()
    (source / "instance" / "yunke.db").write_bytes(b"rows")
    releases.use_folders(kept_in=tmp_path / "releases", source=source)
    yield source
    releases.use_folders(kept_in=app.extensions["settings"].instance_path / "releases", source=ROOT)


@pytest.fixture
def published(source: Path) -> list[Release]:
    with clock.held(shop.NOON):
        return publish("6.0.2")


@pytest.fixture
def license(published: list[Release]) -> License:
    with clock.held(shop.NOON):
        shop.buy("private", "pro", 1)
        shop.run_deliveries()
    return shop.rows(License)[0]


def publish(version: str) -> list[Release]:
    with tenancy.scope(tenancy.everyone("a test publishes")):
        return releases.publish_release(version)


def opened(path: str, person_id: str | None = None) -> downloads.Download:
    with tenancy.scope(tenancy.everyone("a test downloads")):
        return downloads.open_link(path.rpartition("/")[2], person_id)


# Packages


def test_a_release_has_a_package_for_each_platform_with_its_checksum(published: list[Release]) -> None:
    assert [release.file_name for release in published] == [
        "yunke-crm-6.0.2-linux.tar.gz",
        "yunke-crm-6.0.2-windows.zip",
        "yunke-crm-6.0.2-docker.tar.gz",
    ]
    for release in published:
        content = releases.path_of(release).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (release.size, release.sha256)


def test_the_same_source_gives_the_same_bytes(published: list[Release], source: Path) -> None:
    before = [release.sha256 for release in published]
    for path in source.rglob("*.py"):
        path.touch()

    after = [package.sha256 for package in releases.build("6.0.2")]

    assert after == before


def test_packages_hold_the_application_the_notes_and_the_public_key_and_nothing_of_this_installation(
    published: list[Release],
) -> None:
    linux, windows, docker = (contents(release) for release in published)

    for files in (linux, windows, docker):
        assert files["app/__init__.py"].decode() == "print('云客')\n"
        assert files["VERSION"] == b"6.0.2\n"
        assert files["license-keys.pem"].decode() == certificates.public_key()
        assert b"PRIVATE KEY" not in files["license-keys.pem"]
        assert {"INSTALL.zh-CN.md", "first_run.py", "wsgi.py", "requirements.txt"} <= files.keys()
        assert not [name for name in files if name.endswith(".pyc") or name.startswith((".env", "instance"))]
    assert {"install.sh", "start.sh"} <= linux.keys()
    assert {"install.ps1", "start.ps1"} <= windows.keys()
    assert {"Dockerfile", "compose.yaml", "entrypoint.sh"} <= docker.keys()


def test_the_scripts_of_linux_may_be_executed(published: list[Release]) -> None:
    with tarfile.open(releases.path_of(published[0])) as archive:
        modes = {member.name.partition("/")[2]: member.mode for member in archive.getmembers()}

    assert (modes["install.sh"], modes["app/__init__.py"]) == (0o755, 0o644)


def test_publishing_twice_changes_nothing(published: list[Release], source: Path) -> None:
    (source / "wsgi.py").write_text("app = 2\n", "utf-8")

    again = publish("6.0.2")

    assert [release.id for release in again] == [release.id for release in published]
    assert len(shop.rows(Release)) == 3


def test_another_machine_makes_the_same_package_or_refuses(published: list[Release], source: Path) -> None:
    for release in published:
        releases.path_of(release).unlink()
    publish("6.0.2")
    assert all(releases.path_of(release).is_file() for release in published)
    for release in published:
        releases.path_of(release).unlink()
    (source / "wsgi.py").write_text("app = 2\n", "utf-8")

    with pytest.raises(Conflict, match="新的版本号"):
        publish("6.0.2")


@pytest.mark.parametrize("version", ["", "latest", "6", "6.0.2/../..", "v6.0.2"])
def test_what_is_no_version_is_refused(source: Path, version: str) -> None:
    with pytest.raises(Invalid, match="版本号"):
        publish(version)


def test_this_repository_can_be_packed(app: Flask, tmp_path: Path) -> None:
    releases.use_folders(kept_in=tmp_path, source=ROOT)
    try:
        packages = releases.build("9.9.9")
    finally:
        releases.use_folders(kept_in=app.extensions["settings"].instance_path / "releases", source=ROOT)

    assert all(100_000 < package.size < 40_000_000 for package in packages)


# Links


def test_a_link_opens_for_the_person_it_was_made_for(published: list[Release], license: License) -> None:
    with clock.held(shop.NOON):
        path = downloads.signed_path(published[0], license, "person-1")
        download = opened(path, "person-1")

    assert path.startswith("/my/downloads/")
    assert (download.file_name, download.sha256) == (published[0].file_name, published[0].sha256)
    assert download.path.is_file()
    assert download.license.order_id == license.order_id


@pytest.mark.parametrize("other", ["person-2", None])
def test_a_copied_link_is_nothing_to_another_account(
    published: list[Release], license: License, other: str | None
) -> None:
    with clock.held(shop.NOON):
        path = downloads.signed_path(published[0], license, "person-1")

        with pytest.raises(NotFound):
            opened(path, other)


def test_the_checkouts_link_needs_no_account_and_does_not_open_in_one(
    published: list[Release], license: License
) -> None:
    with clock.held(shop.NOON):
        path = downloads.signed_path(published[0], license)
        assert opened(path).license.id == license.id

        with pytest.raises(NotFound):
            opened(path, "person-1")
    assert path.startswith("/checkout/downloads/")


def test_a_link_is_good_for_ten_minutes(published: list[Release], license: License) -> None:
    with clock.held(shop.NOON):
        path = downloads.signed_path(published[0], license, "person-1")
    with clock.held(shop.NOON + timedelta(minutes=9, seconds=59)):
        assert opened(path, "person-1")

    with clock.held(shop.NOON + timedelta(minutes=10)), pytest.raises(Invalid, match="已过期"):
        opened(path, "person-1")


def test_a_changed_link_is_no_link(published: list[Release], license: License) -> None:
    with clock.held(shop.NOON):
        token = downloads.signed_path(published[0], license, "person-1").rpartition("/")[2]
        for place in range(0, len(token) - 1, 7):
            changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
            with pytest.raises(NotFound):
                opened(changed, "person-1")


def test_another_customers_licence_is_not_reached_in_the_customers_own_scope(
    published: list[Release], license: License
) -> None:
    with clock.held(shop.NOON):
        token = downloads.signed_path(published[0], license, "person-1").rpartition("/")[2]

        with pytest.raises(NotFound), tenancy.scope(tenancy.customer("another")):
            downloads.open_link(token, "person-1")


# Fairness: version date × maintenance × refund


@pytest.mark.parametrize(
    ("maintenance_until", "published_after", "covered"),
    [
        (date(2027, 6, 18), timedelta(0), True),
        (date(2027, 6, 18), timedelta(days=365), True),
        (date(2027, 6, 18), timedelta(days=366), False),
        (None, timedelta(0), True),
        (None, timedelta(days=1), False),
    ],
)
def test_versions_of_the_maintained_time_are_covered_for_ever_and_later_ones_are_not(
    maintenance_until: date | None, published_after: timedelta, covered: bool
) -> None:
    license = License(status="issued", issued_on=date(2026, 6, 18), maintenance_until=maintenance_until)
    release = Release(published_at=shop.NOON + published_after)

    with clock.held(shop.NOON + timedelta(days=4000)):
        assert downloads.covers(license, release) is covered


def test_the_last_day_of_maintenance_counts_to_its_last_second_in_shanghai() -> None:
    license = License(status="issued", issued_on=date(2026, 6, 18), maintenance_until=date(2027, 6, 18))
    midnight = clock.end_of_day(date(2027, 6, 18))

    assert downloads.covers(license, Release(published_at=midnight - timedelta(seconds=1)))
    assert not downloads.covers(license, Release(published_at=midnight))


def test_a_later_version_names_the_renewal(published: list[Release], license: License) -> None:
    late = Release(id="x", version="7.0", published_at=shop.NOON + timedelta(days=800))

    with pytest.raises(Forbidden, match="续费维护服务"):
        downloads.signed_path(late, license, "person-1")


def test_a_refund_ends_the_downloads_of_that_licence_only(published: list[Release], license: License) -> None:
    with clock.held(shop.NOON):
        shop.buy("private", "standard", 1, phone="13900139000")
        shop.run_deliveries()
        other = next(row for row in shop.rows(License) if row.id != license.id)
        mine, theirs = (downloads.signed_path(published[0], row, "person-1") for row in (license, other))
        with tenancy.scope(tenancy.everyone("a test refunds")):
            life.move(orders.by_id(license.order_id), "refund")
        with tenancy.scope(tenancy.everyone("a test refunds")):
            withdraw.withdraw_grant(license.order_id)

        assert opened(theirs, "person-1")
        with pytest.raises(Forbidden, match="已作废"):
            opened(mine, "person-1")


def test_the_newest_version_is_offered_first(published: list[Release], source: Path) -> None:
    with clock.held(shop.NOON + timedelta(days=30)):
        publish("6.1.0")

    with tenancy.scope(tenancy.everyone("a test looks")):
        latest = queries.latest_releases()
        every = queries.releases()

    assert [(row.version, row.platform) for row in latest] == [("6.1.0", p) for p in ("linux", "windows", "docker")]
    assert [row.version for row in every] == ["6.1.0"] * 3 + ["6.0.2"] * 3


def test_the_packages_of_a_version_keep_their_places_though_they_were_published_one_after_the_other(
    published: list[Release],
) -> None:
    publish("6.1.0")

    assert offered()[:3] == [("6.1.0", "linux"), ("6.1.0", "windows"), ("6.1.0", "docker")]


def test_of_versions_of_one_moment_the_higher_number_is_the_newer(published: list[Release]) -> None:
    with clock.held(shop.NOON + timedelta(days=30)):
        publish("6.10.0")
        publish("6.9.0")

    assert [version for version, _ in offered()] == ["6.10.0"] * 3 + ["6.9.0"] * 3 + ["6.0.2"] * 3


def offered() -> list[tuple[str, str]]:
    with tenancy.scope(tenancy.everyone("a test looks")):
        return [(row.version, row.platform) for row in queries.releases()]


def contents(release: Release) -> dict[str, bytes]:
    raw = releases.path_of(release).read_bytes()
    if release.platform == "windows":
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        return {m.name.partition("/")[2]: archive.extractfile(m).read() for m in archive.getmembers()}
