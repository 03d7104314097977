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
from services.api.grpc.caller import set_caller
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


class Entrance(Surround):
    """Lets in holders of a good token, so many at once, so often, to what they may do.

    Before anything of a request is looked at (AIP-211). Health is for everybody: a probe has no
    token; reflection is for whoever has one.
    """

    def __init__(self, tokens: Tokens, limiter: RateLimiter | None, most: int) -> None:
        """Ask these; without a limiter everybody may call as often as they like."""
        self._tokens = tokens
        self._limiter = limiter
        self._most = most
        self._now = 0

    def applies(self, method: str, handler: Handler) -> bool:  # noqa: ARG002 - the base's signature
        """Whatever is not health."""
        return not method.startswith(HEALTH)

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Count the call as long as it lasts; a stream is one call."""
        self._now += 1
        try:
            async with mapped(method, context):
                # gRPC would refuse them too, but without telling why or when.
                if self._now > self._most:
                    raise RateLimited(RETRY_AFTER)
                await self._admit(method, context)
            yield
        finally:
            self._now -= 1

    async def _admit(self, method: str, context: Context) -> None:
        who = await self._tokens.authenticate(bearer(context.invocation_metadata()))
        who = replace(who, address=address_of(context.peer()))
        set_caller(who)
        if self._limiter is not None:
            allowance = self._limiter.take(who)
            if not allowance.allowed:
                raise RateLimited(timedelta(seconds=allowance.reset_seconds))
        if method.startswith(OURS):
            who.require(*scopes_of(method))


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
