"""An origin's answers to requests for ranges with an end: well and badly."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.support.replies import PIECE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.support.origin import Exchange, Reply

    Spoil = Callable[[Exchange, int, int], Awaitable[bool]]


def asked_range(exchange: Exchange) -> tuple[int, int | None] | None:
    """Return the first and last byte that a request asks for."""
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", exchange.request.headers.get("range", ""))
    return (int(asked[1]), int(asked[2]) if asked[2] else None) if asked else None


def ranged(body: bytes, *, spoil: Spoil | None = None, **headers: Any) -> Reply:
    """Serve a file by any range. ``spoil`` may answer one itself: True if it did."""

    async def reply(exchange: Exchange) -> None:
        first, last = asked_range(exchange) or (0, None)
        end = len(body) if last is None else last + 1
        fields: dict[str, Any] = {"Content_Length": end - first, "Accept_Ranges": "bytes"}
        fields |= {"ETag": '"v1"'} | headers
        if "range" not in exchange.request.headers:
            await exchange.head(200, **fields)
        elif spoil is not None and await spoil(exchange, first, end):
            return
        else:
            fields["Content_Range"] = f"bytes {first}-{end - 1}/{len(body)}"
            await exchange.head(206, **fields)
        for at in range(first, end, PIECE):
            await exchange.body(body[at : min(at + PIECE, end)])

    return reply


def once(spoil: Spoil) -> Spoil:
    """Spoil one range only."""
    done: list[int] = []

    async def first_only(exchange: Exchange, first: int, end: int) -> bool:
        if done:
            return False
        done.append(first)
        return await spoil(exchange, first, end)

    return first_only
