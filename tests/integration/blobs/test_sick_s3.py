"""What an object store must get right when its server does not."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.blobs.base import StoreUnavailable
from shared.blobs.objects import part_bytes
from tests.support.sick_s3 import Ill

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.blobs.conftest import SickStore

pytestmark = pytest.mark.long
KEY = "acme/0198/1/run-a"
MIB = 1024 * 1024
LARGE = 20 * MIB
BEGIN, PART_2, COMPLETE = "uploads", "partNumber=2", "POST /{bucket}/" + KEY + "?uploadId"
ANY = ""


def put(sick: SickStore, size: int) -> None:
    with sick.store.create(KEY) as sink:
        for start in range(0, size, MIB):
            sink.write(bytes(min(MIB, size - start)))
        sink.commit()


def uploading() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "upload"]


def assert_clean(sick: SickStore) -> None:
    assert sick.unfinished() == []
    assert sick.objects() == []


@pytest.mark.parametrize(
    ("what", "where", "size"),
    [
        (Ill.REFUSED, ANY, 5),
        (Ill.REFUSED, BEGIN, LARGE),
        (Ill.REFUSED, PART_2, LARGE),
        (Ill.REFUSED, COMPLETE, LARGE),
        (Ill.BROKEN, ANY, 5),
        (Ill.BROKEN, PART_2, LARGE),
        (Ill.BROKEN, COMPLETE, LARGE),
        (Ill.DROPPED, PART_2, LARGE),
        (Ill.HELD, PART_2, LARGE),
        (Ill.LOST, COMPLETE, LARGE),
        (Ill.LOST, "PUT", 5),
    ],
)
def test_what_fails_leaves_nothing(sick: SickStore, what: Ill, where: str, size: int) -> None:
    sick.sickness.catch(what, where.format(bucket=sick.bucket))
    with pytest.raises(StoreUnavailable):
        put(sick, size)
    assert sick.sickness.struck.is_set()
    if where != ANY:
        assert_clean(sick)
    assert uploading() == []


@pytest.mark.parametrize("what", [Ill.BROKEN, Ill.DROPPED, Ill.HELD])
def test_a_part_that_fails_once_is_sent_again(sick: SickStore, what: Ill) -> None:
    sick.sickness.catch(what, PART_2, times=1)
    put(sick, LARGE)
    assert sick.objects() == [KEY]
    assert sick.unfinished() == []


def test_parts_go_out_while_bytes_come_in(sick: SickStore) -> None:
    with sick.store.create(KEY) as sink:
        sink.write(bytes(16 * MIB))
        deadline = time.monotonic() + 10
        while not any(PART_2 in line for line in sick.sickness.seen):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert sick.objects() == []
        sink.restart()
        assert sick.unfinished() == []
        sink.write(b"other")
        sink.commit()
    assert sick.objects() == [KEY]


def test_leaving_in_the_middle_aborts_the_upload(sick: SickStore) -> None:
    def be_stopped() -> None:
        with sick.store.create(KEY) as sink:
            sink.write(bytes(LARGE))
            assert sick.unfinished() == [KEY]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        be_stopped()
    assert_clean(sick)
    assert uploading() == []


def test_leaving_does_not_wait_for_a_dead_server(
    sick: SickStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.blobs.upload._ABORT_SECONDS", 0.1)
    with sick.store.create(KEY) as sink:
        sick.sickness.catch(Ill.HELD, "partNumber")
        sink.write(bytes(9 * MIB))
        assert sick.sickness.struck.wait(10)
        sick.sickness.catch(Ill.HELD, ANY)
        began = time.monotonic()
    assert time.monotonic() - began < 1
    sick.sickness.what = None
    sick.sickness.well.set()
    for thread in uploading():
        thread.join(20)
    assert_clean(sick)


def test_a_write_after_a_failure_fails_and_a_restart_helps(sick: SickStore) -> None:
    with sick.store.create(KEY) as sink:
        sick.sickness.catch(Ill.REFUSED, PART_2)
        with pytest.raises(StoreUnavailable):
            sink.write(bytes(40 * MIB))
        with pytest.raises(StoreUnavailable):
            sink.write(bytes(8 * MIB))
        sick.sickness.what = None
        sink.restart()
        sink.write(bytes(9 * MIB))
        sink.commit()
    assert sick.objects() == [KEY]
    assert sick.unfinished() == []


def test_parts_grow_with_what_was_reserved(sick: SickStore) -> None:
    with sick.store.create(KEY) as sink:
        sink.reserve(90_001 * MIB)
        sink.write(bytes(20 * MIB))
        sink.commit()
    assert sum("partNumber" in line for line in sick.sickness.seen) == 2


@pytest.mark.parametrize(
    ("size", "mib"), [(0, 5), (50_000 * MIB, 5), (50_000 * MIB + 1, 6), (90_001 * MIB, 10)]
)
def test_no_upload_has_more_parts_than_stores_take(size: int, mib: int) -> None:
    assert part_bytes(size) == mib * MIB
    assert size <= 10_000 * part_bytes(size)


async def test_a_long_object_is_read_over_several_slow_answers(sick: SickStore) -> None:
    await asyncio.to_thread(put, sick, 2 * MIB)
    sick.sickness.catch(Ill.SLOW, "GET")  # slower than the client's patience for one answer
    async with sick.store.local_copy(KEY) as path:
        assert path.stat().st_size == 2 * MIB
    assert sum(line.startswith("GET") for line in sick.sickness.seen) > 1


async def test_a_copy_that_is_cancelled_leaves_nothing(sick: SickStore, tmp_path: Path) -> None:
    await asyncio.to_thread(put, sick, 9 * MIB)

    async def copy() -> None:
        async with sick.store.local_copy(KEY):
            pass

    sick.sickness.catch(Ill.SLOW, "GET")
    task = asyncio.create_task(copy())
    assert await asyncio.to_thread(sick.sickness.struck.wait, 10)
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_a_copy_goes_though_nobody_waits_for_its_end(sick: SickStore, tmp_path: Path) -> None:
    await asyncio.to_thread(put, sick, MIB)
    loop = asyncio.get_running_loop()
    busy, copied = threading.Event(), asyncio.Event()

    async def copy() -> None:
        async with sick.store.local_copy(KEY):
            loop.run_in_executor(None, busy.wait)
            copied.set()

    with ThreadPoolExecutor(1) as threads:
        loop.set_default_executor(threads)
        task = asyncio.create_task(copy())
        await copied.wait()  # and gone on to the removal, which no thread is free for
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        busy.set()
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("what", [Ill.REFUSED, Ill.BROKEN, Ill.DROPPED])
async def test_every_method_tells_that_the_store_is_away(sick: SickStore, what: Ill) -> None:
    sick.sickness.catch(what)
    with pytest.raises(StoreUnavailable):
        await sick.store.size(KEY)
    with pytest.raises(StoreUnavailable):
        await sick.store.delete(KEY)
    with pytest.raises(StoreUnavailable):
        assert [info async for info in sick.store.keys("acme")]
    with pytest.raises(StoreUnavailable):
        async with sick.store.local_copy(KEY):
            pass


async def test_a_link_is_for_one_object_and_for_a_while(sick: SickStore) -> None:
    lasting = timedelta(minutes=15)
    link = await sick.store.link(KEY, lasting=lasting, filename="song.wav")
    parts = urlsplit(link or "")
    told = parse_qs(parts.query)
    assert parts.path == f"/{sick.bucket}/{KEY}"
    assert told["X-Amz-Expires"] == ["900"]
    assert len(told["X-Amz-Signature"][0]) == 64
    assert "very-secret" not in parts.query
