"""F39: links that are cut, silent or slow while the processes at both ends are well.

A laptop has no link to its database and none to its store, so it has three links and a fleet five.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from services.downloader.stage import STORE_WAIT
from tests.support.faults import (
    API_DATABASE,
    API_NATS,
    FLEET,
    LAPTOP,
    STORE,
    WORKER_NATS,
    WORKER_ORIGIN,
    Allowed,
    large,
    running_system,
    small,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from tests.support.faults import Client, Proxy, System

# Longer than a lease, so that claims end meanwhile.
FAULT_SECONDS = 3.0
ON_ONE_MACHINE = (WORKER_NATS, API_NATS, WORKER_ORIGIN)
# A silent origin is not waited for as long as usual; and the waits between the usual five attempts
# are random down to nothing, so that they may add up to less than a fault.
SETTINGS = {
    "downloader": {"STAGEDOOR_DOWNLOAD_STALL_SECONDS": "5"},
    "api": {"STAGEDOOR_MAX_ATTEMPTS": "9"},
}
LINKS = [
    *(("linked_laptop", name) for name in ON_ONE_MACHINE),
    *(("linked_fleet", name) for name in (*ON_ONE_MACHINE, API_DATABASE, STORE)),
]


def drop(link: Proxy, _: random.Random) -> None:
    """Hang up, and refuse."""
    link.drop()


def half_open(link: Proxy, rng: random.Random) -> None:
    """Be silent one way, the other way, or both."""
    ways = [link.up, link.down]
    link.blackhole(*rng.sample(ways, rng.randint(1, 2)))


def crawl(link: Proxy, _: random.Random) -> None:
    """Pass one byte in a second."""
    link.slow(bytes_per_second=1)


@pytest.fixture(scope="module")
def linked_laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A laptop whose links can be broken."""
    folder = tmp_path_factory.mktemp("linked-laptop")
    with running_system(folder, LAPTOP, proxied=ON_ONE_MACHINE, role_settings=SETTINGS) as system:
        yield system


@pytest.fixture(scope="module")
def linked_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A fleet whose links can be broken."""
    folder = tmp_path_factory.mktemp("linked-fleet")
    links = (*ON_ONE_MACHINE, API_DATABASE, STORE)
    with running_system(folder, FLEET, proxied=links, role_settings=SETTINGS) as system:
        yield system


@pytest.mark.parametrize(("shape", "name"), LINKS)
@pytest.mark.parametrize("fault", [drop, half_open, crawl])
async def test_f39_a_link_is_broken_for_longer_than_a_lease(
    fault: Callable[[Proxy, random.Random], None],
    shape: str,
    name: str,
    request: pytest.FixtureRequest,
    rng: random.Random,
) -> None:
    system: System = request.getfixturevalue(shape)
    link = system.link(name)
    async with system.client() as client:
        tag = f"f39-{fault.__name__}-{name}"
        await bring_slow(client, tag, rng)
        try:
            fault(link, rng)
            asked = asyncio.create_task(client.bring(f"/{tag}-meanwhile.mp4", small()))
            await asyncio.sleep(FAULT_SECONDS)
        finally:
            link.heal()
        system.end_fault()
        await asked
        await client.all_completed()
    # A run that was cut off has stored what nobody heard of, at most once for each task; one that
    # could not reach the store is given back for a while.
    given_back = STORE_WAIT.total_seconds() if name == STORE else 0
    await system.check(orphans=2, epsilon=Allowed().epsilon + given_back)


@pytest.mark.parametrize("shape", ["linked_laptop", "linked_fleet"])
async def test_f39_connections_that_a_router_forgot_are_given_up(
    shape: str, request: pytest.FixtureRequest, rng: random.Random
) -> None:
    """Nobody hears of it: each end must find out by itself, while new connections are well.

    Whatever the lease is, the broker's pings take up to 30 s, a statement 20 s, and each request to
    the store 30 s: one of the downloader and one of the validator may hang, one after the other.
    """
    system: System = request.getfixturevalue(shape)
    async with system.client() as client:
        await bring_slow(client, "f39-forgotten", rng)
        try:
            for link in system.links.values():
                link.strand()
            system.end_fault()
            await client.bring("/f39-forgotten-meanwhile.mp4", small())
            await client.all_completed(within=150)
        finally:
            for link in system.links.values():
                link.heal()
    patience = 30 + (20 + 2 * 30 if shape == "linked_fleet" else 0)
    await system.check(orphans=2, epsilon=Allowed().epsilon + patience)


async def bring_slow(client: Client, name: str, rng: random.Random) -> None:
    """Ask for an import that takes two seconds, and return somewhere in its middle."""
    body = large(4)
    id_ = await client.bring(f"/{name}.wav", body, bytes_per_second=len(body) // 2)
    await client.until_fetched(id_, rng.uniform(0.2, 0.7) * len(body))
