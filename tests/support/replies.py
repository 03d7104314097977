"""What an origin answers: well and badly."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.origin import Exchange, Gate, Reply

PIECE = 64 * 1024


def file(
    body: bytes,
    *,
    etag: str = '"v1"',
    ranges: bool = True,
    cut_at: int | None = None,
    gate: Gate | None = None,
    gate_at: int = 0,
    **headers: Any,
) -> Reply:
    """Serve a file, by ranges if asked and if the If-Range fits.

    ``cut_at`` drops the connection at that offset of the file, ``gate`` waits at ``gate_at``; an
    empty ``etag`` sends none.
    """

    async def reply(exchange: Exchange) -> None:
        start = _start(exchange, etag) if ranges else 0
        rest = body[start:]
        fields = dict(headers) | ({"ETag": etag} if etag else {})
        if start and not rest:
            await exchange.head(416, Content_Range=f"bytes */{len(body)}", Content_Length=0)
            return
        if start:
            fields["Content_Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        await exchange.head(206 if start else 200, Content_Length=len(rest), **fields)
        end = len(body) if cut_at is None else cut_at
        if gate is not None and gate_at >= start:
            await _send(exchange, body[start:gate_at])
            await gate.pass_through()
            start = gate_at
        await _send(exchange, body[start:end])
        if end < len(body):
            exchange.cut()

    return reply


def answer(status: int, body: bytes = b"", **headers: Any) -> Reply:
    """Answer a status with exactly these fields, and the body's length if none is given."""

    async def reply(exchange: Exchange) -> None:
        await exchange.head(status, **({"Content_Length": len(body)} | headers))
        await exchange.body(body)

    return reply


def redirect(location: str, status: int = 302) -> Reply:
    """Send the client elsewhere."""
    return answer(status, Location=location)


def unsized(body: bytes, *, cut: bool = False, **headers: Any) -> Reply:
    """Serve a file that ends where the connection does; ``cut`` omits the TLS goodbye."""

    async def reply(exchange: Exchange) -> None:
        await exchange.head(200, **headers)
        await _send(exchange, body)
        if cut:
            exchange.cut()

    return reply


def chunked(body: bytes, *, complete: bool = True, **headers: Any) -> Reply:
    """Serve a file in chunks; without the last one it is not complete."""

    async def reply(exchange: Exchange) -> None:
        await exchange.head(200, Transfer_Encoding="chunked", **headers)
        for at in range(0, len(body), PIECE):
            piece = body[at : at + PIECE]
            await exchange.raw(b"%x\r\n" % len(piece))
            await exchange.body(piece)
            await exchange.raw(b"\r\n")
        if complete:
            await exchange.raw(b"0\r\n\r\n")
        else:
            exchange.cut()

    return reply


def endless(block: bytes, **headers: Any) -> Reply:
    """Send the same block until the client hangs up."""

    async def reply(exchange: Exchange) -> None:
        await exchange.head(200, **headers)
        while not exchange.writer.transport.is_closing():
            await exchange.body(block)
            await asyncio.sleep(0)

    return reply


def drip(length: int, every_seconds: float) -> Reply:
    """Announce a length and send a byte at a time."""

    async def reply(exchange: Exchange) -> None:
        await exchange.head(200, Content_Length=length)
        for _ in range(length):
            await exchange.body(b"x")
            await asyncio.sleep(every_seconds)

    return reply


def raw(data: bytes, *, repeat: bool = False, every_seconds: float = 0.0) -> Reply:
    """Send bytes as they are, once, or again and again until the client hangs up."""

    async def reply(exchange: Exchange) -> None:
        await exchange.raw(data)
        while repeat and not exchange.writer.transport.is_closing():
            await asyncio.sleep(every_seconds)
            await exchange.raw(data)

    return reply


def silent(gate: Gate) -> Reply:
    """Say nothing at all until the gate opens."""

    async def reply(_: Exchange) -> None:
        await gate.pass_through()

    return reply


def hang_up() -> Reply:
    """Drop the connection instead of an answer."""

    async def reply(exchange: Exchange) -> None:
        exchange.cut()

    return reply


def reset(head: bytes, body: bytes = b"") -> Reply:
    """Send a head and a body as they are, then reset the connection (TCP RST)."""

    async def reply(exchange: Exchange) -> None:
        await exchange.raw(head)
        await exchange.body(body)
        # Python closes a socket that lingers for 0 seconds by a reset.
        linger = struct.pack("ii", 1, 0)
        exchange.writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, linger
        )
        exchange.cut()

    return reply


def _start(exchange: Exchange, etag: str) -> int:
    asked = re.fullmatch(r"bytes=(\d+)-", exchange.request.headers.get("range", ""))
    fits = exchange.request.headers.get("if-range") in {None, etag}
    return int(asked[1]) if asked and fits else 0


async def _send(exchange: Exchange, body: bytes) -> None:
    for at in range(0, len(body), PIECE):
        await exchange.body(body[at : at + PIECE])
