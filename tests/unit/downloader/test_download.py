"""The stage against an origin that works, breaks or lies."""

from __future__ import annotations

import asyncio
import hashlib
import random
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from shared.stage.job import Failed, Refused, Released
from tests.support import replies
from tests.support.origin import Gate, Origin, running_origin

if TYPE_CHECKING:
    from pathlib import Path

    from shared.stage.job import Outcome
    from tests.support.origin import Reply
    from tests.unit.downloader.conftest import Bench

BODY = random.Random(7).randbytes(3_000_000)  # noqa: S311 - noise, no secret
MD5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
PATH = "/masters/one.wav"
PAGE = b"\n<!-- shared --><!DOCTYPE html><html><body>Sign in</body></html>"


def code(outcome: Outcome) -> str:
    """Return the one problem's code, with the kind of outcome."""
    if isinstance(outcome, Failed):
        return f"failed {outcome.problem.code}"
    assert isinstance(outcome, Refused), outcome
    (problem,) = outcome.problems
    return f"refused {problem.code}"


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
    bench: Bench, origin: Origin, wrong: dict[str, str]
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
    dates = {
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
    # One that brought something new, and five that did not: the first counts as progress.
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


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (204, "refused http_status"),
        (304, "refused http_status"),
        (401, "refused http_status"),
        (403, "refused http_status"),
        (404, "refused http_status"),
        (407, "refused http_status"),
        (410, "refused http_status"),
        (501, "refused http_status"),
        (505, "refused http_status"),
        (599, "failed origin_error"),
        (408, "failed origin_error"),
        (425, "failed origin_error"),
        (429, "failed origin_error"),
        (500, "failed origin_error"),
        (502, "failed origin_error"),
        (503, "failed origin_error"),
        (504, "failed origin_error"),
        (206, "failed origin_error"),
        (416, "failed origin_error"),
    ],
)
async def test_statuses(bench: Bench, origin: Origin, status: int, expected: str) -> None:
    challenge = {"WWW_Authenticate": "NTLM"} if status in {401, 407} else {}
    outcome = await bench.run(origin.serve(PATH, replies.answer(status, **challenge)))
    assert code(outcome) == expected
    problem = outcome.problem if isinstance(outcome, Failed) else outcome.problems[0]  # type: ignore[union-attr] # code() has looked
    assert problem.measured == (str(status) if status not in {206, 416} else "")
    assert "Whatever" not in problem.detail
    assert not any("authorization" in request.headers for request in origin.requests)
    assert len(origin.requests) == (1 if expected.startswith("refused") else 5)
    assert bench.files() == []


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


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("http://media.example/a", "refused redirect_refused"),
        ("http://127.0.0.1/a", "refused redirect_refused"),
        ("file:///etc/passwd", "refused redirect_refused"),
        ("https://u:p@media.example/", "refused redirect_refused"),
        ("https://media.example:70000/", "refused redirect_refused"),
        ("https://127.1/", "refused redirect_refused"),
        ("/a\\b", "refused redirect_refused"),
        ("/a b", "refused redirect_refused"),
        ("https://media.example/" + "a" * 5000, "refused redirect_refused"),
        ("", "refused redirect_refused"),
        (PATH, "refused redirect_refused"),
        ("https://10.0.0.1/a?token=secret", "refused address_refused"),
        ("//169.254.169.254/latest", "refused address_refused"),
        ("https://[::ffff:10.0.0.1]/", "refused address_refused"),
        ("https://2852039166/", "refused redirect_refused"),
        ("https://inside.corp/a", "refused address_refused"),
    ],
)
async def test_redirects_that_are_not_followed(
    bench: Bench, origin: Origin, location: str, expected: str
) -> None:
    bench.names["inside.corp"] = [["10.1.2.3"]]
    outcome = await bench.run(origin.serve(PATH, replies.redirect(location)))
    assert code(outcome) == expected
    detail = outcome.problems[0].detail  # type: ignore[union-attr] # code() has looked
    assert not any(secret in detail for secret in ("10.", "169.", "inside", "secret", "media"))
    assert set(bench.dialled) == {"127.0.0.1"}
    assert bench.files() == []


async def test_a_redirect_without_location(bench: Bench, origin: Origin) -> None:
    outcome = await bench.run(origin.serve(PATH, replies.answer(302)))
    assert code(outcome) == "refused redirect_refused"


