"""What every service lets an operator set: STAGEDOOR_ variables."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.bus.servers import Servers, TlsFiles


class ServiceSettings(BaseSettings):
    """Where things are. ``ready_file`` is written once the service serves, for a supervisor."""

    # What is refused is not shown: keys and the broker's password are among it.
    model_config = SettingsConfigDict(
        env_prefix="STAGEDOOR_", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    data_dir: Path = Path("var")
    nats_url: str = "nats://127.0.0.1:4222"
    nats_ca_file: Path | None = None
    nats_cert_file: Path | None = None
    nats_key_file: Path | None = None
    blobs_url: str = ""
    ready_file: Path | None = None

    @model_validator(mode="after")
    def _check_nats(self) -> Self:
        Servers.parse(self.nats_url)
        self.nats_tls()
        return self

    def nats_tls(self) -> TlsFiles:
        """What TLS with the broker takes. Raises ValueError that says what is missing."""
        return TlsFiles(self.nats_ca_file, self.nats_cert_file, self.nats_key_file)

    def store_url(self) -> str:
        """The URL of the blob store: by default a folder in the data folder."""
        return self.blobs_url or (self.data_dir.absolute() / "blobs").as_uri()
