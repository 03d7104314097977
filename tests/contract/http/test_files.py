"""What a link gives: the file, a range of it, or that it is still the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.links import BYTES, MD5, stored

if TYPE_CHECKING:
    from tests.support.links import Shop

SIZE = len(BYTES)
TAG = f'"{MD5}"'


async def test_a_link_gives_the_bytes(shop: Shop, url: str) -> None:
    answer = await shop.fetch(url)
    assert (answer.status, answer.body) == (200, BYTES)
    ours = {name.lower(): value for name, value in answer.headers.items()}
    assert {name: ours[name] for name in ours.keys() - {"date", "server"}} == {
        "accept-ranges": "bytes",
        "cache-control": "private",
        "content-disposition": 'attachment; filename="USRC12345678.wav"',
        "content-length": str(SIZE),
        "content-type": "audio/vnd.wave",
        "etag": TAG,
        "x-content-type-options": "nosniff",
    }


async def test_head_tells_the_same_without_the_bytes(shop: Shop, url: str) -> None:
    whole, head = await shop.fetch(url), await shop.fetch(url, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert {**whole.headers, "Date": ""} == {**head.headers, "Date": ""}


async def test_nobody_s_token_is_asked_for_or_looked_at(shop: Shop, url: str) -> None:
    assert (await shop.fetch(url, Authorization="Bearer sd_0_0")).status == 200


async def test_an_empty_file_has_no_bytes(shop: Shop) -> None:
    record = await stored(shop.core, data=b"")
    answer = await shop.fetch((await shop.link(record)).url)
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "0")


@pytest.mark.parametrize(
    ("range_", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, SIZE),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        (f"bytes=5-{SIZE - 1}", 5, SIZE),
        (f"bytes=5-{SIZE}", 5, SIZE),
        ("bytes=5-999999999999999999", 5, SIZE),
        ("bytes=-1", SIZE - 1, SIZE),
        (f"bytes=-{SIZE + 1}", 0, SIZE),
        ("Bytes= 7-8", 7, 9),
    ],
)
async def test_a_range_is_a_part(shop: Shop, url: str, range_: str, start: int, end: int) -> None:
    for method in ("GET", "HEAD"):
        answer = await shop.fetch(url, method, Range=range_)
        assert answer.status == 206
        assert answer.body == (BYTES[start:end] if method == "GET" else b"")
        assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{SIZE}"
        assert answer.headers["Content-Length"] == str(end - start)
        assert answer.headers["ETag"] == TAG


@pytest.mark.parametrize(
    "range_",
    ["bytes=0-1,4-5", "bytes=", "bytes=-", "bytes=9-8", "lines=0-1", "bytes=x-1", "bytes=0-1x"],
)
async def test_what_is_no_range_of_ours_is_the_whole(shop: Shop, url: str, range_: str) -> None:
    answer = await shop.fetch(url, Range=range_)
    assert (answer.status, answer.body) == (200, BYTES)


@pytest.mark.parametrize("range_", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=-0"])
async def test_a_range_behind_the_end(shop: Shop, url: str, range_: str) -> None:
    answer = await shop.fetch(url, Range=range_)
    assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{SIZE}")
    assert answer.document["errors"][0]["status"] == "416"


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        (TAG, 206),
        (f"W/{TAG}", 200),
        ('"other"', 200),
        (MD5, 200),
        ("Wed, 21 Oct 2099 07:28:00 GMT", 200),
    ],
)
async def test_a_range_on_condition(shop: Shop, url: str, condition: str, status: int) -> None:
    answer = await shop.fetch(url, Range="bytes=0-4", If_Range=condition)
    assert (answer.status, answer.body) == (status, BYTES[:5] if status == 206 else BYTES)


@pytest.mark.parametrize(
    ("header", "tags", "status"),
    [
        ("If-None-Match", TAG, 304),
        ("If-None-Match", f'"other", W/{TAG}', 304),
        ("If-None-Match", "*", 304),
        ("If-None-Match", '"other"', 200),
        ("If-Match", TAG, 200),
        ("If-Match", "*", 200),
        ("If-Match", '"other"', 412),
        ("If-Match", f"W/{TAG}", 412),
    ],
)
async def test_conditions(shop: Shop, url: str, header: str, tags: str, status: int) -> None:
    answer = await shop.fetch(url, **{header.replace("-", "_"): tags})
    assert answer.status == status
    if status == 304:
        assert (answer.body, answer.headers["ETag"]) == (b"", TAG)
    assert (answer.body == BYTES) == (status == 200)
