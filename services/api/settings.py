"""What an operator can set: STAGEDOOR_ variables."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import PositiveFloat, PositiveInt, model_validator

from services.api.domain.runs import Limits
from shared.origin import OriginPolicy
from shared.settings import ServiceSettings


class ApiSettings(ServiceSettings):
    """Where the API listens, what it accepts, and how long it waits: seconds."""

    database_url: str = ""
    http_listen: str = "127.0.0.1:8080"
    grpc_listen: str = "127.0.0.1:50051"
    public_url: str | None = None
    download_allow_networks: str = ""
    download_allow_ports: str = "443"
    lease_seconds: PositiveFloat = 30.0
    dispatch_seconds: PositiveFloat = 1.0
    max_attempts: PositiveInt = 5
    retry_base_seconds: PositiveFloat = 10.0

    @model_validator(mode="after")
    def _check_policy(self) -> Self:
        self.policy()
        return self

    def database(self) -> str:
        """The database's URL: by default SQLite in the data folder."""
        default = f"sqlite+aiosqlite:///{self.data_dir.absolute() / 'stagedoor.db'}"
        return self.database_url or default

    def policy(self) -> OriginPolicy:
        """What may be fetched. Raises ValueError that names the bad value."""
        return OriginPolicy.from_settings(self.download_allow_networks, self.download_allow_ports)

    def limits(self) -> Limits:
        """How long claims hold and how often a stage is tried."""
        return Limits(
            lease=timedelta(seconds=self.lease_seconds),
            max_attempts=self.max_attempts,
            retry_base=timedelta(seconds=self.retry_base_seconds),
        )
