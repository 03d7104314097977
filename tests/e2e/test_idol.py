"""Every type of master of the IDOL facade, good and bad, from a URL to its final status."""

from __future__ import annotations

import asyncio
import hashlib
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from cli.demo.master import Spec, write_master
from tests.support import replies
from tests.support.idol import TASKS, new_task
from tests.support.jsonapi import MEDIA_TYPE
from tests.support.media import flac, others, video

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.support.stack import Client, Stack

DESKTOP, MOBILE = "apple_motion_art_desktop", "apple_motion_art_mobile"


def atmos(folder: Path) -> bytes:
    """A small Atmos master."""
    write_master(folder / "m.wav", Spec(seconds=0.5))
    return (folder / "m.wav").read_bytes()


GOOD: dict[str, tuple[Callable[[Path], bytes], str, int | None]] = {
    "cd": (lambda _: flac.wave(flac.CD), "tracks", 16),
    "hd": (lambda _: flac.flac(flac.HD), "tracks", 24),
    "dolby_atmos": (atmos, "tracks", 24),
    DESKTOP: (lambda _: video.movie(video.Art()), "asset-attachment", None),
    MOBILE: (lambda _: video.movie(video.Art(size=video.MOBILE)), "videos", None),
}
"""Of each type: how to make one, what it is attached to, its precision."""
BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "cd": (lambda: flac.wave(flac.HD), "The samples have 24 bits."),
    "hd": (lambda: flac.flac(flac.CD), "The samples have 16 bits."),
    "dolby_atmos": (others.stereo_wave, "Atmos"),
    DESKTOP: (lambda: video.movie(video.Art(size=video.MOBILE)), "2048"),
    MOBILE: (lambda: video.movie(video.Art(size=video.MOBILE, rate=Fraction(15))), "15"),
}
"""Of each type: what is none, and words of the message."""


@pytest.fixture
async def http(stack: Stack) -> AsyncIterator[aiohttp.ClientSession]:
    """A session as the published document writes its headers."""
    token, type_ = stack.ready["token"], MEDIA_TYPE
    headers = {"Authorization": f"Bearer {token}", "Content-Type": type_, "Accept": type_}
    async with aiohttp.ClientSession(stack.ready["http"], headers=headers) as session:
        yield session


async def attachable(client: Client, type_: str) -> int:
    """The number of something new of this type."""
    path = "asset-attachments" if type_ == "asset-attachment" else type_
    data = {"type": path, "attributes": {"title": "x", "supportNumber": "CL 1355"}}
    status, made = await client.call("POST", f"/{path}", {"data": data})
    assert status == 201
    number: int = made["data"]["attributes"]["number"]
    return number


async def finish(http: aiohttp.ClientSession, document: Any) -> Any:
    """The attributes of a task in its end."""
    async with http.post(TASKS, json=document) as response:
        made = await response.json(content_type=MEDIA_TYPE)
        assert response.status == 201, made
    async with asyncio.timeout(90):
        while True:
            path = f"{TASKS}/{made['data']['id']}"
            async with http.get(path) as response:
                shown = (await response.json(content_type=MEDIA_TYPE))["data"]["attributes"]
            if shown["status"] != "uploaded":
                return shown
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("master_type", GOOD)
async def test_a_master_is_completed(
    master_type: str, stack: Stack, client: Client, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    make, type_, precision = GOOD[master_type]
    body = make(tmp_path)
    md5 = hashlib.md5(body).hexdigest()
    url = stack.origin.serve(f"/idol-{master_type}", replies.file(body))
    given: dict[str, object] = {
        "master_type": master_type,
        "url": url,
        "md5": md5,
        "status": "uploaded",
    }
    if precision is not None:
        given["precision"] = precision
    shown = await finish(http, new_task(type_, await attachable(client, type_), **given))
    assert (shown["status"], shown["message"], shown["md5"]) == ("completed", None, md5)
    assert shown["precision"] == (None if precision is None else str(precision))
    assert (shown["master-type"], shown["support-number"]) == (master_type, "CL 1355")


@pytest.mark.parametrize("master_type", BAD)
async def test_what_is_none_fails_and_says_why(
    master_type: str, stack: Stack, client: Client, http: aiohttp.ClientSession
) -> None:
    make, words = BAD[master_type]
    url = stack.origin.serve(f"/idol-bad-{master_type}", replies.file(make()))
    number = await attachable(client, "products")
    shown = await finish(http, new_task("products", number, master_type=master_type, url=url))
    assert shown["status"] == "failed"
    assert words in shown["message"]


async def test_a_wrong_checksum_fails(
    stack: Stack, client: Client, http: aiohttp.ClientSession
) -> None:
    url = stack.origin.serve("/idol-md5", replies.file(flac.wave(flac.CD)))
    number = await attachable(client, "tracks")
    shown = await finish(http, new_task("tracks", number, url=url, md5="0" * 32))
    assert shown["status"] == "failed"
    assert "MD5" in shown["message"]
