"""A real server, by its port, and a token for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.api.domain.principal import SCOPES
from services.api.http.server import make_app, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

    from tests.support.core import Core


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
