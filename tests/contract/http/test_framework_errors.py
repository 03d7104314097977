"""What the server answers when no handler of ours is reached, and what it says in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from services.api.http.server import make_app, serve
from tests.support.jsonapi import MEDIA_TYPE, serving
from tests.support.wire import exchange

if TYPE_CHECKING:
    from tests.support.core import Core

HEAD = b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
GET = b"GET /api/v1/tracks" + HEAD

REFUSED = {
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "no method": (b"G\x01T /api/v1/tracks HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "no version": (b"GET /api/v1/tracks HTTP/9.9\r\nHost: h\r\n\r\n", 400),
    "no host": (b"GET /api/v1/tracks HTTP/1.1\r\n\r\n", 400),
    "bad host": (b"GET /api/v1/tracks HTTP/1.1\r\nConnection: close\r\nHost: a b\r\n\r\n", 400),
    "two hosts": (GET + b"Host: i\r\n\r\n", 400),
    "bad header": (GET + b"a\x00b: c\r\n\r\n", 400),
    "bad target": (b"GET http://[::1/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "bad length": (b"POST /api/v1/tracks" + HEAD + b"Content-Length: -1\r\n\r\n", 400),
    "two framings": (
        GET + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "unknown path": (b"GET /api/v1/nothing" + HEAD + b"\r\n", 404),
    "a host that is none": (b"GET http://xn--a/api/v1/nothing" + HEAD + b"\r\n", 404),
    "the prefix": (b"GET /api/v1" + HEAD + b"\r\n", 404),
    "wrong method": (b"PUT /api/v1/tracks" + HEAD + b"\r\n", 405),
    "bad expectation": (GET + b"Expect: miracles\r\n\r\n", 417),
    "long target": (b"GET /api/v1/tracks?x=" + b"x" * 17_000 + HEAD + b"\r\n", 414),
    "long header": (GET + b"X: " + b"x" * 9_000 + b"\r\n\r\n", 431),
    "many headers": (GET + b"X: y\r\n" * 70 + b"\r\n", 431),
}


@pytest.mark.parametrize(("request_", "status"), REFUSED.values(), ids=REFUSED)
async def test_the_api_refuses_in_its_own_words(
    port: int,
    request_: bytes,
    status: int,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    reply = await exchange(port, request_)
    assert reply.status == status
    assert reply.headers["content-type"] == MEDIA_TYPE
    assert reply.headers["server"] == "stagedoor"
    assert ("allow" in reply.headers) == (status == 405)
    (error,) = reply.document["errors"]
    assert error["status"] == str(status)
    assert error["title"]
    assert error["detail"].endswith(".")
    captured = capsys.readouterr()
    assert "Traceback" not in captured.out + captured.err + caplog.text


@pytest.mark.parametrize(
    ("line", "status", "title"),
    [
        (b"GET /api/v2/nothing", 404, "Record not found"),
        (b"GET /api/v2", 404, "Record not found"),
        (b"DELETE /api/v2/import-tasks", 405, "Method Not Allowed"),
        (b"GET /api/v2/import-tasks?x=" + b"x" * 17_000, 414, None),
    ],
    ids=["path", "prefix", "method", "target"],
)
async def test_each_facade_has_its_own_words(
    port: int, line: bytes, status: int, title: str | None
) -> None:
    reply = await exchange(port, line + HEAD + b"\r\n")
    assert (reply.status, reply.headers["content-type"]) == (status, MEDIA_TYPE)
    if title is not None:
        assert reply.document.keys() == {"errors"}
        (error,) = reply.document["errors"]
        assert (error["code"], error["title"]) == (str(status), title)


@pytest.mark.parametrize(
    ("prefix", "members"),
    [(b"/v1", {"ok", "message", "api_request_id"}), (b"/api/import", {"error"})],
)
async def test_so_has_each_that_is_no_jsonapi(port: int, prefix: bytes, members: set[str]) -> None:
    for rest, header, status in (
        (b"", b"", 404),
        (b"/nothing", b"", 404),
        (b"/nothing", b"Expect: miracles\r\n", 417),
    ):
        reply = await exchange(port, b"GET " + prefix + rest + HEAD + header + b"\r\n")
        assert reply.status == status, rest
        assert reply.headers["content-type"].startswith("application/json"), rest
        assert reply.document.keys() == members, rest


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + HEAD + b"\r\n", 404),
        (b"GET /api/v10" + HEAD + b"\r\n", 404),
        (b"POST /healthz" + HEAD + b"\r\n", 405),
        (b"GET /healthz" + HEAD + b"Expect: miracles\r\n\r\n", 417),
    ],
)
async def test_elsewhere_the_words_are_plain(port: int, request_: bytes, status: int) -> None:
    reply = await exchange(port, request_)
    assert reply.status == status
    assert reply.headers["content-type"].startswith("text/plain")
    assert reply.headers["server"] == "stagedoor"
    assert reply.body.endswith(b".\n")


async def test_a_fault_of_ours_tells_nothing(
    core: Core, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken() -> bool:
        raise OSError(28, "a secret")

    app = make_app(core.use_cases, public_url=None, ready=broken)
    async with serving(app) as session, session.get("/readyz") as response:
        assert response.status == 500
        assert response.headers["Server"] == "stagedoor"
        assert await response.text() == "The server met an unexpected error.\n"
    captured = capsys.readouterr()
    assert "a secret" in captured.out + captured.err


async def test_half_an_answer_is_not_followed_by_another(app: web.Application) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"half")
        raise OSError(28, "a secret")

    app.router.add_get("/half", half)
    runner, port = await serve(app, "127.0.0.1", 0)
    try:
        reply = await exchange(port, b"GET /half" + HEAD + b"\r\n")
    finally:
        await runner.cleanup()
    assert (reply.status, reply.body) == (200, b"4\r\nhalf\r\n")


async def test_a_broken_body_behind_an_answer_is_no_fault(
    port: int, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    head = b"POST /api/v1/tracks" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    assert (await exchange(port, head + b"zz\r\n\r\n")).status in {400, 401}
    captured = capsys.readouterr()
    assert "Traceback" not in captured.out + captured.err + caplog.text


async def test_what_is_expected_is_met(port: int, token: str) -> None:
    body = b'{"data":{"type":"tracks","attributes":{"title":"x"}}}'
    fields = (
        f"Authorization: Bearer {token}\r\nContent-Type: {MEDIA_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    reply = await exchange(port, b"POST /api/v1/tracks" + HEAD + fields.encode() + body)
    assert reply.status == 100
    assert reply.body.startswith(b"HTTP/1.1 201 ")
