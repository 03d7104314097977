"""What surrounds a call.

Outermost first: trace and metrics, who is let in, errors, deadline.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from services.api.domain.errors import Unavailable
from services.api.grpc.admission import Entrance
from services.api.grpc.mapping import OURS, ErrorMapping
from services.api.grpc.observation import Observation
from services.api.grpc.surround import Surround, Surroundings
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
    return (
        UnknownMethods(),
        Surroundings(
            Observation(),
            Entrance(tokens, limiter, max_calls),
            ErrorMapping(),
            DeadlineCap(max_seconds),
        ),
    )


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
    async def around(
        self,
        method: str,  # noqa: ARG002 - the base's signature
        context: Context,  # noqa: ARG002 - as there
    ) -> AsyncIterator[None]:
        """Cancel the call when its time is up; whether it took effect is then unknown."""
        try:
            async with asyncio.timeout(self._seconds) as cap:
                yield
        except TimeoutError:
            if not cap.expired():
                raise
            raise Unavailable("The service took too long. Try again.") from None
