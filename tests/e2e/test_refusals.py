"""Bad input ends in the right status with a clear problem, and harms nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cli.demo.master import Spec, master, write_master
from tests.support import replies
from tests.support.media import eac3, mp4, others

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.origin import Reply
    from tests.support.stack import Client, Stack

ATMOS = mp4.plain(mp4.Track(frames=eac3.joc_frames(8), config=mp4.dec3()))
PLAIN = mp4.plain(mp4.Track(frames=eac3.plain_frames(8), config=mp4.dec3(complexity=None)))

BAD_ORIGINS: dict[str, tuple[Reply, str]] = {
    "404": (replies.answer(404), "http_status"),
    "web page": (
        replies.answer(200, others.HTML, Content_Type="text/html"),
        "source_is_html",
    ),
    "always truncated": (replies.file(ATMOS, ranges=False, cut_at=1000), "truncated"),
    "redirect to http": (replies.redirect("http://127.0.0.1/m.wav"), "redirect_refused"),
    "redirect to private": (replies.redirect("https://10.1.2.3/m.wav"), "address_refused"),
}

BAD_MASTERS = {
    "stereo wave": (others.stereo_wave(), "no_atmos"),
    "plain e-ac-3": (PLAIN, "no_atmos"),
    "junk": (others.JUNK, "not_recognised"),
}


def codes(task: Any) -> list[str]:
    return [error["code"] for error in task["attributes"]["validationErrors"]]


@pytest.mark.parametrize("name", BAD_ORIGINS)
async def test_a_bad_origin_fails_the_download(
    name: str, stack: Stack, client: Client, new_isrc: Callable[[], str]
) -> None:
    reply, code = BAD_ORIGINS[name]
    task = await client.finish(stack.origin.serve("/bad", reply), new_isrc())
    assert task["attributes"]["status"] == "download_failed"
    assert codes(task) == [code]


async def test_a_wrong_checksum_fails_the_download_and_names_both(
    stack: Stack, client: Client, new_isrc: Callable[[], str]
) -> None:
    url = stack.origin.serve("/md5", replies.file(ATMOS))
    task = await client.finish(url, new_isrc(), declaredMd5="0" * 32)
    assert task["attributes"]["status"] == "download_failed"
    (error,) = task["attributes"]["validationErrors"]
    assert error["code"] == "md5_mismatch"
    assert error["allowed"] == "0" * 32


@pytest.mark.parametrize("name", BAD_MASTERS)
async def test_what_is_no_atmos_fails_the_validation(
    name: str, stack: Stack, client: Client, new_isrc: Callable[[], str]
) -> None:
    body, code = BAD_MASTERS[name]
    task = await client.finish(stack.origin.serve("/no-atmos", replies.file(body)), new_isrc())
    assert task["attributes"]["status"] == "validation_failed"
    assert codes(task) == [code]
    assert task["attributes"]["byteSize"] == len(body)


async def test_a_corrupt_master_fails_the_validation(
    stack: Stack, client: Client, new_isrc: Callable[[], str], tmp_path: Path
) -> None:
    write_master(tmp_path / "whole.wav", Spec(seconds=0.5))
    body = (tmp_path / "whole.wav").read_bytes()[:-2000]
    task = await client.finish(stack.origin.serve("/corrupt", replies.file(body)), new_isrc())
    assert task["attributes"]["status"] == "validation_failed"
    assert codes(task)


async def test_a_master_without_its_chna_is_refused_for_that(
    stack: Stack, client: Client, new_isrc: Callable[[], str], tmp_path: Path
) -> None:
    master(Spec(seconds=0.5)).with_chunk("chna", None).write(tmp_path / "m.wav")
    url = stack.origin.serve("/chna", replies.file((tmp_path / "m.wav").read_bytes()))
    task = await client.finish(url, new_isrc())
    assert task["attributes"]["status"] == "validation_failed"
    assert any("chna" in code for code in codes(task))


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.example.com/m.wav",
        "https://10.0.0.1/m.wav",
        "https://u:p@cdn.example.com/m",
        "x",
    ],
)
async def test_a_bad_url_is_refused_at_once(
    url: str, client: Client, new_isrc: Callable[[], str]
) -> None:
    status, refused = await client.create(url, new_isrc())
    assert status == 422
    assert [e["source"]["pointer"] for e in refused["errors"]] == ["/data/attributes/url"]


async def test_an_isrc_in_use_is_refused_in_the_published_words(
    stack: Stack, client: Client, new_isrc: Callable[[], str]
) -> None:
    isrc = new_isrc()
    url = stack.origin.serve("/taken", replies.file(ATMOS))
    done = await client.finish(url, isrc)
    assert done["attributes"]["status"] == "completed"
    status, refused = await client.create(url, isrc)
    assert status == 422
    assert refused == {
        "jsonapi": {"version": "1.0"},
        "errors": [
            {
                "detail": "The secondary isrc has already been taken.",
                "source": {"pointer": "/data/attributes/secondaryIsrc"},
                "status": "422",
                "title": "Unprocessable Entity",
            }
        ],
    }


async def test_a_failed_import_is_retried_and_succeeds(
    stack: Stack, client: Client, new_isrc: Callable[[], str]
) -> None:
    url = stack.origin.serve("/later", replies.answer(404), replies.file(ATMOS))
    failed = await client.finish(url, new_isrc())
    assert failed["attributes"]["status"] == "download_failed"
    status, again = await client.call("POST", f"/atmos-import-tasks/{failed['id']}/retry")
    assert status == 200
    assert again["data"]["attributes"]["validationErrors"] is None
    await client.until(failed["id"])
    _, task = await client.call("GET", f"/atmos-import-tasks/{failed['id']}")
    assert task["data"]["attributes"]["status"] == "completed"
