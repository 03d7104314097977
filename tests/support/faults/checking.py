"""Letting a system come to rest, and judging it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nats.js.errors import NotFoundError

from tests.support.faults.evidence import gather, look
from tests.support.faults.invariants import INVARIANTS, Allowed, Case

if TYPE_CHECKING:
    from tests.support.faults.system import System

__all__ = ["Allowed", "settle", "violations"]

_LOOK_EVERY_SECONDS = 0.25


async def violations(system: System, allowed: Allowed) -> list[str]:
    """Every violation of every invariant, each with its number and name."""
    await settle(system, allowed.settle_seconds)
    case = Case(system, await gather(system), allowed)
    return [
        f"{number} {check.__name__}: {violation}"
        for number, check in INVARIANTS.items()
        for violation in check(case)
    ]


async def settle(system: System, seconds: float) -> None:
    """Wait until nothing is on its way any more; what is after so long is for I6 and I7 to tell.

    An event that a killed relay had taken is sent by another one 30 s later, and bytes that were
    doomed in a replica that died are deleted by another one within 60 s.
    """
    clock = asyncio.get_running_loop().time
    # A look is not cut off: who cancels nats-py while it closes is not heard, and waits for ever.
    until = clock() + seconds
    while not await _is_at_rest(system) and clock() < until:  # noqa: ASYNC110 - nobody tells of rest
        await asyncio.sleep(_LOOK_EVERY_SECONDS)


async def _is_at_rest(system: System) -> bool:
    try:
        return (await look(system)).is_at_rest
    except NotFoundError:  # a wiped broker, before the API has made the streams anew
        return False
