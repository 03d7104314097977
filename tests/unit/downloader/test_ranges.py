"""A file by several connections: whole and in order, or one stream, and never a thread too many."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from services.downloader.bandwidth import Bandwidth
from services.downloader.errors import Permanent, Transient
from services.downloader.gates import Gate as HostGate
from services.downloader.hashing import HashingWriter
from services.downloader.intake import Intake
from services.downloader.limits import RangeLimits
from services.downloader.ranges import Ranges, connections_for
from services.downloader.versions import Version
from shared.blobs.local import LocalStore
from shared.origin.stop import Stop
from tests.support.downloads import BODY, MD5, PATH, QUICK, code
from tests.support.origin import Gate, Origin
from tests.support.ranged import asked_range, once, ranged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.downloads import Bench
    from tests.support.origin import Exchange
    from tests.support.ranged import Spoil

SEGMENT = 100_000
# At once, and as many as may be.
EAGER = RangeLimits(
    segment_bytes=SEGMENT, from_bytes=1_000_000, trial_seconds=0.0, enough_rate=1e15
)


@pytest.fixture(autouse=True)
def _eager(bench: Bench) -> None:
    bench.ranges = EAGER


def ranges_of(origin: Origin) -> list[str]:
    return [request.headers["range"] for request in origin.requests if "range" in request.headers]


async def test_segments_make_the_file(bench: Bench, origin: Origin) -> None:
    outcome = await bench.run(origin.serve(PATH, ranged(BODY)), MD5)
    assert bench.stored(outcome) == BODY
    asked = sorted(int(text[6:].split("-")[0]) for text in ranges_of(origin))
    assert len(asked) > 25
    assert all(one + SEGMENT == next_ for one, next_ in pairwise(asked))
    assert all(r.headers["if-range"] == '"v1"' for r in origin.requests if "range" in r.headers)
    done = [done for done, _ in bench.progress]
    assert done == sorted(done)


async def test_several_are_under_way_at_once(bench: Bench, origin: Origin) -> None:
    waiting = 0
    gate = Gate()

    async def spoil(_: Exchange, __: int, ___: int) -> bool:
        nonlocal waiting
        waiting += 1
        if waiting == EAGER.connections:
            gate.open()
        await gate.pass_through()
        return False

    assert bench.stored(await bench.run(origin.serve(PATH, ranged(BODY, spoil=spoil)))) == BODY


@pytest.mark.parametrize(
    ("headers", "changes"),
    [
        ({"Accept_Ranges": "none"}, {}),
        ({"ETag": 'W/"v1"'}, {}),
        ({}, {"from_bytes": len(BODY) + 1}),
        ({}, {"connections": 1}),
        ({}, {"enough_rate": 1.0}),
        ({}, {"trial_seconds": 60.0}),
    ],
)
async def test_one_stream_where_ranges_are_of_no_use(
    bench: Bench, origin: Origin, headers: dict[str, Any], changes: dict[str, Any]
) -> None:
    bench.ranges = replace(EAGER, **changes)
    assert bench.stored(await bench.run(origin.serve(PATH, ranged(BODY, **headers)))) == BODY
    assert ranges_of(origin) == []


async def _cut(exchange: Exchange, first: int, end: int) -> bool:
    await exchange.head(
        206,
        Content_Length=end - first,
        Content_Range=f"bytes {first}-{end - 1}/{len(BODY)}",
        ETag='"v1"',
    )
    await exchange.body(BODY[first : first + 40_000])
    exchange.cut()
    return True


async def test_a_segment_that_was_cut_goes_on_where_it_was(bench: Bench, origin: Origin) -> None:
    outcome = await bench.run(origin.serve(PATH, ranged(BODY, spoil=once(_cut))))
    assert bench.stored(outcome) == BODY
    firsts = {int(text[6:].split("-")[0]) % SEGMENT for text in ranges_of(origin)}
    assert len(firsts) == 2
    assert sum(1 for r in origin.requests if "range" not in r.headers) == 1


def answering(status: int, **changes: Any) -> Spoil:
    """Answer a range with this, the right fields changed."""

    async def spoil(exchange: Exchange, first: int, end: int) -> bool:
        fields: dict[str, Any] = {
            "Content_Length": end - first,
            "Content_Range": f"bytes {first}-{end - 1}/{len(BODY)}",
            "ETag": '"v1"',
        }
        await exchange.head(status, **(fields | changes))
        await exchange.body(b"?" * (end - first))
        return True

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        answering(200),
        answering(206, ETag='"v2"'),
        answering(206, Content_Range=f"bytes 1-{SEGMENT}/{len(BODY)}"),
        answering(206, Content_Range=f"bytes 100000-199999/{len(BODY) + 1}"),
        answering(206, Content_Range="bytes 0-0/*"),
        answering(416, Content_Range=f"bytes */{len(BODY)}"),
    ],
)
async def test_a_wrong_answer_begins_anew_as_one_stream(
    bench: Bench, origin: Origin, spoil: Spoil
) -> None:
    outcome = await bench.run(origin.serve(PATH, ranged(BODY, spoil=once(spoil))))
    assert bench.stored(outcome) == BODY
    plain = [at for at, r in enumerate(origin.requests) if "range" not in r.headers]
    assert len(plain) == 2
    assert plain[-1] == len(origin.requests) - 1


@pytest.mark.parametrize("status", [403, 429, 503])
async def test_too_many_connections_go_on_as_one_stream(
    bench: Bench, origin: Origin, status: int
) -> None:
    async def refuse(exchange: Exchange, first: int, end: int) -> bool:
        asked = asked_range(exchange)
        if asked is None or asked[1] is None or first < 1_000_000:
            return False
        return await answering(status, Retry_After=0)(exchange, first, end)

    assert bench.stored(await bench.run(origin.serve(PATH, ranged(BODY, spoil=refuse)))) == BODY
    first, _, last = ranges_of(origin)[-1].removeprefix("bytes=").partition("-")
    assert int(first) >= 300_000  # what came in order is kept
    assert last == ""


async def test_a_segment_that_hangs_is_asked_for_again(bench: Bench, origin: Origin) -> None:
    bench.limits = replace(bench.limits, stall_seconds=0.3)
    gate = Gate()

    async def hang(exchange: Exchange, first: int, end: int) -> bool:
        await exchange.head(
            206,
            Content_Length=end - first,
            Content_Range=f"bytes {first}-{end - 1}/{len(BODY)}",
            ETag='"v1"',
        )
        await gate.pass_through()
        return True

    outcome = await bench.run(origin.serve(PATH, ranged(BODY, spoil=once(hang))))
    assert bench.stored(outcome) == BODY
    assert sum(1 for r in origin.requests if "range" not in r.headers) == 1


async def test_a_segment_that_crawls_is_given_to_another_connection(
    bench: Bench, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.downloader.ranges._PATIENCE_SECONDS", 0.1)

    async def crawl(exchange: Exchange, first: int, end: int) -> bool:
        await exchange.head(
            206,
            Content_Length=end - first,
            Content_Range=f"bytes {first}-{end - 1}/{len(BODY)}",
            ETag='"v1"',
        )
        for at in range(first, end, 100):  # a minute in all, and never a stall
            await exchange.body(BODY[at : at + 100])
            await asyncio.sleep(0.06)
        return True

    outcome = await asyncio.wait_for(
        bench.run(origin.serve(PATH, ranged(BODY, spoil=once(crawl)))), 20
    )
    assert bench.stored(outcome) == BODY
    assert sum(1 for r in origin.requests if "range" not in r.headers) == 1


async def test_segments_queue_at_the_gate_of_the_host(bench: Bench, origin: Origin) -> None:
    bench.hosts = HostGate(2, busy_reason="host_busy", patience_seconds=0.001)
    assert bench.stored(await bench.run(origin.serve(PATH, ranged(BODY)))) == BODY
    assert not any(text.endswith("-") for text in ranges_of(origin))
    assert bench.hosts.keys() == frozenset()


class Lingering:
    """A response that never comes, and a connection that takes its time to close."""

    status = 206
    headers: Mapping[str, str] = {}

    def read_into(self, buffer: memoryview, until: float = 0.0) -> int:
        raise NotImplementedError


def test_no_connection_outlives_the_fetch(tmp_path: Path) -> None:
    closed: list[int] = []

    @contextmanager
    def open_response(_: Mapping[str, str], stop: Stop) -> Iterator[tuple[str, Lingering]]:
        try:
            stop.wait(0.05 if not closed else 30)
            raise Permanent("http_status", "One is refused, which ends the others.")
            yield "", Lingering()
        finally:
            time.sleep(0.1)
            closed.append(1)

    version = Version(place="", validator='"v1"', total=1_000_000)
    ranges = Ranges(open_response, version, QUICK, EAGER, Bandwidth())
    with LocalStore(tmp_path).create("a/b") as sink, HashingWriter(sink) as writer:
        intake = Intake(sink, writer, max_bytes=10**7, quota=0, progress=lambda *_: None)
        with pytest.raises(Transient):
            ranges.fetch(intake, 4, Stop())
    assert len(closed) == 4


async def test_a_file_that_is_never_whole_fails(bench: Bench, origin: Origin) -> None:
    async def spoil(exchange: Exchange, _: int, __: int) -> bool:
        exchange.cut()
        return True

    outcome = await bench.run(origin.serve(PATH, ranged(BODY, spoil=spoil)))
    assert code(outcome) == "failed origin_unreachable"
    assert bench.files() == []


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_stopping_ends_every_thread_and_socket(bench: Bench) -> None:
    threads, files = set(threading.enumerate()), descriptors()
    gate = Gate()

    async def stand(_: Exchange, first: int, __: int) -> bool:
        if first > 1_000_000:
            await gate.pass_through()
        return False

    async with Origin() as origin:
        run = asyncio.create_task(bench.run(origin.serve(PATH, ranged(BODY, spoil=stand))))
        await gate.reached()
        assert sum(thread.name == "range" for thread in threading.enumerate()) == EAGER.connections
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(run, 5)
    left = {thread.name for thread in set(threading.enumerate()) - threads}
    assert not left & {"range", "hash", "download"}
    assert descriptors() == files
    assert bench.files() == []


@pytest.mark.parametrize(
    ("rate", "left", "bandwidth", "expected"),
    [
        (300e6, 2_000_000_000, 0, 1),
        (200e6, 2_000_000_000, 0, 1),
        (150e6, 2_000_000_000, 0, 2),
        (20e6, 2_000_000_000, 0, 6),
        (0.0, 2_000_000_000, 0, 6),
        (20e6, 3 * 4 * 1024**2, 0, 3),
        (20e6, 1, 0, 1),
        (20e6, 2_000_000_000, 20_000_000, 1),
        (20e6, 2_000_000_000, 50_000_000, 3),
        (100e6, 2_000_000_000, 10**12, 2),
    ],
)
def test_the_number_of_connections(rate: float, left: int, bandwidth: int, expected: int) -> None:
    assert connections_for(rate, left, RangeLimits(), bandwidth) == expected
