"""From a URL to files that play, in the dialect of import and publish, through every real part."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from cli.demo.master import Spec, write_master
from tests.support import replies
from tests.support.media.audio import noise, write_plain
from tests.support.renditions import heard

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.stack import Stack

SECONDS = 120


async def call(stack: Stack, action: str, **parameters: object) -> dict[str, Any]:
    """Call an action with the token as a parameter."""
    query = {name: str(value) for name, value in parameters.items()}
    url = f"{stack.ready['http']}/api/import/{action}"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=query | {"token": stack.ready["token"]}) as response,
    ):
        answer: dict[str, Any] = await response.json()
        assert response.status == 200, answer
        return answer


async def done(stack: Stack, job: int, count: int) -> None:
    """Wait until a job has published so many and nothing else."""
    async with asyncio.timeout(SECONDS):
        while (answer := await call(stack, "checkJob", job_id=job)) != {"d": count}:
            assert "e" not in answer, await call(stack, "list", job_id=job)
            await asyncio.sleep(0.2)


def make(folder: Path, kind: str) -> bytes:
    """A master of a kind."""
    path = folder / "master.wav"
    if kind == "dolby_atmos":
        write_master(path, Spec(seconds=1.0))
    else:
        write_plain(path, noise(1.0, 48_000, 2), 48_000)
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["hd", "dolby_atmos"])
async def test_a_master_is_imported_and_published(stack: Stack, tmp_path: Path, kind: str) -> None:
    body = make(tmp_path, kind)
    url = stack.origin.serve(f"/publish/{kind}/song.wav", replies.file(body))
    job = (await call(stack, "createJob", name="Imports for 05/10"))["job_id"]
    given = {"master_type": kind, "meta": '{"Artist": "Somebody"}'}
    upload = await call(stack, "upload", url=url, job_id=job, **given)
    await call(stack, "setFormats", upload_id=upload["upload_id"], formats="mp3,aiff")
    queued = await call(stack, "publish", job_id=job)
    assert (queued["job_id"], queued["queued"]) == (job, 1)
    await done(stack, job, 1)

    (track,) = (await call(stack, "list", job_id=job))["tracks"]
    assert (track["status"], track["formats"]) == ("published", ["mp3", "aiff"])
    assert isinstance(track["track_id"], int)
    for form in track["formats"]:
        link = await call(stack, "download", upload_id=upload["upload_id"], format=form)
        async with aiohttp.ClientSession() as session, session.get(link["url"]) as response:
            assert response.status == 200
            data = await response.read()
            assert response.headers["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
        path = tmp_path / f"song.{form}"
        await asyncio.to_thread(path.write_bytes, data)
        found = heard(path)
        assert found.seconds == pytest.approx(1.0, abs=0.1)
        assert "Somebody" in found.tags.values()
