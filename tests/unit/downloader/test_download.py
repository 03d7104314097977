"""The stage against an origin that works, breaks or lies."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import replies
from tests.support.downloads import BODY, MD5, PATH, code
from tests.support.origin import Gate, Origin, running_origin

if TYPE_CHECKING:
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
    assert set(second.headers) == {"host", "user-agent", "accept-encoding", "accept"}


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


async def test_a_range_at_the_end_is_the_end(bench: Bench, origin: Origin) -> None:
    url = origin.serve(
        PATH,
        replies.unsized(BODY, ETag='"v1"'),
        replies.answer(416, Content_Range=f"bytes */{len(BODY)}"),
    )
    assert bench.stored(await bench.run(url)) == BODY


async def test_a_206_that_sends_too_much(bench: Bench, origin: Origin) -> None:
    async def answer(exchange: Exchange) -> None:
        span = f"bytes 1000000-2999999/{len(BODY)}"
        await exchange.head(206, Content_Range=span, Transfer_Encoding="chunked")
        more = BODY[1_000_000:] + b"more"
        await exchange.raw(b"%x\r\n%b\r\n0\r\n\r\n" % (len(more), more))

    url = origin.serve(
        PATH,
        replies.file(BODY, cut_at=1_000_000),
        answer,
    )
    assert code(await bench.run(url)) == "refused invalid_response"


@pytest.mark.parametrize(
    ("first", "total"),
    [
        (replies.file(BODY, cut_at=1_000_000), 5),
        (replies.file(BODY, cut_at=1_000_000), len(BODY)),
        (replies.unsized(BODY[:1_000_000], cut=True, ETag='"v1"'), 5),
    ],
)
async def test_a_range_beyond_the_end_starts_anew(
    bench: Bench, origin: Origin, first: Reply, total: int
) -> None:
    wrong = replies.answer(416, Content_Range=f"bytes */{total}")
    url = origin.serve(PATH, first, wrong, replies.file(BODY))
    assert bench.stored(await bench.run(url)) == BODY


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


async def test_cancelling_leaves_nothing(bench: Bench, origin: Origin) -> None:
    gate = Gate()
    url = origin.serve(PATH, replies.file(BODY, gate=gate, gate_at=2_000_000))
    run = asyncio.create_task(bench.run(url))
    await gate.reached()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert bench.files() == []


async def test_an_origin_in_a_thread(bench: Bench) -> None:
    with running_origin() as origin:
        bench.tls = origin.trusting()
        url = origin.serve(f"/{uuid.uuid4()}", replies.file(BODY))
        assert bench.stored(await bench.run(url)) == BODY
