"""A real server over the real use cases, and a client that speaks JSON:API to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.api.domain.principal import SCOPES
from services.api.http.server import make_app
from tests.support.jsonapi import Client, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.core import Core


async def _ready() -> bool:
    return True


@pytest.fixture
async def client(core: Core) -> AsyncIterator[Client]:
    """A client of the tenant ``default`` that may do everything."""
    app = make_app(core.use_cases, public_url="https://domain.com", ready=_ready)
    token = await core.use_cases.tokens.issue("default", "test", SCOPES)
    async with serving(app) as session:
        yield Client(session, token)
