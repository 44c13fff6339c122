"""Files that belong to this installation: put by key, opened by key, gone by key; a file is there whole or not at all.

A key is a path of plain names such as ``<tenant>/imports/<id>/source``. The folder is the assembly's to say; a store of
another kind (S3) would stand behind the same functions.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_CHUNK = 1024 * 1024
_root: Path | None = None


def use(root: Path) -> None:
    """Set by the assembly at start: the folder in which all files lie."""
    global _root
    _root = root


def put(key: str, stream: IO[bytes]) -> int:
    """Keep what ``stream`` holds under ``key``, in place of what was there; gives its size in bytes."""
    with writing(key) as file:
        shutil.copyfileobj(stream, file, _CHUNK)
        return file.tell()


@contextmanager
def writing(key: str) -> Iterator[BinaryIO]:
    """A new file to write to; it takes its place under ``key`` when all went well, and leaves nothing behind else."""
    path = _path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".draft-")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # whoever deletes the rows that a file stands for relies on it
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def open(key: str) -> BinaryIO:
    """The file under ``key``, for reading. Raises FileNotFoundError."""
    return _path(key).open("rb")


def exists(key: str) -> bool:
    return _path(key).is_file()


def size(key: str) -> int:
    """In bytes. Raises FileNotFoundError."""
    return _path(key).stat().st_size


def delete(key: str) -> None:
    """Take a file away; one that is not there is no error."""
    _path(key).unlink(missing_ok=True)


def _path(key: str) -> Path:
    parts = key.split("/")
    if not all(_PLAIN.fullmatch(part) for part in parts):
        raise ValueError(f"not a key of a file: {key[:80]!r}")
    if _root is None:
        raise RuntimeError("no folder for files: the application was not assembled")
    return _root.joinpath(*parts)
