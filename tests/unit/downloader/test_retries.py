"""When the stage asks again, how soon, and when it leaves it at that."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from shared.stage.job import Failed
from tests.support import replies
from tests.support.downloads import BODY, MD5, PATH, code
from tests.support.origin import Gate, Origin

if TYPE_CHECKING:
    from tests.support.downloads import Bench
    from tests.support.origin import Exchange, Reply


@pytest.mark.parametrize(
    "reply",
    [replies.file(BODY, ranges=False, cut_at=1_000_000), replies.chunked(BODY, complete=False)],
)
async def test_a_cut_that_goes_on(bench: Bench, origin: Origin, reply: Reply) -> None:
    outcome = await bench.run(origin.serve(PATH, reply), MD5)
    assert code(outcome) == "failed truncated"
    # Each begins anew, so only the first of the five got further than the ones before.
    assert len(origin.requests) == 5
    assert bench.files() == []


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_how_long_the_origin_wants_us_to_wait(
    bench: Bench, origin: Origin, status: int, form: str
) -> None:
    long = "300" if form == "seconds" else format_datetime(in_future(300), usegmt=True)
    short = "0" if form == "seconds" else format_datetime(in_future(0), usegmt=True)
    url = origin.serve(
        PATH,
        replies.answer(status, Retry_After=short),
        replies.answer(status, Retry_After=long),
        replies.file(BODY),
    )
    outcome = await bench.run(url)
    assert isinstance(outcome, Failed)
    assert outcome.retry_after is not None
    assert 298 <= outcome.retry_after.total_seconds() <= 300
    assert len(origin.requests) == 2


async def test_a_short_wait_stays_in_the_run(bench: Bench, origin: Origin) -> None:
    url = origin.serve(PATH, replies.answer(503, Retry_After="1"), replies.file(BODY))
    start = time.monotonic()
    assert bench.stored(await bench.run(url)) == BODY
    assert time.monotonic() - start >= 1


def in_future(seconds: int) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def test_only_attempts_without_a_new_byte_count(bench: Bench, origin: Origin) -> None:
    cuts = [replies.file(BODY, cut_at=at) for at in range(300_000, 3_000_000, 300_000)]
    assert len(cuts) > bench.limits.fruitless_attempts
    url = origin.serve(PATH, *cuts, replies.file(BODY))
    assert bench.stored(await bench.run(url)) == BODY
    assert origin.served[PATH] == len(BODY)


async def test_a_passing_trouble(bench: Bench, origin: Origin) -> None:
    url = origin.serve(
        PATH,
        replies.answer(503, Retry_After="0"),
        replies.answer(429),
        replies.hang_up(),
        replies.file(BODY),
    )
    assert bench.stored(await bench.run(url)) == BODY


async def test_a_long_wait_leaves_the_run(bench: Bench, origin: Origin) -> None:
    outcome = await bench.run(origin.serve(PATH, replies.answer(503, Retry_After="120")))
    assert isinstance(outcome, Failed)
    assert (outcome.retry_after, len(origin.requests)) == (timedelta(seconds=120), 1)


async def test_endless_interim_answers(bench: Bench, origin: Origin) -> None:
    bench.limits = replace(bench.limits, header_seconds=0.2, fruitless_attempts=1)
    reply = replies.raw(b"HTTP/1.1 102 Wait\r\n\r\n", repeat=True)
    assert code(await bench.run(origin.serve(PATH, reply))) == "failed stalled"


@pytest.mark.parametrize("reply", [replies.hang_up(), replies.raw(b"HTTP/1.1 200")])
async def test_no_answer(bench: Bench, origin: Origin, reply: Reply) -> None:
    assert code(await bench.run(origin.serve(PATH, reply))) == "failed origin_unreachable"


async def test_a_head_that_drips(bench: Bench, origin: Origin) -> None:
    bench.limits = replace(bench.limits, header_seconds=0.3, fruitless_attempts=1)
    drip = replies.raw(b"x", repeat=True, every_seconds=0.02)

    async def reply(exchange: Exchange) -> None:
        await exchange.raw(b"HTTP/1.1 200 OK\r\nX: ")
        await drip(exchange)

    assert code(await bench.run(origin.serve(PATH, reply))) == "failed stalled"


async def test_silence(bench: Bench, origin: Origin) -> None:
    bench.limits = replace(bench.limits, header_seconds=0.2, fruitless_attempts=1)
    outcome = await bench.run(origin.serve(PATH, replies.silent(Gate())))
    assert code(outcome) == "failed stalled"


async def test_a_stall_is_resumed(bench: Bench, origin: Origin) -> None:
    bench.limits = replace(bench.limits, stall_seconds=0.3)
    stalled = replies.file(BODY, gate=Gate(), gate_at=1_000_000)
    assert bench.stored(await bench.run(origin.serve(PATH, stalled, replies.file(BODY)))) == BODY
    assert origin.requests[1].headers["range"] == "bytes=1000000-"


async def test_a_drip(bench: Bench, origin: Origin) -> None:
    bench.limits = replace(
        bench.limits, low_speed_bytes=1000, low_speed_seconds=0.2, fruitless_attempts=1
    )
    reply = replies.drip(100_000, every_seconds=0.01)
    assert code(await bench.run(origin.serve(PATH, reply))) == "failed stalled"
    assert bench.files() == []
