"""The stage against an origin that works, breaks or lies."""

from __future__ import annotations

import asyncio
import hashlib
import os
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.stage.job import Failed, Released
from tests.support import replies
from tests.support.downloads import BODY, MD5, PATH, code
from tests.support.origin import Gate, Origin, running_origin

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.downloads import Bench
    from tests.support.origin import Exchange, Reply


async def test_a_file_is_stored_and_hashed(bench: Bench, origin: Origin) -> None:
    outcome = await bench.run(origin.serve(PATH, replies.file(BODY)), MD5.upper())
    assert bench.stored(outcome) == BODY
    assert (outcome.md5, outcome.size_bytes) == (MD5, len(BODY))  # type: ignore[union-attr] # stored() has looked
    assert bench.progress[-1] == (len(BODY), len(BODY))
    assert len(bench.progress) > 10


async def test_the_request_is_one_plain_get(
    bench: Bench, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    origin.serve(PATH, replies.file(b"bytes", Set_Cookie="a=b"))
    target = f"{PATH}?s=a%2Fb%0d%0aX-Evil:%201&sig=%2b+/="
    for _ in range(2):
        await bench.run(origin.url(target))
    first, second = origin.requests
    assert (first.method, first.target) == ("GET", target)
    assert first.headers["accept-encoding"] == "identity"
    assert first.headers["user-agent"] == "Stagedoor/test"
    assert set(second.headers) == {"host", "user-agent", "accept-encoding", "accept", "connection"}


async def test_localhost_is_what_the_policy_lets_through(bench: Bench, origin: Origin) -> None:
    origin.serve(PATH, replies.file(BODY))
    assert bench.stored(await bench.run(origin.url(PATH, "localhost"))) == BODY
    assert (bench.dialled, bench.asked) == (["127.0.0.1"], [])


@pytest.mark.parametrize(
    "reply",
    [
        replies.chunked(BODY),
        replies.answer(200, BODY, Content_Encoding="identity"),
        replies.answer(200, BODY + b"more", Content_Length=len(BODY), ETag='"v1"'),
    ],
)
async def test_other_good_answers(bench: Bench, origin: Origin, reply: Reply) -> None:
    assert bench.stored(await bench.run(origin.serve(PATH, reply))) == BODY


async def test_an_empty_file(bench: Bench, origin: Origin) -> None:
    assert bench.stored(await bench.run(origin.serve(PATH, replies.file(b"")))) == b""


async def test_resume_after_a_cut(bench: Bench, origin: Origin) -> None:
    url = origin.serve(
        PATH,
        replies.file(BODY, cut_at=1_000_000),
        replies.hang_up(),
        replies.file(BODY, cut_at=2_000_000),
        replies.file(BODY),
    )
    assert bench.stored(await bench.run(url)) == BODY
    ranged = origin.requests[-1].headers
    assert (ranged["range"], ranged["if-range"]) == ("bytes=2000000-", '"v1"')
    assert origin.served[PATH] == len(BODY)


@pytest.mark.parametrize(
    "second",
    [
        replies.file(BODY, etag='"v2"'),
        replies.file(BODY, ranges=False),
    ],
)
async def test_a_range_that_is_not_answered_starts_anew(
    bench: Bench, origin: Origin, second: Reply
) -> None:
    url = origin.serve(PATH, replies.file(b"x" * 2_000_000, cut_at=1_000_000), second)
    assert bench.stored(await bench.run(url)) == BODY
    assert len(origin.requests) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"Content_Range": f"bytes 999999-{len(BODY) - 1}/{len(BODY)}"},
        {"Content_Range": f"bytes 1000000-{len(BODY)}/{len(BODY) + 1}"},
        {"Content_Range": f"bytes 1000000-{len(BODY) - 2}/{len(BODY)}"},
        {"Content_Range": f"bytes 1000000-{len(BODY) - 1}/*"},
        {"Content_Range": "bits 1-2/3"},
        {},
        {"Content_Range": f"bytes 1000000-{len(BODY) - 1}/{len(BODY)}", "ETag": '"v2"'},
    ],
)
async def test_a_206_that_is_not_the_rest_is_not_believed(
    bench: Bench, origin: Origin, wrong: dict[str, Any]
) -> None:
    url = origin.serve(
        PATH,
        replies.file(BODY, cut_at=1_000_000),
        replies.answer(206, b"?" * 2_000_000, **wrong),
        replies.file(BODY),
    )
    assert bench.stored(await bench.run(url)) == BODY
    assert "range" not in origin.requests[2].headers


@pytest.mark.parametrize("etag", ["", 'W/"v1"'])
async def test_without_a_strong_validator_nothing_is_pieced_together(
    bench: Bench, origin: Origin, etag: str
) -> None:
    url = origin.serve(
        PATH, replies.file(b"x" * len(BODY), etag=etag, cut_at=1_000_000), replies.file(BODY)
    )
    assert bench.stored(await bench.run(url)) == BODY
    assert "range" not in origin.requests[1].headers


