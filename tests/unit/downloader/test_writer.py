"""Bytes, hash and errors on their way through the writer."""

from __future__ import annotations

import asyncio
import gc
import hashlib
from typing import TYPE_CHECKING

import pytest

from services.downloader.writer import BATCH_BYTES, HashingWriter
from shared.blobs.base import NoSpace
from shared.blobs.local import LocalStore

if TYPE_CHECKING:
    from pathlib import Path

    from shared.blobs.base import BlobSink

BLOCKS = [bytes([n % 256]) * size for n, size in enumerate([1, 65_536, 0, 2_500_000, 7] * 4)]


class Full:
    """A sink that takes one batch and no more."""

    offset = 0

    async def write(self, data: bytes) -> None:
        if self.offset:
            raise NoSpace
        self.offset += len(data)

    async def restart(self) -> None:
        self.offset = 0

    async def commit(self) -> None:
        raise NotImplementedError


async def test_what_goes_in_is_stored_and_hashed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    async with store.create("a/b") as sink, HashingWriter(sink) as writer:
        await writer.write(b"thrown away" * 200_000)
        await writer.restart()
        for block in BLOCKS:
            await writer.write(block)
        digest = await writer.flush()
        assert writer.offset == sink.offset == sum(map(len, BLOCKS))
        await sink.commit()
    whole = b"".join(BLOCKS)
    assert (tmp_path / "a/b").read_bytes() == whole
    assert digest == hashlib.md5(whole, usedforsecurity=False).hexdigest()


async def test_errors_of_the_sink_come_out() -> None:
    sink: BlobSink = Full()
    async with HashingWriter(sink) as writer:
        await writer.write(b"x" * BATCH_BYTES)
        await writer.write(b"x" * BATCH_BYTES)
        with pytest.raises(NoSpace):
            await writer.flush()


async def test_an_error_that_nobody_waited_for_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    async with HashingWriter(Full()) as writer:
        await writer.write(b"x" * BATCH_BYTES)
        await writer.write(b"x" * BATCH_BYTES)
    del writer
    gc.collect()
    assert caplog.records == []


async def test_leaving_waits_for_what_is_under_way() -> None:
    class Slow(Full):
        async def write(self, data: bytes) -> None:
            for _ in range(100):
                await asyncio.sleep(0)
            await super().write(data)

    sink = Slow()
    async with HashingWriter(sink) as writer:
        await writer.write(b"x" * BATCH_BYTES)
        assert sink.offset == 0
    assert sink.offset == BATCH_BYTES
