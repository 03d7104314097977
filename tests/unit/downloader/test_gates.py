"""Gates and the bound on bandwidth: fair, bounded, and over at once when stopped."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from services.downloader.bandwidth import Bandwidth
from services.downloader.gates import Busy, Gate
from shared.origin.stop import Stop, Stopped
from shared.stage.job import Released
from tests.support import replies
from tests.support.downloads import BODY, MD5, PATH
from tests.support.origin import Gate as Door
from tests.support.origin import Origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.downloads import Bench


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_no_more_than_so_many_per_key() -> None:
    gate = Gate(2, busy_reason="full")
    inside, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(50):
            with gate.entered("a", Stop()):
                with lock:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0)
                with lock:
                    inside -= 1

    threads = [in_thread(work) for _ in range(6)]
    with gate.entered("b", Stop()), gate.entered("b", Stop()):
        for thread in threads:
            thread.join(20)
    assert (inside, most) == (0, 2)
    assert gate.keys() == frozenset()


def test_first_come_first_served() -> None:
    gate = Gate(1, busy_reason="full")
    order: list[int] = []
    queued = threading.Semaphore(0)

    def work(number: int) -> None:
        queued.release()
        with gate.entered("a", Stop()):
            order.append(number)

    with gate.entered("a", Stop()):
        threads = []
        for number in range(5):
            threads.append(in_thread(lambda n=number: work(n)))  # type: ignore[misc] # bound now
            queued.acquire()
            until(lambda n=number: gate.waiting("a") == n + 1)  # type: ignore[misc] # as above
    for thread in threads:
        thread.join(5)
    assert order == [0, 1, 2, 3, 4]


def test_patience_ends_and_leaves_the_queue() -> None:
    gate = Gate(1, busy_reason="host_busy", patience_seconds=0.05)
    with gate.entered("a", Stop()):
        with pytest.raises(Busy) as raised, gate.entered("a", Stop()):
            pass
        assert raised.value.reason == "host_busy"
        assert gate.waiting("a") == 0
    with gate.entered("a", Stop()):
        pass
    assert gate.keys() == frozenset()


def test_stopping_ends_the_wait() -> None:
    gate = Gate(1, busy_reason="full")
    stop = Stop()
    seen: list[type[BaseException]] = []

    def work() -> None:
        try:
            with gate.entered("a", stop):
                pass
        except Stopped as error:
            seen.append(type(error))

    with gate.entered("a", Stop()):
        thread = in_thread(work)
        until(lambda: gate.waiting("a") == 1)
        stop.stop()
        thread.join(2)
        assert seen == [Stopped]
        with pytest.raises(Stopped), gate.entered("b", stop):
            pass
    assert gate.keys() == frozenset()


async def test_a_busy_host_gives_the_claim_back(bench: Bench, origin: Origin) -> None:
    bench.hosts = Gate(1, busy_reason="host_busy", patience_seconds=0.1)
    door = Door()
    url = origin.serve(PATH, replies.file(BODY, gate=door, gate_at=1_000_000), replies.file(BODY))
    first = asyncio.create_task(bench.run(url))
    await door.reached()
    second = await bench.run(url)
    assert second == Released(reason="host_busy", retry_after=timedelta(seconds=5))
    assert len(origin.requests) == 1
    door.open()
    assert bench.stored(await first) == BODY
    assert bench.hosts.keys() == frozenset()


async def test_a_busy_tenant_gives_the_claim_back(bench: Bench, origin: Origin) -> None:
    bench.tenants = Gate(1, busy_reason="tenant_busy", patience_seconds=0.1)
    door = Door()
    url = origin.serve(PATH, replies.file(BODY, gate=door, gate_at=1_000_000))
    first = asyncio.create_task(bench.run(url))
    await door.reached()
    second = await bench.run(url)
    assert second == Released(reason="tenant_busy", retry_after=timedelta(seconds=5))
    door.open()
    assert bench.stored(await first) == BODY


async def test_what_is_here_already_waits_on(bench: Bench, origin: Origin) -> None:
    bench.hosts = Gate(1, busy_reason="host_busy", patience_seconds=0.05)
    door, other = Door(), Door()
    url = origin.serve(
        PATH, replies.file(BODY, cut_at=1_000_000, gate=door, gate_at=500_000), replies.file(BODY)
    )
    first = asyncio.create_task(bench.run(url, MD5))
    await door.reached()
    # It gets in between, as it comes first once the other one is cut.
    origin.serve("/other", replies.file(b"other", gate=other, gate_at=2))
    bench.hosts._patience = 5.0  # noqa: SLF001 - the one below waits, the one above does not
    with bench.stage() as stage:
        job = bench.job(origin.url("/other"))
        second = asyncio.create_task(stage.run(job, lambda *_: None))
        while not bench.hosts.waiting(f"127.0.0.1:{origin.port}"):  # noqa: ASYNC110 - a thread has no event
            await asyncio.sleep(0.005)
        bench.hosts._patience = 0.05  # noqa: SLF001 - as above
        door.open()
        await other.reached()
        await asyncio.sleep(0.3)
        assert not first.done()
        other.open()
        await second
    outcome = await first
    assert (bench.folder / outcome.blob_key).read_bytes() == BODY  # type: ignore[union-attr] # Stored, or this fails


def test_the_bandwidth_is_shared_in_order() -> None:
    now = 100.0
    bandwidth = Bandwidth(1000, clock=lambda: now)
    assert bandwidth.owe(250) == 0  # a quarter of a second is saved up
    assert bandwidth.owe(500) == pytest.approx(0.5)
    assert bandwidth.owe(500) == pytest.approx(1.0)
    now += 10
    assert bandwidth.owe(250) == 0
    assert bandwidth.owe(1) > 0


def test_no_bound_costs_nothing_and_a_stop_ends_the_wait() -> None:
    Bandwidth().take(10**15, Stop())
    stop = Stop()
    stop.stop()
    with pytest.raises(Stopped):
        Bandwidth(1).take(10**9, stop)


async def test_a_download_keeps_to_the_bandwidth(bench: Bench, origin: Origin) -> None:
    bench.bandwidth = Bandwidth(4_000_000)
    start = time.monotonic()
    assert bench.stored(await bench.run(origin.serve(PATH, replies.file(BODY)))) == BODY
    assert time.monotonic() - start > 0.4  # 3 MB, 1 MB of them saved up