async def test_a_settled_date_is_a_validator(bench: Bench, origin: Origin) -> None:
    dates: dict[str, Any] = {
        "Last_Modified": "Sat, 01 Nov 2025 10:00:00 GMT",
        "Date": "Sat, 01 Nov 2025 12:00:00 GMT",
    }
    url = origin.serve(
        PATH,
        replies.file(BODY, etag="", cut_at=1_000_000, **dates),
        replies.answer(
            206,
            BODY[1_000_000:],
            Content_Range=f"bytes 1000000-{len(BODY) - 1}/{len(BODY)}",
            **dates,
        ),
    )
    assert bench.stored(await bench.run(url)) == BODY
    assert origin.requests[1].headers["if-range"] == dates["Last_Modified"]


async def test_a_range_from_elsewhere_is_not_believed(bench: Bench, origin: Origin) -> None:
    origin.serve("/a", replies.file(BODY, cut_at=1_000_000))
    origin.serve("/b", replies.file(BODY[:-1] + b"!"))
    url = origin.serve(PATH, replies.redirect("/a?sig=1"), replies.redirect("/b?sig=2"))
    assert bench.stored(await bench.run(url)).endswith(b"!")
    assert origin.served["/b"] > len(BODY)


async def test_the_end_of_an_unsized_file_is_proven_by_its_range(
    bench: Bench, origin: Origin
) -> None:
    url = origin.serve(PATH, replies.unsized(BODY, ETag='"v1"'), replies.file(BODY))
    assert bench.stored(await bench.run(url)) == BODY
    assert origin.served[PATH] == len(BODY)


@pytest.mark.parametrize("cut", [False, True])
async def test_an_unsized_file_needs_its_md5(bench: Bench, origin: Origin, cut: bool) -> None:  # noqa: FBT001 - a parameter of the test
    url = origin.serve(PATH, replies.unsized(BODY, cut=cut))
    assert bench.stored(await bench.run(url, MD5)) == BODY


@pytest.mark.parametrize("cut", [False, True])
async def test_an_unsized_file_is_never_taken_on_trust(
    bench: Bench,
    origin: Origin,
    cut: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    outcome = await bench.run(origin.serve(PATH, replies.unsized(BODY[:1_000_000], cut=cut)))
    assert code(outcome) == "failed truncated"
    assert (len(origin.requests), bench.files()) == (1, [])


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


async def test_a_range_beyond_the_end_starts_anew(bench: Bench, origin: Origin) -> None:
    url = origin.serve(
        PATH,
        replies.file(BODY, cut_at=1_000_000),
        replies.answer(416, Content_Range="bytes */5"),
        replies.file(BODY),
    )
    assert bench.stored(await bench.run(url)) == BODY


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


async def test_redirects_that_are_followed(bench: Bench, origin: Origin) -> None:
    bench.names["media.origin.test"] = [["127.0.0.1"]]
    cookie = replies.answer(301, Location="two?x=1#part", Set_Cookie="session=secret")
    origin.serve(PATH, cookie)
    url = origin.url(PATH, "media.origin.test")
    origin.serve("/masters/two", replies.redirect("../three", 307))
    origin.serve("/three", replies.redirect(f"//localhost:{origin.port}/four", 308))
    origin.serve("/four", replies.redirect(origin.url("/five"), 303))
    origin.serve("/five", replies.redirect("/six", 302))
    origin.serve("/six", replies.file(BODY))
    assert bench.stored(await bench.run(url)) == BODY
    assert origin.requests[1].target == "/masters/two?x=1"
    assert not any("cookie" in request.headers for request in origin.requests)
    assert len(origin.requests) == 6


async def test_a_wrong_md5_is_fetched_twice(bench: Bench, origin: Origin) -> None:
    outcome = await bench.run(origin.serve(PATH, replies.file(b"something else")), MD5)
    assert code(outcome) == "refused md5_mismatch"
    actual = hashlib.md5(b"something else", usedforsecurity=False).hexdigest()
    (problem,) = outcome.problems  # type: ignore[union-attr] # code() has looked
    assert (problem.measured, problem.allowed) == (actual, MD5)
    assert (len(origin.requests), bench.files()) == (2, [])


async def test_a_wrong_md5_may_have_been_an_accident(bench: Bench, origin: Origin) -> None:
    url = origin.serve(PATH, replies.file(BODY[:-1] + b"?"), replies.file(BODY))
    assert bench.stored(await bench.run(url, MD5)) == BODY


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


async def test_cancelling_leaves_nothing(bench: Bench, origin: Origin) -> None:
    gate = Gate()
    url = origin.serve(PATH, replies.file(BODY, gate=gate, gate_at=2_000_000))
    run = asyncio.create_task(bench.run(url))
    await gate.reached()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert bench.files() == []


async def test_a_full_disk_is_not_the_tasks_fault(
    bench: Bench, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def full(path: str | Path, flags: int, mode: int = 0o777) -> int:
        return real("/dev/full" if flags & os.O_EXCL else path, flags & ~os.O_EXCL, mode)

    monkeypatch.setattr(os, "open", full)
    outcome = await bench.run(origin.serve(PATH, replies.file(BODY)))
    assert isinstance(outcome, Released)
    assert (outcome.reason, outcome.retry_after > timedelta()) == ("no_space", True)
    assert bench.files() == []


async def test_an_origin_in_a_thread(bench: Bench) -> None:
    with running_origin() as origin:
        bench.tls = origin.trusting()
        url = origin.serve(f"/{uuid.uuid4()}", replies.file(BODY))
        assert bench.stored(await bench.run(url)) == BODY
