"""A real server over the real use cases, and a client that speaks JSON:API to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession

from services.api.domain.principal import SCOPES
from services.api.http.server import make_app, serve
from tests.support.jsonapi import Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.core import Core


async def _ready() -> bool:
    return True


@pytest.fixture
async def address(core: Core) -> AsyncIterator[str]:
    """Where the server listens; its links start with https://domain.com."""
    app = make_app(core.use_cases, public_url="https://domain.com", ready=_ready)
    runner, port = await serve(app, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


@pytest.fixture
async def client(core: Core, address: str) -> AsyncIterator[Client]:
    """A client of the tenant ``default`` that may do everything."""
    token = await core.use_cases.tokens.issue("default", "test", SCOPES)
    async with ClientSession(address) as session:
        yield Client(session, token)
