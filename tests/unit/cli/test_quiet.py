"""What libraries tell themselves is not shown to who types a command."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Stagedoor

SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
# RFC 9113 §6.8: the last stream that counted, and the error INTERNAL_ERROR.
GOAWAY = bytes([0, 0, 8, 7, 0, 0, 0, 0, 0]) + (0).to_bytes(4, "big") + (2).to_bytes(4, "big")


async def test_a_server_that_goes_away_is_not_told_of(alone: Stagedoor) -> None:
    again = asyncio.Event()
    connections = 0

    async def go_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        if connections > 1:
            again.set()
        await reader.read(1)
        writer.write(SETTINGS + GOAWAY)
        writer.close()

    server = await asyncio.start_server(go_away, "127.0.0.1", 0)
    async with server, asyncio.timeout(30):
        host, port = server.sockets[0].getsockname()
        known = {"STAGEDOOR_SERVER": f"{host}:{port}", "STAGEDOOR_TOKEN": "sd_x"}
        process = await alone.start("tasks", "watch", environ=known)
        await again.wait()  # it heard the first one out
        process.send_signal(signal.SIGINT)
        result = await alone.end_of(process)
    assert (result.code, result.err) == (130, [])
