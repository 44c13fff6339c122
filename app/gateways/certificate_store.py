"""Where the platform certificates of WeChat Pay wait between a refresh and the notices they verify."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Protocol


class CertificateStore(Protocol):
    """Keeps PEM texts. ``load`` is called while a notice is being read: it must be quick and local."""

    def load(self) -> list[str]: ...

    def save(self, certificates: list[str]) -> None:
        """Replace everything kept by ``certificates``."""
        ...


class NoCertificates:
    """For a merchant who has the WeChat Pay public key only."""

    def load(self) -> list[str]:
        return []

    def save(self, certificates: list[str]) -> None:
        return None


class FileCertificateStore:
    """One file, replaced as a whole, so that a reader in another process never sees half of it."""

    def __init__(self, path: Path):
        self._path = path

    def load(self) -> list[str]:
        try:
            text = self._path.read_text("ascii")
        except FileNotFoundError:
            return []
        end = "-----END CERTIFICATE-----"
        return [piece.strip() + f"\n{end}\n" for piece in text.split(end) if "BEGIN CERTIFICATE" in piece]

    def save(self, certificates: list[str]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=".certificates-")
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write("\n".join(certificate.strip() for certificate in certificates) + "\n")
        Path(name).replace(self._path)
