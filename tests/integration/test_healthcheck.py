"""What containers ask the API, against a real gRPC server."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import pytest

from services.api.grpc.server import serve
from services.api.healthcheck import target

if TYPE_CHECKING:
    from tests.support.core import Core


@pytest.mark.parametrize(
    ("listen", "reached"),
    [
        ("0.0.0.0:50051", "127.0.0.1:50051"),
        ("[::]:50051", "[::1]:50051"),
        (":50051", "127.0.0.1:50051"),
        ("10.1.2.3:1", "10.1.2.3:1"),
        ("[::1]:50051", "[::1]:50051"),
    ],
)
def test_it_asks_where_the_api_listens(listen: str, reached: str) -> None:
    assert target(listen) == reached


async def _exit_code(port: int) -> int:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.api.healthcheck"),
        env={**os.environ, "STAGEDOOR_GRPC_LISTEN": f"127.0.0.1:{port}"},
    )
    return await process.wait()


async def test_it_tells_ready_from_not_ready_from_gone(core: Core) -> None:
    server = await serve(core.use_cases, "127.0.0.1:0")
    assert await _exit_code(server.port) == 1
    await server.set_ready(ready=True)
    assert await _exit_code(server.port) == 0
    await server.stop(0)
    assert await _exit_code(server.port) == 1
