"""The rate limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grpc import StatusCode
from grpc_health.v1 import health_pb2

from services.api.limits import RateLimiter
from stagedoor.v1.track_service_pb2 import ListTracksRequest
from tests.support.door import bearer, open_door, refused

if TYPE_CHECKING:
    from tests.support.core import Core

NOW = 1000.0


def limiter(burst: int) -> RateLimiter:
    """One more request every two seconds, in a time that stands still."""
    return RateLimiter(30, burst, clock=lambda: NOW)


async def test_who_calls_too_often_learns_when_to_come_again(core: Core) -> None:
    async with open_door(core, limiter=limiter(3)) as door:
        for _ in range(3):
            await door.tracks.ListTracks(ListTracksRequest(), metadata=door.admin)
        answer = await refused(door.tracks.ListTracks(ListTracksRequest(), metadata=door.admin))
    assert (answer.code, answer.reason) == (StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
    assert answer.retry_seconds == 2


async def test_others_may_still_call(core: Core) -> None:
    async with open_door(core, limiter=limiter(1)) as door:
        for who in (door.admin, await door.holder("tracks:read")):
            await door.tracks.ListTracks(ListTracksRequest(), metadata=who)
            await refused(door.tracks.ListTracks(ListTracksRequest(), metadata=who))


async def test_nobody_in_particular_is_not_counted(core: Core) -> None:
    async with open_door(core, limiter=limiter(1)) as door:
        for _ in range(3):
            answer = await refused(
                door.tracks.ListTracks(ListTracksRequest(), metadata=bearer("x"))
            )
            assert answer.code is StatusCode.UNAUTHENTICATED
            await door.health.Check(health_pb2.HealthCheckRequest())
        await door.tracks.ListTracks(ListTracksRequest(), metadata=door.admin)
