"""Bytes, hash and errors on their way through the writer."""

from __future__ import annotations

import hashlib
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from services.downloader import hashing
from services.downloader.hashing import BLOCK_BYTES, INLINE_BYTES, RING_BLOCKS, HashingWriter
from shared.blobs.base import NoSpace
from shared.blobs.local import LocalStore

if TYPE_CHECKING:
    from pathlib import Path

BLOCKS = [bytes([n % 256]) * size for n, size in enumerate([1, 65_536, 0, BLOCK_BYTES, 7] * 9)]


class Full:
    """A sink that takes so many bytes and no more."""

    def __init__(self, room: int = 10**9) -> None:
        self.offset = 0
        self.room = room
        self.notes: list[bytes] = []

    def reserve(self, size: int) -> None:
        if size > self.room:
            raise NoSpace

    def write(self, data: bytes | memoryview) -> None:
        self.reserve(self.offset + len(data))
        self.offset += len(data)

    def restart(self) -> None:
        self.offset = 0

    def note(self, text: bytes) -> None:
        self.notes.append(text)

    def commit(self) -> None:
        raise NotImplementedError


def put(writer: HashingWriter, data: bytes) -> None:
    block = writer.block()
    block[: len(data)] = data
    writer.write_block(block, len(data))


def hash_threads() -> int:
    return sum(thread.name == "hash" for thread in threading.enumerate())


def test_what_goes_in_is_stored_and_hashed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    with store.create("a/b") as sink, HashingWriter(sink) as writer:
        for _ in range(20):
            put(writer, b"thrown away" * 20_000)
        writer.restart()
        for block in BLOCKS:
            put(writer, block)
        digest = writer.digest()
        assert writer.offset == sink.offset == sum(map(len, BLOCKS))
        sink.commit()
    whole = b"".join(BLOCKS)
    assert (tmp_path / "a/b").read_bytes() == whole
    assert digest == hashlib.md5(whole, usedforsecurity=False).hexdigest()


def test_a_small_file_needs_no_second_thread() -> None:
    before = hash_threads()
    with HashingWriter(Full()) as writer:
        for _ in range(INLINE_BYTES // BLOCK_BYTES):
            put(writer, bytes(BLOCK_BYTES))
        assert hash_threads() == before
        put(writer, b"1")
        assert hash_threads() == before + 1
    assert hash_threads() == before


def test_errors_of_the_sink_come_out_and_no_thread_stays() -> None:
    before = hash_threads()
    with HashingWriter(Full(INLINE_BYTES + BLOCK_BYTES)) as writer:
        for _ in range(INLINE_BYTES // BLOCK_BYTES + 1):
            put(writer, bytes(BLOCK_BYTES))
        assert hash_threads() == before + 1
        with pytest.raises(NoSpace):
            put(writer, b"1")
    assert hash_threads() == before


def test_memory_goes_round() -> None:
    release, going = threading.Event(), threading.Event()

    def hold() -> None:
        going.set()
        release.wait(10)

    with HashingWriter(Full()) as writer:
        writer.write(memoryview(bytes(INLINE_BYTES + 1)), hold)
        assert going.wait(5)  # the hash stands still from here on
        seen = set()
        for _ in range(RING_BLOCKS):
            block = writer.block()
            seen.add(id(block.obj))
            writer.write_block(block, BLOCK_BYTES)
        waiting = threading.Thread(target=lambda: seen.add(id(writer.block().obj)), daemon=True)
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive()  # full: whoever brings more has to wait
        release.set()
        waiting.join(5)
        assert len(seen) == RING_BLOCKS


def test_memory_of_others_is_given_back_once_it_is_hashed() -> None:
    freed: list[int] = []
    with HashingWriter(Full()) as writer:
        for number in range(3):
            writer.write(memoryview(bytes(INLINE_BYTES)), partial(freed.append, number))
        digest = writer.digest()
    assert freed == [0, 1, 2]
    assert digest == hashlib.md5(bytes(3 * INLINE_BYTES), usedforsecurity=False).hexdigest()


def test_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "CHECKPOINT_BYTES", 3 * BLOCK_BYTES)
    with HashingWriter(Full()) as writer:
        offsets = []
        for number in range(10):
            put(writer, bytes([number]) * BLOCK_BYTES)
            writer.digest()
            offsets.append(writer.checkpoint.offset // BLOCK_BYTES)
        assert offsets == [0, 0, 3, 3, 3, 6, 6, 6, 9, 9]
        begin = b"".join(bytes([number]) * BLOCK_BYTES for number in range(9))
        expected = hashlib.md5(begin, usedforsecurity=False).hexdigest()
        assert writer.checkpoint.md5 == expected
        writer.restart()
        assert writer.checkpoint.offset == 0


def test_a_slow_file_is_checked_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "CHECKPOINT_SECONDS", 0.0)
    with HashingWriter(Full()) as writer:
        put(writer, b"slow")
        assert writer.checkpoint.offset == 4
