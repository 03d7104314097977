"""Where a request came from is written down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.api.domain.queries import Slice
from tests.support.core import a_principal
from tests.support.jsonapi import Client, serving

if TYPE_CHECKING:
    from aiohttp import web

    from tests.support.core import Core


async def test_the_audit_log_has_the_address(core: Core, app: web.Application, token: str) -> None:
    async with serving(app) as session:
        await Client(session, token).create_track()
    page = await core.use_cases.audit.list(a_principal(), Slice(limit=10))
    assert page.items[-1].address == "127.0.0.1"
