"""What one client may take of the HTTP server: bytes, headers, seconds, connections, requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from aiohttp import web

from services.api.domain.errors import RateLimited
from services.api.limits import WINDOW_SECONDS, Allowance, RateLimiter

if TYPE_CHECKING:
    from services.api.domain.principal import Principal

LIMITER = web.AppKey("limiter", RateLimiter)
ALLOWANCE = web.RequestKey("allowance", Allowance)

MAX_BODY_BYTES = 64 * 1024
MAX_TARGET_BYTES = 16 * 1024
"""The longest request target (RFC 9112 section 3.2): a filter may list a hundred ids."""
MAX_FIELD_BYTES = 8 * 1024
"""The longest value of one header."""
MAX_FIELDS = 64
KEEPALIVE_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What connections may take. Seconds.

    ``keepalive`` is for idle connections and for heads that do not arrive, ``linger`` for bodies
    that were answered before they arrived.
    """

    max_connections: int = 512
    keepalive: float = KEEPALIVE_SECONDS
    linger: float = 5.0


def spend(request: web.Request, principal: Principal) -> None:
    """Count a request of this caller, if the application has a limiter. Raises RateLimited."""
    limiter = request.config_dict.get(LIMITER)
    if limiter is None:
        return
    allowance = request[ALLOWANCE] = limiter.take(principal)
    if not allowance.allowed:
        raise RateLimited(timedelta(seconds=allowance.reset_seconds))


async def tell_allowance(request: web.Request, response: web.StreamResponse) -> None:
    """Say on every answer what the caller may still ask for.

    As structured fields (RFC 9651) after draft-ietf-httpapi-ratelimit-headers-10.
    """
    allowance = request.get(ALLOWANCE)
    if allowance is None:
        return
    remaining, reset = allowance.remaining, allowance.reset_seconds
    response.headers["RateLimit-Policy"] = f'"default";q={allowance.limit};w={WINDOW_SECONDS}'
    response.headers["RateLimit"] = f'"default";r={remaining};t={reset}'
