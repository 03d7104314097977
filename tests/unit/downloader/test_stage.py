"""However a run ends, nothing stays but what was stored; and no work is taken without room."""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.downloader.app import keep_free_bytes
from services.downloader.stage import NO_SPACE_WAIT
from shared.blobs.local import LocalStore
from shared.stage.job import Released
from tests.support import replies
from tests.support.downloads import BODY, MD5, PATH, code
from tests.support.origin import Gate, Origin
from tests.support.tmpfs import small_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.stage.job import Outcome
    from tests.support.downloads import Bench
    from tests.support.origin import Reply

OURS = {"download", "range", "hash"}


@pytest.fixture
def _nothing_left(bench: Bench) -> Iterator[None]:
    """No part, note, folder, thread or place in a gate stays."""
    yield
    assert list(bench.folder.rglob("*")) == []
    assert not {thread.name for thread in threading.enumerate()} & OURS
    assert bench.tenants.keys() == bench.hosts.keys() == frozenset()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.usefixtures("_nothing_left")
@pytest.mark.parametrize(
    ("reply", "md5", "expected"),
    [
        (replies.answer(404), "", "refused http_status"),
        (replies.answer(500), "", "failed origin_error"),
        (replies.file(BODY, cut_at=1_000_000, etag=""), "", "failed truncated"),
        (replies.unsized(BODY), "", "failed truncated"),
        (replies.chunked(BODY, complete=False), "", "failed truncated"),
        (replies.file(BODY), "0" * 32, "refused md5_mismatch"),
        (replies.file(b"<html>" + BODY), "", "refused source_is_html"),
        (replies.endless(bytes(1_000_000)), "", "refused too_large"),
        (replies.answer(200, BODY, Content_Encoding="br"), "", "refused unsupported_encoding"),
        (replies.hang_up(), "", "failed origin_unreachable"),
    ],
)
async def test_every_failure_leaves_nothing(
    bench: Bench, reply: Reply, md5: str, expected: str
) -> None:
    before = descriptors()
    async with Origin() as origin:
        assert code(await bench.run(origin.serve(PATH, reply), md5)) == expected
    assert descriptors() == before


@pytest.mark.usefixtures("_nothing_left")
@pytest.mark.parametrize("at", [0, 1, 2_000_000])
async def test_a_cancel_leaves_nothing(bench: Bench, origin: Origin, at: int) -> None:
    gate = Gate()
    run = asyncio.create_task(
        bench.run(origin.serve(PATH, replies.file(BODY, gate=gate, gate_at=at)))
    )
    await gate.reached()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(run, 2)


@pytest.mark.usefixtures("_nothing_left")
async def test_a_cancel_at_the_very_end_leaves_nothing(
    bench: Bench, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed, go_on = threading.Event(), threading.Event()
    real = os.rename

    def rename(path: str, target: str) -> None:
        real(path, target)
        renamed.set()
        go_on.wait(5)

    monkeypatch.setattr(os, "rename", rename)
    run = asyncio.create_task(bench.run(origin.serve(PATH, replies.file(BODY))))
    await asyncio.to_thread(renamed.wait, 5)
    run.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await run


@pytest.mark.usefixtures("_nothing_left")
async def test_what_is_here_already_does_not_save_a_run_without_an_origin(
    bench: Bench, origin: Origin
) -> None:
    url = origin.serve(PATH, replies.file(BODY, cut_at=1_000_000), replies.hang_up())
    assert code(await bench.run(url)) == "failed origin_unreachable"
    assert len(origin.requests) == 1 + bench.limits.fruitless_attempts - 1


async def test_a_stored_run_leaves_its_blob_alone(bench: Bench, origin: Origin) -> None:
    outcome = await bench.run(origin.serve(PATH, replies.file(BODY)), MD5)
    assert bench.stored(outcome) == BODY
    assert len(bench.files()) == 1


async def test_no_room_for_what_is_announced(bench: Bench, origin: Origin, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2_000_000) as disk:
        bench.store = LocalStore(disk.blobs)
        url = origin.serve(PATH, replies.file(BODY))
        outcome = await bench.run(url)
        assert outcome == Released(reason="no_space", retry_after=NO_SPACE_WAIT)
        assert bench.progress == []  # known before the first byte
        assert disk.files() == []


async def test_the_disk_fills_up_under_way(bench: Bench, origin: Origin, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2_000_000) as disk:
        bench.store = LocalStore(disk.blobs)
        outcome = await bench.run(origin.serve(PATH, replies.chunked(BODY)))
        assert outcome == Released(reason="no_space", retry_after=NO_SPACE_WAIT)
        assert disk.files() == []


async def test_no_work_without_room(bench: Bench, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4_000_000) as disk:
        bench.store = LocalStore(disk.blobs)
        bench.keep_free_bytes = 1_000_000
        with bench.stage() as stage:
            assert await stage.ready()
            disk.fill()
            assert not await stage.ready()
            disk.make_room()
            assert await stage.ready()
        bench.keep_free_bytes = 5_000_000
        with bench.stage() as stage:
            assert not await stage.ready()


async def test_what_a_run_still_needs_is_not_given_away(
    bench: Bench, origin: Origin, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 4_000_000) as disk:
        bench.store = LocalStore(disk.blobs)
        bench.keep_free_bytes = 2_000_000
        gate = Gate()
        url = origin.serve(PATH, replies.file(BODY, gate=gate, gate_at=10_000))
        run = asyncio.create_task(bench.run(url))
        await gate.reached()
        with bench.stage() as stage:
            while not bench.progress:  # noqa: ASYNC110 - a thread has no event
                await asyncio.sleep(0.005)
            assert not await stage.ready()  # 10 kB are written, 3 MB are spoken for
            gate.open()
            await run


def test_a_small_disk_keeps_a_tenth_free(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 10 * 1024**2) as disk:
        url = (disk.root / "not/yet").as_uri()
        assert keep_free_bytes(url, 10**9) == 1024**2
        assert keep_free_bytes(url, 1000) == 1000
    assert keep_free_bytes("s3://bucket/prefix", 10**9) == 0


def _announced(body: bytes) -> Reply:
    return replies.file(body)


@pytest.mark.usefixtures("_nothing_left")
@pytest.mark.parametrize("kind", [_announced, replies.chunked])
async def test_a_file_beyond_the_quota(
    bench: Bench, origin: Origin, kind: Callable[[bytes], Reply]
) -> None:
    url = origin.serve(PATH, kind(BODY))
    outcome: Outcome = await bench.run(url, max_bytes=len(BODY) - 1)
    assert code(outcome) == "refused quota_exceeded"
    assert len(origin.requests) == 1


async def test_a_file_that_just_fits_the_quota(bench: Bench, origin: Origin) -> None:
    bench.limits = replace(bench.limits, max_bytes=len(BODY))
    outcome = await bench.run(origin.serve(PATH, replies.file(BODY)), max_bytes=len(BODY))
    assert bench.stored(outcome) == BODY


async def test_headers_of_the_source_are_sent(bench: Bench, origin: Origin) -> None:
    url = origin.serve(PATH, replies.file(BODY, cut_at=1_000_000), replies.file(BODY))
    outcome = await bench.run(url, source_headers={"Authorization": "Bearer t"})
    assert bench.stored(outcome) == BODY
    assert [r.headers["authorization"] for r in origin.requests] == ["Bearer t"] * 2
