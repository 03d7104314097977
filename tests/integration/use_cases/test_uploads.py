"""Uploads and what import tasks make of them: their bytes, their counts, their end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import update

from services.api.db import named_rows, storage_rows
from services.api.db.tables import uploads as uploads_table
from services.api.domain.changes import NewTask
from services.api.domain.errors import (
    InUse,
    InvalidFields,
    NotFound,
    QuotaExceeded,
    RelatedNotFound,
    ScopeMissing,
    StateConflict,
)
from services.api.domain.lifecycle import Stage, Status
from services.api.domain.outcomes import Accepted, Refused, error
from services.api.domain.queries import TaskQuery
from services.api.domain.storage import Caps
from services.api.domain.task import DOLBY_ATMOS, Target
from services.api.domain.uploads import UploadState
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.options import Options
from services.api.use_cases.upload_fields import UploadFields
from shared.blobs.local import LocalStore
from tests.support.core import FORMAT, a_principal, open_core
from tests.support.uploading import FILE, FILE_MD5, blobs, bring, expect, stored_upload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from services.api.domain.task import Task
    from services.api.domain.uploads import Upload
    from tests.support.core import Core

WHO, STRANGER = a_principal(), a_principal("other")
WRONG = error("x", "y")
ISRC = "USRC12345678"


@pytest.fixture
async def any_core(database_url: str, tmp_path: Path) -> AsyncIterator[Core]:
    """The use cases with a folder for bytes, once on SQLite and once on PostgreSQL."""
    async with open_core(database_url, store=LocalStore(tmp_path / "blobs")) as opened:
        yield opened


async def import_(core: Core, upload: Upload, **fields: Any) -> Task:
    wanted = TaskFields(source_upload=upload.id, **fields)
    return await core.use_cases.import_tasks.create(WHO, wanted)


async def accept(core: Core, task: Task) -> Task:
    run = await core.claim(task.id, Stage.VALIDATE, task.generation)
    accepted = Accepted(md5=FILE_MD5, size_bytes=len(FILE), format=FORMAT)
    assert await core.use_cases.runs.report(task.id, run, accepted)
    return await core.use_cases.import_tasks.get(WHO, task.id)


async def refuse(core: Core, task: Task) -> Task:
    run = await core.claim(task.id, Stage.VALIDATE, task.generation)
    assert await core.use_cases.runs.report(task.id, run, Refused(problems=(WRONG,)))
    return await core.use_cases.import_tasks.get(WHO, task.id)


async def stored(core: Core) -> int:
    return await core.use_cases.executor.read(
        lambda c: storage_rows.find(c, "default", Caps()).stored
    )


async def now(core: Core, upload: Upload) -> Upload:
    return await core.use_cases.uploads.get(WHO, upload.id)


async def expire(core: Core, upload: Upload) -> None:
    past = upload.created_at - timedelta(seconds=1)
    changed = update(uploads_table).where(uploads_table.c.id == upload.id).values(expires_at=past)
    await core.use_cases.executor.write(lambda t: t.connection.execute(changed))


async def kept(core: Core) -> set[str]:
    """The keys that are in the store once all that is doomed has been deleted."""
    store = core.use_cases.receiving.store
    for key in await core.use_cases.blobs.doomed(100):
        await store.delete(key)
    return {*await blobs(store)}


async def test_an_uploaded_master_begins_as_downloaded(any_core: Core) -> None:
    upload = await stored_upload(any_core)
    task = await import_(any_core, upload, isrc=ISRC)
    assert (task.status, task.generation, task.attempts) == (Status.DOWNLOADED, 1, 0)
    assert (task.master, task.source_upload_id) == (upload.master, upload.id)
    due = await any_core.use_cases.dispatch.due(10)
    assert [(each.task_id, each.stage) for each in due] == [(task.id, Stage.VALIDATE)]
    done = await accept(any_core, task)
    assert done.status is Status.COMPLETED
    assert done.record_id is not None
    record = await any_core.use_cases.records.get(WHO, done.record_id)
    assert record.master == upload.master
    after = await now(any_core, upload)
    assert (after.state, after.master) == (UploadState.IMPORTED, None)


async def test_bytes_count_once(any_core: Core) -> None:
    upload = await stored_upload(any_core)
    assert await stored(any_core) == len(FILE)
    task = await import_(any_core, upload)
    assert await stored(any_core) == len(FILE)
    await accept(any_core, task)
    assert await stored(any_core) == len(FILE)
    await any_core.use_cases.uploads.delete(WHO, upload.id)
    assert await stored(any_core) == len(FILE)
    assert len(await kept(any_core)) == 1
    await any_core.use_cases.import_tasks.delete(WHO, task.id)
    assert await stored(any_core) == 0
    assert not await kept(any_core)


async def test_a_failed_import_can_be_tried_again(any_core: Core) -> None:
    upload = await stored_upload(any_core)
    failed = await refuse(any_core, await import_(any_core, upload))
    assert failed.status is Status.VALIDATION_FAILED
    assert len(await kept(any_core)) == 1
    again = await any_core.use_cases.import_tasks.retry(WHO, failed.id)
    assert (again.status, again.generation) == (Status.DOWNLOADED, 2)
    assert again.master == upload.master
    assert (await accept(any_core, again)).status is Status.COMPLETED
    assert await stored(any_core) == len(FILE)
    with pytest.raises(StateConflict, match="Only a failed import"):
        await any_core.use_cases.import_tasks.retry(WHO, failed.id)


async def test_without_its_bytes_it_cannot(any_core: Core) -> None:
    upload = await stored_upload(any_core)
    failed = await refuse(any_core, await import_(any_core, upload))
    await any_core.use_cases.uploads.delete(WHO, upload.id)
    assert not await kept(any_core)
    assert await stored(any_core) == 0
    with pytest.raises(StateConflict, match="bytes are gone"):
        await any_core.use_cases.import_tasks.retry(WHO, failed.id)


async def test_a_source_takes_the_place_of_an_upload(any_core: Core) -> None:
    upload = await stored_upload(any_core)
    task = await import_(any_core, upload)
    change = TaskFields(source_uri="https://cdn.example.com/v2.wav")
    after = await any_core.use_cases.import_tasks.update(WHO, task.id, change)
    assert (after.status, after.generation, after.source_upload_id) == (Status.PENDING, 2, None)
    assert len(await kept(any_core)) == 1
    other = await import_(any_core, upload)
    assert other.master == upload.master


async def test_a_deleted_import_leaves_its_upload(any_core: Core) -> None:
    upload = await stored_upload(any_core)
    task = await import_(any_core, upload)
    await any_core.use_cases.import_tasks.delete(WHO, task.id)
    assert len(await kept(any_core)) == 1
    assert (await import_(any_core, upload)).status is Status.DOWNLOADED


async def test_what_an_import_is_under_way_with_cannot_be_deleted(any_core: Core) -> None:
    upload = await stored_upload(any_core)
    await import_(any_core, upload)
    with pytest.raises(InUse):
        await any_core.use_cases.uploads.delete(WHO, upload.id)


async def test_what_cannot_be_imported(any_core: Core) -> None:
    waiting, taken = await expect(any_core), await stored_upload(any_core)
    await import_(any_core, taken)
    free = await stored_upload(any_core)
    wrong: list[tuple[Upload, dict[str, Any], str]] = [
        (waiting, {}, "source_upload"),
        (taken, {}, "source_upload"),
        (free, {"source_uri": "https://cdn.example.com/a.wav"}, "source_upload"),
        (free, {"declared_md5": "0" * 32}, "declared_md5"),
    ]
    for upload, fields, field in wrong:
        with pytest.raises(InvalidFields) as refused:
            await import_(any_core, upload, **fields)
        assert [each.field for each in refused.value.violations] == [field]
    with pytest.raises(RelatedNotFound):
        await any_core.use_cases.import_tasks.create(STRANGER, TaskFields(source_upload=free.id))
    assert (await import_(any_core, free, declared_md5=FILE_MD5)).declared_md5 == FILE_MD5


async def test_what_an_upload_does_not_allow_to_change(any_core: Core) -> None:
    tasks = any_core.use_cases.import_tasks
    task = await import_(any_core, await stored_upload(any_core))
    other = await stored_upload(any_core)
    for fields in (TaskFields(source_upload=other.id), TaskFields(declared_md5="0" * 32)):
        with pytest.raises(InvalidFields):
            await tasks.update(WHO, task.id, fields, required=("source_uri",))
    proven = TaskFields(source_upload=task.source_upload_id, declared_md5=FILE_MD5)
    after = await tasks.update(WHO, task.id, proven, required=("source_uri",))
    assert (after.generation, after.status) == (1, Status.DOWNLOADED)


async def test_the_import_that_was_wished_for(any_core: Core) -> None:
    track = await any_core.track()
    wish = NewTask(master_type=DOLBY_ATMOS, isrc=ISRC, target=Target("tracks", track.id))
    upload = await bring(any_core, await expect(any_core, task=wish))
    tasks = any_core.use_cases.import_tasks
    [task] = (await tasks.list(WHO, TaskQuery())).items
    assert (task.status, task.source_upload_id) == (Status.DOWNLOADED, upload.id)
    assert (task.isrc, task.target) == (ISRC, wish.target)


async def test_an_import_that_cannot_be_made_refuses_the_file(any_core: Core) -> None:
    wish = NewTask(master_type=DOLBY_ATMOS, target=Target("tracks", UUID(int=7)))
    upload = await expect(any_core, task=wish)
    with pytest.raises(RelatedNotFound):
        await bring(any_core, upload)
    assert await now(any_core, upload) == upload
    assert not await kept(any_core)
    assert await stored(any_core) == 0


async def test_who_may_make_no_import_cannot_wish_for_one(any_core: Core) -> None:
    fields = UploadFields(task=NewTask(master_type=DOLBY_ATMOS))
    with pytest.raises(ScopeMissing):
        await any_core.use_cases.uploads.create(a_principal("default", "uploads:write"), fields)


async def test_the_last_room_goes_to_one(database_url: str, tmp_path: Path) -> None:
    caps, store = Caps(stored_bytes=len(FILE)), LocalStore(tmp_path / "blobs")
    async with open_core(database_url, store=store, caps=caps) as core:
        both = [await expect(core) for _ in range(2)]
        ended = await asyncio.gather(*(bring(core, each) for each in both), return_exceptions=True)
        assert sorted(type(each).__name__ for each in ended) == ["QuotaExceeded", "Upload"]
        assert await stored(core) == len(FILE)
        assert len(await kept(core)) == 1
        with pytest.raises(QuotaExceeded):
            await expect(core)


async def test_what_has_expired_goes_with_its_bytes(any_core: Core) -> None:
    waiting, unused, failed, running, done = [
        await (expect(any_core) if i == 0 else stored_upload(any_core)) for i in range(5)
    ]
    fresh = await stored_upload(any_core)
    await refuse(any_core, await import_(any_core, failed))
    task = await import_(any_core, running)
    record = await accept(any_core, await import_(any_core, done, isrc=ISRC))
    for each in (waiting, unused, failed, running, done):
        await expire(any_core, each)
    pruned = await any_core.use_cases.retention.prune()
    assert pruned["uploads"] == 4
    for each in (waiting, unused, failed, done):
        with pytest.raises(NotFound):
            await now(any_core, each)
    needed = [each.master for each in (fresh, running, done)]
    assert await kept(any_core) == {each.blob_key for each in needed if each is not None}
    assert (await accept(any_core, task)).status is Status.COMPLETED
    assert await stored(any_core) == 3 * len(FILE)
    await any_core.use_cases.retention.prune()
    assert await kept(any_core) == {each.blob_key for each in needed if each is not None}
    assert record.record_id is not None


async def test_a_scrub_knows_what_is_waited_for(any_core: Core) -> None:
    waiting, there = await expect(any_core), await stored_upload(any_core)
    assert there.master is not None
    keys = [waiting.drop_key, waiting.key(UUID(int=1)), there.master.blob_key]
    strange = [there.key(UUID(int=1)), f"default/{UUID(int=1)}/1/{UUID(int=2)}", "x", "x/y"]
    assert await any_core.use_cases.blobs.unknown(keys + strange) == {*strange}


async def test_a_backup_has_the_bytes_of_uploads(any_core: Core) -> None:
    upload = await stored_upload(any_core)
    await expect(any_core)
    assert upload.master is not None
    named = await any_core.use_cases.executor.read(
        lambda c: named_rows.page_of_uploads(c, "default", None)
    )
    assert [(each.name, each.key, each.size, each.md5) for each in named] == [
        (f"uploads/{upload.id}", upload.master.blob_key, len(FILE), FILE_MD5)
    ]


async def test_the_same_request_is_one_upload(any_core: Core) -> None:
    uploads, options = any_core.use_cases.uploads, Options(key="a")
    wish = NewTask(master_type=DOLBY_ATMOS, isrc=ISRC)
    fields = UploadFields(file_name="a.wav", declared_size=7, task=wish)
    first, again = [await uploads.create(WHO, fields, options=options) for _ in range(2)]
    assert first == again
    assert replace(first, task=None) != first


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"kind": "x"}, "kind"),
        ({"file_name": "a\nb"}, "file_name"),
        ({"file_name": "a" * 256}, "file_name"),
        ({"content_type": 7}, "content_type"),
        ({"size_limit": -1}, "size_limit"),
        ({"size_limit": 64 * 1024**3 + 1}, "size_limit"),
        ({"size_limit": 9, "declared_size": 10}, "declared_size"),
        ({"declared_size": True}, "declared_size"),
        ({"declared_md5": "x"}, "declared_md5"),
        ({"ttl": 59}, "ttl"),
        ({"ttl": 7 * 24 * 3600 + 1}, "ttl"),
        ({"ttl": "60"}, "ttl"),
    ],
)
async def test_what_an_upload_cannot_be(
    sqlite_url: str, fields: dict[str, Any], wrong: str
) -> None:
    async with open_core(sqlite_url) as core:
        with pytest.raises(InvalidFields) as refused:
            await expect(core, **fields)
        assert [each.field for each in refused.value.violations] == [wrong]
