"""TLS of the server, and of its clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Files in PEM: our certificate with its chain, its key, and who signs those of clients.

    With a ``client_ca_file`` only clients with a certificate that it signed are let in (mTLS).
    """

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None

    def credentials(self) -> grpc.ServerCredentials:
        """What a port is opened with; raises OSError for a file that cannot be read."""
        clients = self.client_ca_file.read_bytes() if self.client_ca_file else None
        return grpc.ssl_server_credentials(
            [(self.key_file.read_bytes(), self.cert_file.read_bytes())],
            root_certificates=clients,
            require_client_auth=clients is not None,
        )