async def test_redirects_that_are_followed(bench: Bench, origin: Origin) -> None:
    url = origin.serve(PATH, replies.redirect("two?x=1#part", 301))
    origin.serve("/masters/two", replies.redirect("../three", 307))
    origin.serve("/three", replies.redirect(f"//localhost:{origin.port}/four", 308))
    origin.serve("/four", replies.redirect(origin.url("/five"), 303))
    origin.serve("/five", replies.redirect("/six", 302))
    origin.serve("/six", replies.file(BODY))
    assert bench.stored(await bench.run(url)) == BODY
    assert origin.requests[1].target == "/masters/two?x=1"
    assert len(origin.requests) == 6


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (replies.answer(200, BODY, Content_Encoding="gzip"), "unsupported_encoding"),
        (replies.answer(200, BODY, Content_Encoding="br"), "unsupported_encoding"),
        (replies.answer(200, PAGE), "source_is_html"),
        (replies.chunked(PAGE * 1000), "source_is_html"),
        (replies.answer(200, b"", Content_Length=10_000_001), "too_large"),
        (replies.endless(b"x" * 1_000_000), "too_large"),
        (replies.raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1_000_000), "invalid_response"),
        (replies.raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n"), "invalid_response"),
        (
            replies.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
            "invalid_response",
        ),
        (replies.raw(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\na"), "invalid_response"),
        (replies.raw(b"SSH-2.0-OpenSSH_9\r\n\r\n"), "invalid_response"),
    ],
)
async def test_answers_that_are_refused(
    bench: Bench, origin: Origin, reply: Reply, expected: str
) -> None:
    outcome = await bench.run(origin.serve(PATH, reply))
    assert code(outcome) == f"refused {expected}"
    assert (len(origin.requests), bench.files()) == (1, [])


async def test_a_page_is_known_before_it_is_loaded(bench: Bench, origin: Origin) -> None:
    gate = Gate()
    reply = replies.file(PAGE + b" " * 2_000_000, gate=gate, gate_at=len(PAGE))
    assert code(await bench.run(origin.serve(PATH, reply))) == "refused source_is_html"
    assert origin.served.get(PATH, 0) <= len(PAGE)


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


@pytest.mark.parametrize(
    "reply", [replies.raw(b"HTTP/1.1 102 Wait\r\n\r\n", repeat=True), replies.raw(b"H")]
)
async def test_a_head_that_does_not_come(bench: Bench, origin: Origin, reply: Reply) -> None:
    bench.limits = replace(bench.limits, header_seconds=0.2, fruitless_attempts=1)
    outcome = await bench.run(origin.serve(PATH, reply))
    assert code(outcome).startswith("failed ")


async def test_a_head_that_drips(bench: Bench, origin: Origin) -> None:
    bench.limits = replace(bench.limits, header_seconds=0.3, fruitless_attempts=1)
    reply = replies.raw(b"X", repeat=True, every_seconds=0.02)
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


async def test_nobody_there(bench: Bench, origin: Origin) -> None:
    async with Origin() as gone:
        url = gone.url(PATH)
    assert code(await bench.run(url)) == "failed origin_unreachable"
    assert len(bench.dialled) == 5
    assert origin.requests == []


async def test_a_name_that_does_not_resolve(bench: Bench, origin: Origin) -> None:
    bench.names["nobody.origin.test"] = [[]]
    outcome = await bench.run(origin.url(PATH, "nobody.origin.test"))
    assert code(outcome) == "failed origin_unreachable"
    assert bench.dialled == []


async def test_certificates(bench: Bench, origin: Origin) -> None:
    bench.names["other.example"] = [["127.0.0.1"]]
    origin.serve(PATH, replies.file(BODY))
    assert code(await bench.run(origin.url(PATH, "other.example"))) == "refused tls_error"
    async with Origin() as stranger:
        stranger.serve(PATH, replies.file(BODY))
        assert code(await bench.run(stranger.url(PATH))) == "refused tls_error"
        assert (stranger.requests, origin.requests) == ([], [])


async def test_a_port_without_tls(bench: Bench) -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert code(await bench.run(f"https://127.0.0.1:{port}/")) == "refused tls_error"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1/a", "refused invalid_url"),
        ("https://127.0.0.2/a", "refused address_refused"),
        ("https://127.0.0.1:0/a", "refused port_refused"),
    ],
)
async def test_urls_are_judged_again(bench: Bench, url: str, expected: str) -> None:
    assert code(await bench.run(url)) == expected
    assert bench.dialled == []


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
    import os

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
