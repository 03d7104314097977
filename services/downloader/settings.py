"""What an operator can set: STAGEDOOR_ variables."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from services.downloader.limits import Limits
from shared.origin import OriginPolicy
from shared.settings import ServiceSettings


def _user_agent() -> str:
    return f"Stagedoor/{version('stagedoor')}"


class DownloaderSettings(ServiceSettings):
    """Where bytes go, what may be fetched, and the limits of one download: bytes, seconds."""

    download_slots: PositiveInt = 4
    download_allow_networks: str = ""
    download_allow_ports: str = "443"
    download_ca_file: Path | None = None
    download_max_bytes: PositiveInt = Limits.max_bytes
    download_connect_seconds: PositiveFloat = Limits.connect_seconds
    download_header_seconds: PositiveFloat = Limits.header_seconds
    download_stall_seconds: PositiveFloat = Limits.stall_seconds
    download_backoff_seconds: PositiveFloat = Limits.backoff_seconds
    download_user_agent: Annotated[str, Field(min_length=1)] = Field(default_factory=_user_agent)

    @model_validator(mode="after")
    def _check_policy(self) -> Self:
        self.policy()
        return self

    def policy(self) -> OriginPolicy:
        """Return what may be fetched. Raises ValueError that names the bad value."""
        return OriginPolicy.from_settings(self.download_allow_networks, self.download_allow_ports)

    def limits(self) -> Limits:
        """Return the limits of one download."""
        return Limits(
            max_bytes=self.download_max_bytes,
            connect_seconds=self.download_connect_seconds,
            header_seconds=self.download_header_seconds,
            stall_seconds=self.download_stall_seconds,
            backoff_seconds=self.download_backoff_seconds,
        )
