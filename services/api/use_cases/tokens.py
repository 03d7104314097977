"""Bearer tokens: ``sd_<key id>_<secret>``; only a hash of the secret is kept."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select, update

from services.api.db import audit_rows
from services.api.db.lookups import Lookup
from services.api.db.tables import tokens
from services.api.domain.errors import (
    InvalidFields,
    NotFound,
    StateConflict,
    Unauthenticated,
    Violation,
)
from services.api.domain.principal import ADMIN, SCOPES, TENANT, Principal
from services.api.use_cases.token_use import TokenUse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Row

    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction

Verify = Callable[[str], Awaitable[Principal]]

OPERATOR = "operator"
"""In the audit log: whoever can run programs at the database."""

_TOKEN = re.compile(r"sd_([0-9a-f]{16})_([A-Za-z0-9_-]{43})", re.ASCII)


_BY_KEY_IDS = select(tokens).where(tokens.c.key_id.in_(bindparam("key_ids", expanding=True)))


def _fetch(connection: Connection, wanted: Sequence[str]) -> Mapping[str, Row[Any]]:
    rows = connection.execute(_BY_KEY_IDS, {"key_ids": wanted})
    return {row.key_id: row for row in rows}


_TOKENS = Lookup(_fetch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is known of a token; the secret is not.

    ``successor`` is the key id of the token that it was rotated to. ``last_used_at`` is coarse: it
    lags by up to a minute.
    """

    key_id: str
    tenant: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    successor: str | None


@dataclass(frozen=True, slots=True)
class Tokens:
    """Issues tokens and knows them again.

    ``verify`` knows the tokens of an identity provider; without it there are none.
    """

    executor: Executor
    verify: Verify | None = None
    _use: TokenUse = field(init=False)

    def __post_init__(self) -> None:
        """Keep the times of use in the same database."""
        object.__setattr__(self, "_use", TokenUse(self.executor))

    async def authenticate(self, token: str | None) -> Principal:
        """Who holds this token. Raises Unauthenticated, Unavailable when that cannot be known."""
        parts = _TOKEN.fullmatch(token or "")
        if parts is not None:
            return await self._authenticate_key(*parts.groups())
        if token is None or self.verify is None:
            raise Unauthenticated
        return await self.verify(token)

    async def _authenticate_key(self, key_id: str, secret: str) -> Principal:
        row = await self.executor.find(_TOKENS, key_id)
        # An unknown key costs a comparison too, so that time does not tell which keys exist.
        known = row.secret_sha256 if row else _digest("")
        if (
            not hmac.compare_digest(known, _digest(secret))
            or row is None
            or not _is_live(row, datetime.now(UTC))
        ):
            raise Unauthenticated
        await self._use.note(key_id, row.last_used_at)
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

        def unit(transaction: Transaction) -> str:
            token = _insert(
                transaction, tenant=tenant, name=name[:255], scopes=wanted, expires_at=expires_at
            )
            _audit(transaction, tenant, "create", _key_id(token))
            return token

        return await self.executor.write(unit)

    async def rotate(self, key_id: str, overlap: timedelta) -> str:
        """Make a token that may do the same; the old one is good for ``overlap`` more at most.

        The new one lives as long as the old one was given. Raises NotFound, and StateConflict for a
        token that has ended or was rotated before.
        """

        def unit(transaction: Transaction) -> str:
            # Locked: two rotations at once would leave a token that nobody knows of.
            this = select(tokens).where(tokens.c.key_id == key_id).with_for_update()
            old = transaction.connection.execute(this).one_or_none()
            if old is None:
                raise NotFound("tokens", key_id)
            now = transaction.now()
            _check_rotation(old, now)
            return _rotate(transaction, old, now, now + overlap)

        return await self.executor.write(unit)

    async def list(self) -> tuple[Token, ...]:
        """Every token of the deployment, oldest first."""

        def query(connection: Connection) -> tuple[Token, ...]:
            rows = connection.execute(select(tokens).order_by(tokens.c.created_at))
            return tuple(_to_token(row) for row in rows)

        return await self.executor.read(query)

    async def revoke(self, key_id: str) -> None:
        """End a token at once; one that was revoked before keeps its time. Raises NotFound."""

        def unit(transaction: Transaction) -> None:
            this = update(tokens).where(tokens.c.key_id == key_id)
            first = func.coalesce(tokens.c.revoked_at, transaction.now())
            ended = this.values(revoked_at=first).returning(tokens.c.tenant)
            tenant = transaction.connection.execute(ended).scalar_one_or_none()
            if tenant is None:
                raise NotFound("tokens", key_id)
            _audit(transaction, tenant, "revoke", key_id)

        await self.executor.write(unit)


def _rotate(transaction: Transaction, old: Row[Any], now: datetime, end: datetime) -> str:
    life = old.expires_at and old.expires_at - old.created_at
    new = _insert(
        transaction,
        tenant=old.tenant,
        name=old.name,
        scopes=old.scopes,
        expires_at=now + life if life else None,
    )
    changes = {
        "expires_at": min(end, old.expires_at or end),
        "successor": _key_id(new),
    }
    transaction.connection.execute(
        update(tokens).where(tokens.c.key_id == old.key_id).values(changes)
    )
    _audit(transaction, old.tenant, "rotate", old.key_id)
    return new


def _insert(transaction: Transaction, **values: object) -> str:
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    row = {
        **values,
        "key_id": key_id,
        "secret_sha256": _digest(secret),
        "created_at": transaction.now(),
    }
    transaction.connection.execute(tokens.insert().values(row))
    return f"sd_{key_id}_{secret}"


def _audit(transaction: Transaction, tenant: str, verb: str, key_id: str) -> None:
    operator = Principal(tenant=tenant, token_id=OPERATOR, scopes=frozenset({ADMIN}))
    audit_rows.write(transaction, operator, f"tokens.{verb}", f"tokens/{key_id}")


def _key_id(token: str) -> str:
    return token.split("_")[1]


def _digest(secret: str) -> str:
    # A fast hash is right for 256 random bits; slow ones are for passwords.
    return hashlib.sha256(secret.encode()).hexdigest()


def _is_live(row: Row[Any], now: datetime) -> bool:
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > now)


def _check_rotation(row: Row[Any], now: datetime) -> None:
    if row.successor is not None:
        raise StateConflict(f"The token was rotated to {row.successor} before.")
    if not _is_live(row, now):
        raise StateConflict("The token has ended; create another one.")


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
        last_used_at=row.last_used_at,
        successor=row.successor,
    )
