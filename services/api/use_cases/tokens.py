"""Bearer tokens: ``sd_<key id>_<secret>``; only a hash of the secret is kept."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from services.api.db.tables import tokens
from services.api.domain.errors import InvalidFields, NotFound, Unauthenticated, Violation
from services.api.domain.principal import SCOPES, TENANT, Principal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection, Row

    from services.api.db.executor import Executor, Transaction

_TOKEN = re.compile(r"sd_([0-9a-f]{16})_([A-Za-z0-9_-]{43})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is known of a token; the secret is not."""

    key_id: str
    tenant: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Tokens:
    """Issues tokens and knows them again."""

    executor: Executor

    async def authenticate(self, token: str | None) -> Principal:
        """Who holds this token. Raises Unauthenticated."""
        parts = _TOKEN.fullmatch(token or "")
        if parts is None:
            raise Unauthenticated
        key_id, secret = parts.groups()

        def query(connection: Connection) -> Row[Any] | None:
            return connection.execute(select(tokens).where(tokens.c.key_id == key_id)).one_or_none()

        row = await self.executor.read(query)
        # An unknown key costs a comparison too, so that time does not tell which keys exist.
        known = row.secret_sha256 if row else _digest("")
        if not hmac.compare_digest(known, _digest(secret)) or row is None or not _is_good(row):
            raise Unauthenticated
        return Principal(tenant=row.tenant, token_id=key_id, scopes=frozenset(row.scopes))

    async def issue(
        self,
        tenant: str,
        name: str,
        scopes: Iterable[str],
        expires_at: datetime | None = None,
    ) -> str:
        """Make a token; this is the only time that it can be seen. Raises InvalidFields."""
        wanted = sorted(set(scopes))
        _check(tenant, wanted)
        key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)

        def unit(transaction: Transaction) -> None:
            transaction.connection.execute(
                tokens.insert().values(
                    key_id=key_id,
                    tenant=tenant,
                    name=name[:255],
                    secret_sha256=_digest(secret),
                    scopes=wanted,
                    created_at=transaction.now(),
                    expires_at=expires_at,
                )
            )

        await self.executor.write(unit)
        return f"sd_{key_id}_{secret}"

    async def list(self) -> tuple[Token, ...]:
        """Every token of the deployment, oldest first."""

        def query(connection: Connection) -> tuple[Token, ...]:
            rows = connection.execute(select(tokens).order_by(tokens.c.created_at))
            return tuple(_to_token(row) for row in rows)

        return await self.executor.read(query)

    async def revoke(self, key_id: str) -> None:
        """End a token at once. Raises NotFound."""

        def unit(transaction: Transaction) -> None:
            ended = transaction.connection.execute(
                update(tokens).where(tokens.c.key_id == key_id).values(revoked_at=transaction.now())
            )
            if ended.rowcount == 0:
                raise NotFound("tokens", key_id)

        await self.executor.write(unit)


def _digest(secret: str) -> str:
    # A fast hash is right for 256 random bits; slow ones are for passwords.
    return hashlib.sha256(secret.encode()).hexdigest()


def _is_good(row: Row[Any]) -> bool:
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > datetime.now(UTC))


def _check(tenant: str, scopes: list[str]) -> None:
    violations = []
    if not TENANT.fullmatch(tenant):
        violations.append(
            Violation("tenant", "invalid", "A tenant's name is of a-z, 0-9 and hyphens.")
        )
    unknown = sorted(set(scopes) - SCOPES)
    if unknown or not scopes:
        known = ", ".join(sorted(SCOPES))
        violations.append(Violation("scopes", "invalid", f"Scopes are some of {known}."))
    if violations:
        raise InvalidFields(*violations)


def _to_token(row: Row[Any]) -> Token:
    return Token(
        key_id=row.key_id,
        tenant=row.tenant,
        name=row.name,
        scopes=tuple(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
