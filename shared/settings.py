"""What every service lets an operator set: STAGEDOOR_ variables."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Where things are. ``ready_file`` is written once the service serves, for a supervisor."""

    model_config = SettingsConfigDict(env_prefix="STAGEDOOR_", frozen=True, env_ignore_empty=True)

    data_dir: Path = Path("var")
    nats_url: str = "nats://127.0.0.1:4222"
    blobs_url: str = ""
    ready_file: Path | None = None

    def store_url(self) -> str:
        """The URL of the blob store: by default a folder in the data folder."""
        return self.blobs_url or (self.data_dir.absolute() / "blobs").as_uri()
