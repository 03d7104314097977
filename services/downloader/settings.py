"""What an operator can set: STAGEDOOR_ variables."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from services.downloader.limits import GIBIBYTE, WINDOW_BYTES, Limits, RangeLimits
from shared.origin import OriginPolicy
from shared.settings import ServiceSettings

# It stands in a comment of a header field (RFC 9110 §5.6.5).
_CONTACT = r"^((https?://|mailto:)[!-'*-\[\]-~]+)?$"


class DownloaderSettings(ServiceSettings):
    """Where bytes go, what may be fetched, and the limits of one download: bytes, seconds.

    ``download_per_host`` bounds the connections to one host, ``download_per_tenant`` the runs for
    one tenant (0: all slots), ``download_connections`` those of one file, and
    ``download_max_bytes_per_second`` (0: none) all downloads, each in one process.
    ``download_keep_free_bytes`` of the disk stay free, or a tenth of it if that is less.
    """

    download_slots: PositiveInt = 8
    download_allow_networks: str = ""
    download_allow_ports: str = "443"
    download_ca_file: Path | None = None
    download_max_bytes: PositiveInt = Limits.max_bytes
    download_connect_seconds: PositiveFloat = Limits.connect_seconds
    download_header_seconds: PositiveFloat = Limits.header_seconds
    download_stall_seconds: PositiveFloat = Limits.stall_seconds
    download_backoff_seconds: PositiveFloat = Limits.backoff_seconds
    download_connections: Annotated[int, Field(ge=1, le=6)] = RangeLimits.connections
    download_per_host: PositiveInt = 8
    download_per_tenant: NonNegativeInt = 0
    download_max_bytes_per_second: NonNegativeInt = 0
    download_keep_free_bytes: NonNegativeInt = GIBIBYTE
    download_contact_url: Annotated[str, Field(pattern=_CONTACT)] = ""
    download_user_agent: str = ""

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

    def ranges(self, buffer_bytes: int = 0) -> RangeLimits:
        """Return when and how a file comes by several connections.

        ``buffer_bytes`` is what the store keeps in memory for each download.
        """
        connections = min(self.download_connections, self.download_per_host)
        segment = (WINDOW_BYTES - buffer_bytes) // connections
        return RangeLimits(
            connections=connections, segment_bytes=min(segment, RangeLimits.segment_bytes)
        )

    def per_tenant(self) -> int:
        """Return how many runs of one tenant may be busy at once."""
        return self.download_per_tenant or self.download_slots

    def user_agent(self) -> str:
        """Return how origins know us, and whom they can ask about us."""
        name = f"Stagedoor/{version('stagedoor')}"
        contact = f" (+{self.download_contact_url})" if self.download_contact_url else ""
        return self.download_user_agent or name + contact
