"""The packages that licence holders install: this very application, packed so that the same source gives the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import select

from app.core import clock
from app.core.db import db
from app.core.errors import Conflict, Invalid
from app.provisioning import certificates
from app.provisioning.models import Release

log = structlog.get_logger(__name__)

PLATFORMS = ("linux", "windows", "docker")
PACKAGING = Path(__file__).parent / "packaging"

_PACKED = ("app", "jobs", "migrations", "wsgi.py", "requirements.txt", "Procfile", "README.md", "README.zh-CN.md")
_LEFT_OUT = {"__pycache__", "assets", "node_modules", ".DS_Store"}
_MOMENT = 946684800  # 2000-01-01 UTC: every file bears it, so that the clock leaves no trace in the archive

_folder: Path | None = None
_source: Path | None = None


@dataclass(frozen=True, slots=True)
class Package:
    platform: str
    path: Path
    size: int  # bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class _File:
    name: str  # inside the archive
    content: bytes
    runs: bool  # may be executed


def use_folders(*, kept_in: Path, source: Path) -> None:
    """Set by the assembly: where the packages lie, and the root of the application that is packed."""
    global _folder, _source
    _folder, _source = kept_in, source


def publish_release(version: str) -> list[Release]:
    """Build the packages of ``version`` and offer them for download; a published version stays as it is.

    Raises Invalid for something that is no version, Conflict if a package is missing on this machine and the source
    here would give another one than was published.
    """
    if not re.fullmatch(r"\d+(\.\d+){1,3}", version):
        raise Invalid(f"「{version}」不是版本号，写成 6.0.2 这样。")
    known = {row.platform: row for row in db.session.scalars(select(Release).where(Release.version == version))}
    if len(known) == len(PLATFORMS) and all(path_of(row).is_file() for row in known.values()):
        return [known[platform] for platform in PLATFORMS]
    packages = build(version)
    for package in packages:
        present = known.get(package.platform)
        if present is None:
            known[package.platform] = _offer(version, package)
        elif present.sha256 != package.sha256:
            package.path.unlink()
            raise Conflict(f"{version} 的 {package.platform} 包已发布，现在的源码打出来的不一样。请用新的版本号发布。")
    db.session.flush()
    return [known[platform] for platform in PLATFORMS]


def build(version: str) -> list[Package]:
    """Pack the application for every platform into the releases folder."""
    folder = _releases_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return [_pack(version, platform, folder / file_name(version, platform)) for platform in PLATFORMS]


def file_name(version: str, platform: str) -> str:
    return f"yunke-crm-{version}-{platform}.{'zip' if platform == 'windows' else 'tar.gz'}"


def path_of(release: Release) -> Path:
    """Where the package lies on this machine."""
    return _releases_folder() / release.file_name


def _offer(version: str, package: Package) -> Release:
    release = Release(
        version=version,
        platform=package.platform,
        file_name=package.path.name,
        size=package.size,
        sha256=package.sha256,
        published_at=clock.now(),
    )
    db.session.add(release)
    log.info("release_published", version=version, platform=package.platform, sha256=package.sha256)
    return release


def _pack(version: str, platform: str, path: Path) -> Package:
    root = f"yunke-crm-{version}"
    files = sorted(_files(version, platform), key=lambda file: file.name)
    archive: Callable[[str, list[_File]], bytes] = _zip if platform == "windows" else _tar_gz
    content = archive(root, files)
    _write_whole(path, content)
    return Package(platform, path, len(content), hashlib.sha256(content).hexdigest())


def _files(version: str, platform: str) -> Iterator[_File]:
    """The application, the notes and scripts of the platform, and the public key that proves licences."""
    for name in _PACKED:
        for path in _walk(_source_folder() / name):
            yield _File(path.relative_to(_source_folder()).as_posix(), path.read_bytes(), runs=False)
    for folder in ("common", platform):
        for path in _walk(PACKAGING / folder):
            name = path.relative_to(PACKAGING / folder).as_posix()
            yield _File(name, path.read_bytes(), runs=path.suffix == ".sh")
    yield _File("VERSION", f"{version}\n".encode(), runs=False)
    yield _File("license-keys.pem", certificates.public_key().encode(), runs=False)


def _walk(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        for child in sorted(path.iterdir()):
            if child.name not in _LEFT_OUT and child.suffix != ".pyc":
                yield from _walk(child)


def _tar_gz(root: str, files: list[_File]) -> bytes:
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=_MOMENT) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for file in files:
            entry = tarfile.TarInfo(f"{root}/{file.name}")
            entry.size, entry.mtime, entry.mode = len(file.content), _MOMENT, 0o755 if file.runs else 0o644
            archive.addfile(entry, io.BytesIO(file.content))
    return packed.getvalue()


def _zip(root: str, files: list[_File]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(f"{root}/{file.name}", date_time=(2000, 1, 1, 0, 0, 0))
            entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            archive.writestr(entry, file.content)
    return packed.getvalue()


def _write_whole(path: Path, content: bytes) -> None:
    """Nobody ever downloads half a package."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".package-")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(name).chmod(0o644)
    Path(name).replace(path)


def _releases_folder() -> Path:
    if _folder is None:
        raise RuntimeError("no folder for releases: the application was not assembled")
    return _folder


def _source_folder() -> Path:
    if _source is None:
        raise RuntimeError("no source to pack: the application was not assembled")
    return _source
