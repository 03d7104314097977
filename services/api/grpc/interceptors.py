"""What surrounds a call.

Outermost first: trace, metrics, how many at once, auth, rate, scope, deadline, errors.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from services.api.domain.errors import Unavailable
from services.api.grpc.admission import Auth, Concurrency, Permission, RateLimit
from services.api.grpc.mapping import OURS, ErrorMapping, mapped
from services.api.grpc.observation import Metrics, Trace
from services.api.grpc.surround import Surround
from services.api.grpc.unknown import UnknownMethods

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from grpc import aio

    from services.api.grpc.surround import Context, Handler
    from services.api.limits import RateLimiter
    from services.api.use_cases.tokens import Tokens

MAX_SECONDS: Final = 30.0


def chain(
    tokens: Tokens, limiter: RateLimiter | None, max_seconds: float, max_calls: int
) -> tuple[aio.ServerInterceptor, ...]:
    """All of them in their order; without a limiter everybody may call as often as they like."""
    limits = (RateLimit(limiter),) if limiter else ()
    entrance = (Concurrency(max_calls), Auth(tokens), *limits, Permission())
    inner = (DeadlineCap(max_seconds), ErrorMapping())
    return (UnknownMethods(), Trace(), Metrics(), *entrance, *inner)


class DeadlineCap(Surround):
    """Ends single-answer calls that run too long, whatever deadline their client has set.

    Streams may last: a dead client is found by keepalive.
    """

    def __init__(self, seconds: float) -> None:
        """Allow so many seconds."""
        self._seconds = seconds

    def applies(self, method: str, handler: Handler) -> bool:
        """All of our calls with a single answer."""
        return method.startswith(OURS) and not handler.response_streaming

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Cancel the call when its time is up; whether it took effect is then unknown."""
        async with mapped(method, context):
            try:
                async with asyncio.timeout(self._seconds):
                    yield
            except TimeoutError:
                raise Unavailable("The service took too long. Try again.") from None
