"""What the stage refuses, what it leaves for later, and what it says about it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from shared.origin.tls import tls_context
from shared.stage.job import Failed
from tests.support import replies
from tests.support.downloads import BODY, PATH, code
from tests.support.origin import Gate, Origin

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.downloads import Bench
    from tests.support.origin import Reply

PAGE = b"\n<!-- shared --><!DOCTYPE html><html><body>Sign in</body></html>"


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
    challenge: dict[str, Any] = {"WWW_Authenticate": "NTLM"} if status in {401, 407} else {}
    outcome = await bench.run(origin.serve(PATH, replies.answer(status, **challenge)))
    assert code(outcome) == expected
    problem = outcome.problem if isinstance(outcome, Failed) else outcome.problems[0]  # type: ignore[union-attr] # code() has looked
    assert problem.measured == (str(status) if status not in {206, 416} else "")
    assert "Whatever" not in problem.detail
    assert not any("authorization" in request.headers for request in origin.requests)
    assert len(origin.requests) == (1 if expected.startswith("refused") else 5)
    assert bench.files() == []


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
        ("/a\tb", "refused redirect_refused"),
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
    async with Origin(authority=trustme.CA()) as stranger:
        stranger.serve(PATH, replies.file(BODY))
        assert code(await bench.run(stranger.url(PATH))) == "refused tls_error"
        assert (stranger.requests, origin.requests) == ([], [])


async def test_an_authority_of_the_operator(bench: Bench, origin: Origin, tmp_path: Path) -> None:
    bench.tls = tls_context(origin.write_ca(tmp_path / "ca.pem"))
    assert bench.stored(await bench.run(origin.serve(PATH, replies.file(BODY)))) == BODY
    bench.tls = tls_context()
    assert code(await bench.run(origin.url(PATH))) == "refused tls_error"


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
