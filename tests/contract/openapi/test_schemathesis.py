"""A tool that nobody here wrote reads the description and tries to catch the server out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from services.api.domain.principal import SCOPES
from services.api.http.server import make_app
from tests.support.jsonapi import serving
from tests.support.openapi import findings

if TYPE_CHECKING:
    from tests.support.core import Core

EXAMPLES = 4


async def _ready() -> bool:
    return True


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_it_finds_nothing(core: Core, capsys: pytest.CaptureFixture[str]) -> None:
    app = make_app(core.use_cases, public_url=None, ready=_ready)
    token = await core.use_cases.tokens.issue("default", "test", SCOPES)
    async with serving(app) as session, session.get("/api/v1/openapi.json") as response:
        document = await response.json()
        url = str(response.url.parent)
        assert await asyncio.to_thread(findings, url, document, token, EXAMPLES) == []
    assert "Traceback" not in "".join(capsys.readouterr())
