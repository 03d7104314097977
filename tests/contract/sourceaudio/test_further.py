"""Further files of a track, and uploads that are published without being told to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import update

from services.api.db import publish_job_rows
from services.api.db.tables import publish_jobs
from services.api.domain.queries import PublishJobQuery
from tests.support.core import a_principal

if TYPE_CHECKING:
    import pytest

    from services.api.domain.publishing import PublishJob
    from tests.contract.sourceaudio.conftest import Site

WHO = a_principal()
URL = "https://cdn.example.com/in/{}"


async def tracks(site: Site, **of: object) -> list[int]:
    listed = await site.call("list", **of)
    return [each["track_id"] for each in listed["tracks"]]


async def the_job(site: Site) -> PublishJob:
    return (await site.core.use_cases.publish_jobs.list(WHO, PublishJobQuery())).items[0]


async def test_the_same_name_is_a_further_format_of_the_track(site: Site) -> None:
    job, other = [await site.call("createJob") for _ in range(2)]
    first = await site.call("upload", url=URL.format("a.wav"), **job)
    further = await site.call("upload", url=URL.format("b/a.aiff"), **job)
    again = await site.call("upload", url=URL.format("a.wav"), **job)
    wished = await site.call("upload", url=URL.format("a.flac"), formats="ogg", **job)
    unknown = await site.call("upload", url=URL.format("a.xyz"), **job)
    loose = await site.call("upload", url=URL.format("b.aiff"), **job)
    shown = [first, further, again, wished, unknown, loose]
    assert [each["formats"] for each in shown] == [
        ["mp3"],
        ["aiff"],
        ["mp3"],
        ["ogg"],
        ["mp3"],
        ["mp3"],
    ]
    *same, last = await tracks(site, **job)
    assert len(set(same)) == 1
    assert last not in same
    await site.call("upload", url=URL.format("a.aiff"), **other)
    (elsewhere,) = await tracks(site, **other)
    assert elsewhere not in same


async def test_a_further_upload_to_an_upload(site: Site) -> None:
    job = await site.call("createJob")
    first = await site.call("upload", url=URL.format("a.wav"), formats="mp3,flac", **job)
    number = first["upload_id"]
    update = await site.call("upload", url=URL.format("other.wav"), upload_id=number)
    assert update == {
        "result": "uploaded",
        "update_to": number,
        "update_id": update["update_id"],
    }
    assert update["update_id"] != number
    assert len(set(await tracks(site, **job))) == 1
    changed = await site.call("setFormats", upload_id=update["update_id"], formats="mp3,flac")
    assert changed["track"]["meta"]["Title"] == "other"
    assert len(await tracks(site, **job)) == 2


async def test_a_long_list_in_parts(site: Site) -> None:
    job = await site.call("createJob")
    for name in "abc":
        await site.call("upload", url=URL.format(f"{name}.wav"), **job)
    everything = await tracks(site, **job)
    assert len(everything) == 3
    rest = await site.call("list", offset=2, **job)
    assert (rest["total"], [each["track_id"] for each in rest["tracks"]]) == (3, everything[2:])


async def test_immediate_publishes_this_upload_only(site: Site) -> None:
    job = await site.call("createJob")
    await site.call("upload", url=URL.format("a.wav"), **job)
    new = await site.call("upload", url=URL.format("b.wav"), immediate="1", **job)
    assert new["status"] == "queued"
    assert await site.call("checkJob", **job) == {"q": 1}
    assert (await site.call("publish", **job))["queued"] == 2


async def test_autopublish_waits_until_nothing_more_comes(site: Site) -> None:
    job, due = await site.call("createJob"), site.core.use_cases.publish_jobs.run_due
    before = datetime.now(UTC)
    await site.call("upload", url=URL.format("a.wav"), autopublish="1", **job)
    first = (await the_job(site)).run_at
    assert first is not None
    assert first >= before + timedelta(minutes=10)
    await site.call("upload", url=URL.format("b.wav"), autopublish="1", **job)
    second = (await the_job(site)).run_at
    assert second is not None
    assert second > first
    await site.call("upload", url=URL.format("c.wav"), **job)
    assert (await the_job(site)).run_at == second
    assert await due(10) == 0
    assert await site.call("checkJob", **job) == {}
    passed = update(publish_jobs).values(run_at=before)
    await site.core.use_cases.executor.write(lambda t: t.connection.execute(passed))
    assert await due(10) == 1
    assert await site.call("checkJob", **job) == {"q": 3}
    assert (await the_job(site)).run_at is None
    assert await due(10) == 0


async def test_autopublish_publishes_when_there_is_enough(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish_job_rows, "MAX_QUEUED", 2)
    job, due = await site.call("createJob"), site.core.use_cases.publish_jobs.run_due
    await site.call("upload", url=URL.format("a.wav"), autopublish="1", **job)
    assert await due(10) == 0
    await site.call("upload", url=URL.format("b.wav"), autopublish="1", **job)
    assert await due(10) == 1
    assert await site.call("checkJob", **job) == {"q": 2}


async def test_publish_leaves_nothing_to_be_published_by_itself(site: Site) -> None:
    job = await site.call("createJob")
    await site.call("upload", url=URL.format("a.wav"), autopublish="1", **job)
    await site.call("publish", **job)
    assert (await the_job(site)).run_at is None
