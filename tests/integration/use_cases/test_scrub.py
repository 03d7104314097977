"""Bytes that nothing names are deleted; others never, and nothing stands in the way for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from services.api.scrub import Scrub
from services.api.use_cases.import_tasks import TaskFields
from shared.blobs.base import BlobMissing
from shared.blobs.local import LocalStore
from tests.support.core import MD5, a_principal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.core import Core

WHO = a_principal()
NO_AGE = timedelta(0)
YOUNG = timedelta(hours=1)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "blobs")


async def _is_there(store: LocalStore, key: str) -> bool:
    return key in [info.key async for info in store.keys("")]


async def _put(store: LocalStore, key: str) -> str:
    with store.create(key) as sink:
        sink.write(b"bytes")
        sink.commit()
    return key


async def test_what_is_written_down_is_deleted_and_then_forgotten(
    core: Core, store: LocalStore
) -> None:
    task = await core.task()
    key = await _put(store, await core.store(task))
    scrub = Scrub(core.use_cases.blobs, store, core.signals)
    assert await scrub.delete_doomed() == 0
    await core.use_cases.import_tasks.delete(WHO, task.id)
    assert await scrub.delete_doomed() == 1
    with pytest.raises(BlobMissing):
        await store.size(key)
    assert await scrub.delete_doomed() == 0


async def test_a_key_that_is_none_does_not_stop_the_others(core: Core, store: LocalStore) -> None:
    doomed = []
    for isrc, key in (("USRC10000000", "../../outside"), ("USRC12345678", None)):
        task = await core.task(isrc)
        doomed.append(await core.store(task, key))
        await core.use_cases.import_tasks.delete(WHO, task.id)
    await _put(store, doomed[1])
    assert await Scrub(core.use_cases.blobs, store, core.signals).delete_doomed() == 2
    assert not await _is_there(store, doomed[1])


async def test_only_what_is_old_and_unknown_is_swept(core: Core, store: LocalStore) -> None:
    done = await core.complete(await core.task())
    assert done.master is not None
    needed = await _put(store, done.master.blob_key)
    await core.use_cases.import_tasks.update(WHO, done.id, TaskFields(declared_md5=MD5))
    orphan = await _put(store, "default/a/1/b")
    scrub = Scrub(core.use_cases.blobs, store, core.signals)
    assert await scrub.sweep(YOUNG) == 0
    assert await scrub.sweep(NO_AGE) == 1
    assert await _is_there(store, needed)
    assert not await _is_there(store, orphan)
