"""Content negotiation, and that every answer, whoever made it, is JSON:API.

JSON:API 1.0, Content Negotiation: https://jsonapi.org/format/1.0/#content-negotiation
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from structlog.testing import capture_logs

from services.api.http.jsonapi import media
from tests.support.jsonapi import MEDIA_TYPE, Client

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.jsonapi import Answer

TRACK = b'{"data":{"type":"tracks","attributes":{"title":"x"}}}'


def _is_error(answer: Answer, status: int) -> None:
    assert answer.status == status
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    assert list(answer.document) == ["jsonapi", "errors"]
    assert {error["status"] for error in answer.document["errors"]} == {str(status)}


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/*",
        MEDIA_TYPE,
        MEDIA_TYPE.upper(),
        "",
        f"{MEDIA_TYPE};q=0.5",
        f'{MEDIA_TYPE};charset="a,b;c", {MEDIA_TYPE}',
        f'{MEDIA_TYPE};profile="https://example.com/unknown, or not"',
        f'{MEDIA_TYPE};ext="x", {MEDIA_TYPE};q=0.1',
        "text/html, application/xml;q=0.9, */*;q=0.8",
        f"{MEDIA_TYPE};q=much",
        f"{MEDIA_TYPE};Q=0.5",
        f'{MEDIA_TYPE};profile="a\\"b"',
        "*/*;q=0, application/*",
        f"application/*;q=0, {MEDIA_TYPE}",
        " , */*",
    ],
)
async def test_accept_that_is_served(client: Client, accept: str) -> None:
    answer = await client.request("GET", "/tracks", Accept=accept)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == MEDIA_TYPE


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "text/html",
        f"{MEDIA_TYPE};charset=utf-8",
        f'{MEDIA_TYPE};profile="x";charset=utf-8, {MEDIA_TYPE};ext="y"',
        f"{MEDIA_TYPE};q=0.5;charset=utf-8",
        f"{MEDIA_TYPE};q=0",
        "*/*;q=0",
        "application/*;q=0, */*",
        f"{MEDIA_TYPE};q=0, */*",
        f"{MEDIA_TYPE};charset=utf-8, */*",
        f'{MEDIA_TYPE};ext="x", application/*',
        ";",
        f'"{MEDIA_TYPE}, */*',
    ],
)
async def test_accept_that_leaves_no_answer(client: Client, accept: str) -> None:
    answer = await client.request("POST", "/tracks", TRACK, Accept=accept, Content_Type=MEDIA_TYPE)
    _is_error(answer, 406)
    created = (await client.get("/tracks")).document["data"]
    assert created == []


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "text/plain",
        f"{MEDIA_TYPE}; charset=utf-8",
        f'{MEDIA_TYPE};ext="x"',
        f"{MEDIA_TYPE};",
        ";",
    ],
)
async def test_content_type_that_is_not_read(client: Client, content_type: str) -> None:
    _is_error(await client.request("POST", "/tracks", TRACK, Content_Type=content_type), 415)


async def test_a_body_without_a_content_type(client: Client) -> None:
    _is_error(await client.request("POST", "/tracks", TRACK), 415)


async def test_content_type_of_a_request_without_a_document(client: Client) -> None:
    for content_type, status in (
        (MEDIA_TYPE, 200),
        ("application/json", 200),
        (f"{MEDIA_TYPE}; charset=utf-8", 415),
    ):
        answer = await client.request("GET", "/tracks", Content_Type=content_type)
        assert answer.status == status


async def test_a_delete_may_carry_a_body(client: Client) -> None:
    track = await client.create_track()
    answer = await client.request(
        "DELETE", f"/tracks/{track}", TRACK, Accept=MEDIA_TYPE, Content_Type=MEDIA_TYPE
    )
    assert answer.status == 204


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "Expecting JSON to decode."),
        (b"[]", "Expecting JSON to decode to an object."),
        (b'"x"', "Expecting JSON to decode to an object."),
        (b"{", "The request body is not valid JSON."),
        (b'{"a":"\xff"}', "The request body is not valid JSON."),
        (b'{"a":"\\ud800"}', "The request body is not valid JSON."),
        (b'{"a":1e999}', "The request body is not valid JSON."),
        (b"[" * 60_000, "The request body is not valid JSON."),
    ],
    ids=["empty", "array", "string", "cut", "not UTF-8", "half a surrogate", "huge", "deep"],
)
async def test_a_body_that_is_no_json_object(client: Client, body: bytes, detail: str) -> None:
    answer = await client.request("POST", "/tracks", body, Content_Type=MEDIA_TYPE)
    _is_error(answer, 400)
    [error] = answer.document["errors"]
    assert (error["title"], error["detail"]) == ("Invalid JSON", detail)


async def test_a_body_may_have_64_kib(client: Client) -> None:
    largest = TRACK + b" " * (64 * 1024 - len(TRACK))
    answer = await client.request("POST", "/tracks", largest, Content_Type=MEDIA_TYPE)
    assert answer.status == 201
    _is_error(await client.request("POST", "/tracks", largest + b" ", Content_Type=MEDIA_TYPE), 413)


async def _connect(client: Client) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = client.session._base_url  # noqa: SLF001 - where the client was told to go
    assert address is not None
    return await asyncio.open_connection(address.host, address.port)


async def _exchange(client: Client, headers: Sequence[str], sent: bytes) -> tuple[bytes, Any]:
    """Head and document of the answer to a POST whose raw body starts so.

    The body goes out after the server has begun to wait for it.
    """
    reader, writer = await _connect(client)
    writer.write(_head(client, *headers))
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(sent)
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    assert length is not None
    body = await reader.readexactly(int(length[1]))
    writer.close()
    await writer.wait_closed()
    return head, msgspec.json.decode(body)


def _head(client: Client, *headers: str) -> bytes:
    lines = (
        "POST /api/v1/tracks HTTP/1.1",
        "Host: domain.com",
        f"Authorization: Bearer {client.token}",
        f"Content-Type: {MEDIA_TYPE}",
        "Expect: 100-continue",
        *headers,
    )
    return "\r\n".join((*lines, "", "")).encode()


async def test_a_body_that_does_not_come(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "BODY_SECONDS", 0.05)
    head, document = await _exchange(client, ["Content-Length: 10"], b"{")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nConnection: close\r\n" in head
    detail = "The request body did not arrive in time."
    assert document["errors"] == [{"detail": detail, "status": "408", "title": "Request Timeout"}]


async def test_a_body_that_is_broken(client: Client) -> None:
    headers = ["Content-Encoding: gzip", "Content-Length: 8"]
    head, document = await _exchange(client, headers, b"nonsense")
    assert head.startswith(b"HTTP/1.1 400 ")
    detail = "The request body is broken."
    assert document["errors"] == [{"detail": detail, "status": "400", "title": "Bad Request"}]


async def test_a_client_that_goes_away_is_no_fault_of_ours(client: Client) -> None:
    others = asyncio.all_tasks()
    with capture_logs() as logs:
        reader, writer = await _connect(client)
        writer.write(_head(client, "Content-Length: 10"))
        await reader.readuntil(b"\r\n\r\n")
        connections = asyncio.all_tasks() - others
        writer.close()
        await writer.wait_closed()
        await asyncio.wait(connections)
    assert connections
    assert logs == []


@pytest.mark.parametrize("path", ["/api/v1/albums", "/api/v1/"])
async def test_unknown_paths(client: Client, path: str) -> None:
    async with client.session.get(path) as response:
        assert response.status == 404
        assert response.headers["Content-Type"] == MEDIA_TYPE
        [error] = msgspec.json.decode(await response.read())["errors"]
    assert error == {
        "detail": "The requested resource does not exist.",
        "status": "404",
        "title": "Not Found",
    }


async def test_accept_may_come_in_several_lines(client: Client) -> None:
    for lines, status in (
        (["text/html", MEDIA_TYPE], 200),
        ([MEDIA_TYPE, "text/html"], 200),
        (["text/html", "text/plain"], 406),
    ):
        headers = [("Accept", line) for line in lines]
        headers += [("Authorization", f"Bearer {client.token}")]
        async with client.session.get("/api/v1/tracks", headers=headers) as response:
            assert response.status == status, lines


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_what_everybody_may_read_can_only_be_read(client: Client, path: str) -> None:
    stranger = Client(client.session, None)
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        answer = await stranger.request(method, path)
        _is_error(answer, 405)
        assert answer.headers["Allow"] == "GET,HEAD"
    for accept in (MEDIA_TYPE, "text/html", "image/png", "*/*;q=0"):
        assert (await stranger.request("GET", path, Accept=accept)).status == 200
    assert (await stranger.request("HEAD", path)).body == b""
    _is_error(await stranger.request("GET", f"{path}/"), 404)


async def test_unknown_methods(client: Client) -> None:
    answer = await client.delete("/tracks")
    _is_error(answer, 405)
    assert answer.headers["Allow"] == "GET,HEAD,POST"
    assert answer.refusals == [("", "This method is not supported here.")]
