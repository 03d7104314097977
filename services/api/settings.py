"""What an operator can set: STAGEDOOR_ variables."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    model_validator,
)

from services.api.domain.keeping import Keep
from services.api.domain.runs import Limits
from services.api.domain.storage import Caps
from services.api.notify.server import MailServer
from services.api.secrets import SecretKeys
from services.api.trust import Trust
from services.api.use_cases.targets import Targets
from shared.origin import OriginPolicy
from shared.settings import ServiceSettings


class ApiSettings(ServiceSettings):
    """Where the API listens, what it accepts, and how long it waits: seconds."""

    database_url: str = ""
    nats_replicas: Annotated[int, Field(ge=1, le=5)] = 1
    http_listen: str = "127.0.0.1:8080"
    grpc_listen: str = "127.0.0.1:50051"
    public_url: str | None = None
    download_allow_networks: str = ""
    download_allow_ports: str = "443"
    lease_seconds: PositiveFloat = 30.0
    dispatch_seconds: PositiveFloat = 1.0
    max_attempts: PositiveInt = 5
    retry_base_seconds: PositiveFloat = 10.0
    oidc_issuer: str = ""
    oidc_audience: str = ""
    oidc_jwks: str = ""
    oidc_algorithms: str = "RS256,ES256"
    oidc_tenant_claim: str = "tenant"
    oidc_scope_claim: str = "scope"
    http_tls_cert_file: Path | None = None
    http_tls_key_file: Path | None = None
    grpc_tls_cert_file: Path | None = None
    grpc_tls_key_file: Path | None = None
    grpc_tls_client_ca_file: Path | None = None
    rate_limit_per_minute: PositiveInt = 6000
    idol_daily_writes: NonNegativeInt = 10_000
    datocms_rate_limit: PositiveInt = 30
    datocms_rate_seconds: PositiveFloat = 3.0
    max_connections: PositiveInt = 512
    file_slots: PositiveInt = 64
    upload_slots: PositiveInt = 32
    upload_max_bytes: PositiveInt = 68719476736
    upload_direct: bool = False
    upload_origins: str = "*"
    upload_confined: bool = True
    profiles_dir: Path | None = None
    secrets_key: SecretStr | None = None
    tenant_bytes: NonNegativeInt = 0
    tenant_running: NonNegativeInt = 0
    webhook_allow_networks: str = ""
    webhook_allow_ports: str = "443"
    webhook_ca_file: Path | None = None
    webhook_retry_scale: PositiveFloat = 1.0
    smtp_url: SecretStr | None = None
    mail_from: str = ""
    keep_tasks_days: NonNegativeFloat = 0.0
    keep_superseded_days: NonNegativeFloat | None = None
    keep_keys_days: NonNegativeFloat = 1.0
    keep_tombstones_days: NonNegativeFloat = 7.0
    keep_audit_days: NonNegativeFloat = 400.0
    keep_dead_letters_days: NonNegativeFloat = 90.0
    keep_deliveries_days: NonNegativeFloat = 30.0
    keep_events_days: NonNegativeFloat = 7.0

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

    @model_validator(mode="after")
    def _check_trust(self) -> Self:
        self.trust()
        return self

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        for door in ("http", "grpc"):
            pair = (getattr(self, f"{door}_tls_cert_file"), getattr(self, f"{door}_tls_key_file"))
            if any(pair) and not all(pair):
                raise ValueError(f"{door}_tls_cert_file and {door}_tls_key_file are set together.")
        return self

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        if self.secrets_key is not None:
            SecretKeys.parse(self.secrets_key.get_secret_value())
        return self

    def keys(self) -> SecretKeys:
        """The secret keys: by default a file in the data folder, made anew if there is none."""
        if self.secrets_key is None:
            return SecretKeys.load(self.data_dir)
        return SecretKeys.parse(self.secrets_key.get_secret_value())

    def slots(self) -> int:
        """How many files are given out at once: never on more than half of the connections."""
        return min(self.file_slots, max(1, self.max_connections // 2))

    @model_validator(mode="after")
    def _check_sending(self) -> Self:
        self.targets()
        self.mail_server()
        return self

    def targets(self) -> Targets:
        """Where webhooks and mail may go. Raises ValueError that names the bad value."""
        policy = OriginPolicy.from_settings(self.webhook_allow_networks, self.webhook_allow_ports)
        return Targets(policy, mail=self.smtp_url is not None)

    def mail_server(self) -> MailServer | None:
        """Who takes mail; None for nobody. Raises ValueError that says why."""
        if (self.smtp_url is None) != (not self.mail_from):
            raise ValueError("smtp_url and mail_from are set together.")
        if self.smtp_url is None:
            return None
        return MailServer.parse(self.smtp_url.get_secret_value(), self.mail_from)

    def caps(self) -> Caps:
        """What every tenant may have."""
        return Caps(stored_bytes=self.tenant_bytes, running_downloads=self.tenant_running)

    def keep(self) -> Keep:
        """How long what is finished is kept."""
        superseded = self.keep_superseded_days
        return Keep(
            tasks=_age(self.keep_tasks_days),
            superseded=timedelta(0) if superseded is None else _age(superseded),
            keys=_age(self.keep_keys_days),
            tombstones=_age(self.keep_tombstones_days),
            audit=_age(self.keep_audit_days),
            dead_letters=_age(self.keep_dead_letters_days),
            deliveries=_age(self.keep_deliveries_days),
        )

    def keep_events(self) -> timedelta | None:
        """How long the broker keeps events; None is for ever."""
        return _age(self.keep_events_days)

    def trust(self) -> Trust | None:
        """Whose JWTs are believed; None for nobody's. Raises ValueError that says why."""
        needed = (self.oidc_issuer, self.oidc_audience, self.oidc_jwks)
        if not any(needed):
            return None
        if not all(needed):
            raise ValueError("oidc_issuer, oidc_audience and oidc_jwks are set together.")
        return Trust(
            issuer=self.oidc_issuer,
            audience=self.oidc_audience,
            jwks=self.oidc_jwks,
            algorithms=tuple(self.oidc_algorithms.split(",")),
            tenant_claim=self.oidc_tenant_claim,
            scope_claim=self.oidc_scope_claim,
        )

    def limits(self) -> Limits:
        """How long claims hold and how often a stage is tried."""
        return Limits(
            lease=timedelta(seconds=self.lease_seconds),
            max_attempts=self.max_attempts,
            retry_base=timedelta(seconds=self.retry_base_seconds),
        )


def _age(days: float) -> timedelta | None:
    """None, for ever, for 0."""
    return timedelta(days=days) if days else None
