"""The sandbox's licence key: made once per installation, readable by its owner only, never in the repository."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def ensure_license_key(instance_path: Path) -> str:
    """The Ed25519 private key (PEM) in the instance folder; of several processes that make it at once, one wins."""
    path = instance_path / "sandbox" / "license_key.pem"
    if not path.exists():
        _keep(path, new_key())
    return path.read_text("utf-8")


def new_key() -> str:
    """A fresh Ed25519 private key as PEM text."""
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return Ed25519PrivateKey.generate().private_bytes(serialization.Encoding.PEM, form, plain).decode()


def _keep(path: Path, pem: str) -> None:
    """Write the file whole, and only if nobody was faster: a link, unlike a rename, does not replace."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".license-")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(pem)
        try:
            os.link(name, path)
        except FileExistsError:
            return
    finally:
        Path(name).unlink()
