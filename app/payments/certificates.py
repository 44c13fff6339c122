"""WeChat Pay's platform certificates: kept in the database for all processes, fetched by jobs only (PAYMENTS §1.3)."""

from __future__ import annotations

import structlog
from cryptography import x509
from sqlalchemy import delete, select

from app.core import clock
from app.core.db import db, reading, uuid7
from app.payments import registry
from app.payments.models import GatewayCertificate
from app.payments.ports import GatewayDown, GatewayRefused

log = structlog.get_logger(__name__)


class DatabaseCertificates:
    """The store that the WeChat Pay adapter reads and writes, on a connection of its own."""

    def __init__(self, gateway: str):
        self._gateway = gateway

    def load(self) -> list[str]:
        # On SQLite the request that reads a notice holds the write lock already: only a reading transaction may stand beside it.
        with reading(), db.engine.connect() as connection:
            return list(
                connection.execute(
                    select(GatewayCertificate.pem).where(GatewayCertificate.gateway == self._gateway)
                ).scalars()
            )

    def save(self, certificates: list[str]) -> None:
        table = GatewayCertificate.__table__
        with db.engine.begin() as connection:
            connection.execute(delete(table).where(table.c.gateway == self._gateway))
            for pem in certificates:
                serial = f"{x509.load_pem_x509_certificate(pem.encode()).serial_number:X}"
                connection.execute(
                    table.insert().values(
                        id=uuid7(), created_at=clock.now(), gateway=self._gateway, serial=serial, pem=pem
                    )
                )


def refresh() -> None:
    """Fetch the platform certificates anew, where the merchant has any; a gateway that is down is asked again later."""
    for name in registry.names():
        fetch = getattr(registry.get(name), "refresh_certificates", None)
        if fetch is None:
            continue
        try:
            fetch()
        except (GatewayDown, GatewayRefused) as error:
            log.info("certificates_not_fetched", gateway=name, error=str(error))
