"""Masters to import: small ones for many tasks, large ones for time to break things in."""

from __future__ import annotations

import asyncio
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from cli.demo.master import Spec, write_master
from tests.support.media import eac3, mp4
from tests.support.origin import Exchange

if TYPE_CHECKING:
    from tests.support.origin import Reply

_PIECES_PER_SECOND = 20


@cache
def small(frames: int = 40) -> bytes:
    """An Atmos master of some kilobytes that is accepted within moments."""
    return mp4.plain(mp4.Track(frames=eac3.joc_frames(frames), config=mp4.dec3()))


@cache
def large(seconds: int) -> bytes:
    """An Atmos master that takes 2 MB, and some time to inspect, for each of its seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "master.wav")
        write_master(path, Spec(seconds=seconds))
        return path.read_bytes()


class _SlowExchange(Exchange):
    """An exchange whose body goes out in small pieces."""

    bytes_per_second = 0

    async def body(self, data: bytes) -> None:
        piece = max(1, self.bytes_per_second // _PIECES_PER_SECOND)
        for at in range(0, len(data), piece):
            await super().body(data[at : at + piece])
            await asyncio.sleep(1 / _PIECES_PER_SECOND)


def throttled(reply: Reply, bytes_per_second: int) -> Reply:
    """Send what another reply sends, but the body at this rate."""

    async def slowly(exchange: Exchange) -> None:
        slow = _SlowExchange(exchange.request, exchange.writer, exchange.keep_alive)
        slow.bytes_per_second = bytes_per_second
        try:
            await reply(slow)
        finally:
            exchange.sent, exchange.length = slow.sent, slow.length

    return slowly
