"""Who is let in, how many at once, how often and to what."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from services.api.domain.errors import RateLimited
from services.api.domain.nouns import NOUNS
from services.api.domain.principal import ADMIN
from services.api.grpc.caller import caller, set_caller
from services.api.grpc.mapping import OURS, mapped
from services.api.grpc.statuses import RETRY_AFTER
from services.api.grpc.surround import Surround

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.api.grpc.surround import Context, Handler
    from services.api.limits import RateLimiter
    from services.api.use_cases.tokens import Tokens

HEALTH: Final = "/grpc.health."
READS: Final = ("Get", "List", "Watch", "Generate")
SCOPES: Final = {
    "stagedoor.v1.ImportTaskService": (("tasks:read",), "tasks:write"),
    **{
        f"stagedoor.v1.{noun.type.__name__}Service": ((noun.reading,), noun.writing)
        for noun in NOUNS
    },
    "stagedoor.v1.RecordService": (("records:read",), ADMIN),
    "stagedoor.v1.PublishJobService": (("publishing:read",), "publishing:write"),
    "stagedoor.v1.PublicationService": (("publishing:read",), "publishing:write"),
    "stagedoor.v1.SubscriptionService": (("subscriptions:read",), "subscriptions:write"),
    "stagedoor.v1.UploadService": (("uploads:read",), "uploads:write"),
    "stagedoor.v1.UploadSessionService": (("uploads:read",), "uploads:write"),
    "stagedoor.v1.UploadTrackService": (("uploads:read",), "uploads:write"),
    "stagedoor.v1.JobService": (("uploads:read",), ADMIN),
    "stagedoor.v1.AuditService": ((ADMIN,), ADMIN),
    "stagedoor.v1.SettingsService": ((ADMIN,), ADMIN),
    # Which of the two it is depends on whose report is asked for.
    "stagedoor.v1.ValidationReportService": (("tasks:read", "records:read"), ADMIN),
}
"""What reading (one of these) and writing need; the use cases have the last word."""


class Guarded(Surround):
    """Surrounds all but health: a probe has no token. Reflection is for insiders."""

    def applies(self, method: str, handler: Handler) -> bool:  # noqa: ARG002 - the base's signature
        """Whatever is not health."""
        return not method.startswith(HEALTH)


class Concurrency(Guarded):
    """Refuses calls over so many at once: gRPC would too, but without telling why or when."""

    def __init__(self, most: int) -> None:
        """Allow so many."""
        self._most = most
        self._now = 0

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Count the call as long as it lasts."""
        async with mapped(method, context):
            if self._now >= self._most:
                raise RateLimited(RETRY_AFTER)
        self._now += 1
        try:
            yield
        finally:
            self._now -= 1


class Auth(Guarded):
    """Lets only holders of a good token in."""

    def __init__(self, tokens: Tokens) -> None:
        """Ask these tokens."""
        self._tokens = tokens

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Find out who calls, before anything else is looked at."""
        async with mapped(method, context):
            who = await self._tokens.authenticate(bearer(context.invocation_metadata()))
            set_caller(replace(who, address=address_of(context.peer())))
        yield


class RateLimit(Guarded):
    """Refuses those who call too often."""

    def __init__(self, limiter: RateLimiter) -> None:
        """Ask this limiter."""
        self._limiter = limiter

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Count the call; a stream is one call."""
        async with mapped(method, context):
            allowance = self._limiter.take(caller())
            if not allowance.allowed:
                raise RateLimited(timedelta(seconds=allowance.reset_seconds))
        yield


class Permission(Surround):
    """Asks for the scope before anything of a request is looked at (AIP-211)."""

    def applies(self, method: str, handler: Handler) -> bool:  # noqa: ARG002 - the base's signature
        """All of our calls; reflection is for everybody who is let in."""
        return method.startswith(OURS)

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Refuse a caller whose token lacks the scope."""
        async with mapped(method, context):
            caller().require(*scopes_of(method))
        yield


def scopes_of(method: str) -> tuple[str, ...]:
    """The scopes one of which a method of ours needs."""
    service, _, name = method.removeprefix("/").partition("/")
    reading, writing = SCOPES[service]
    return reading if name.startswith(READS) else (writing,)


def bearer(metadata: Any) -> str | None:
    """The token of the one ``authorization: Bearer`` entry (RFC 6750); None if it is not so."""
    values = [value for key, value in metadata or () if key == "authorization"]
    if len(values) != 1:
        return None
    scheme, _, token = values[0].partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def address_of(peer: str) -> str:
    """The IP address in gRPC's name of a peer; empty for a peer without one."""
    kind, _, rest = unquote(peer).partition(":")
    return rest.rpartition(":")[0].strip("[]") if kind in {"ipv4", "ipv6"} else ""
