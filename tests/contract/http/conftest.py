"""A real server, by its port, and a token for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.api.domain.principal import SCOPES
from services.api.http.server import make_app, serve
from shared.blobs.local import LocalStore
from tests.support.links import open_shop, stored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from uuid import UUID

    from aiohttp import web

    from tests.support.core import Core
    from tests.support.links import Shop


async def _ready() -> bool:
    return True


@pytest.fixture
def app(core: Core) -> web.Application:
    """The application, not yet served."""
    return make_app(core.use_cases, public_url="https://domain.com", ready=_ready)


@pytest.fixture
async def port(app: web.Application) -> AsyncIterator[int]:
    """The port at which it is served."""
    runner, port = await serve(app, "127.0.0.1", 0)
    yield port
    await runner.cleanup()


@pytest.fixture
async def token(core: Core) -> str:
    """A token that may do everything."""
    return await core.use_cases.tokens.issue("default", "test", SCOPES)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A folder for bytes."""
    return LocalStore(tmp_path / "blobs")


@pytest.fixture
async def shop(sqlite_url: str, store: LocalStore) -> AsyncIterator[Shop]:
    """A server that gives out what is in the folder."""
    async with open_shop(sqlite_url, store) as opened:
        yield opened


@pytest.fixture
async def record(shop: Shop) -> UUID:
    """A record."""
    return await stored(shop.core)


@pytest.fixture
async def url(shop: Shop, record: UUID) -> str:
    """A link to it."""
    return (await shop.link(record)).url
