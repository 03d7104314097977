"""A real server over the real use cases, and a client that calls actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from services.api.domain.principal import SCOPES
from services.api.http.server import make_app
from services.api.use_cases.targets import Targets
from shared.blobs.local import LocalStore
from shared.origin import OriginPolicy
from tests.support.core import open_core
from tests.support.jsonapi import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp import ClientSession

    from tests.support.core import Core


@dataclass(frozen=True, slots=True)
class Site:
    """A site as its client sees it; the core behind it for what workers would do."""

    session: ClientSession
    token: str
    core: Core
    store: LocalStore

    async def call(self, action: str, **parameters: object) -> Any:
        """Call an action by GET and give its JSON."""
        status, answer = await self.try_(action, **parameters)
        assert status == 200, answer
        return answer

    async def try_(self, action: str, **parameters: object) -> tuple[int, Any]:
        """The status and the JSON of a call by GET with the token as a parameter."""
        query = {name: str(value) for name, value in parameters.items()} | {"token": self.token}
        async with self.session.get(f"/api/import/{action}", params=query) as response:
            assert response.headers["Content-Type"].startswith("application/json")
            return response.status, await response.json()


@pytest.fixture
async def site(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """The site of the tenant ``default``; mail can be sent."""
    store = LocalStore(tmp_path / "blobs")
    targets = Targets(OriginPolicy(), mail=True)
    async with open_core(sqlite_url, store=store, targets=targets) as core:
        app = make_app(core.use_cases, public_url=None, ready=core.use_cases.ready)
        token = await core.use_cases.tokens.issue("default", "test", SCOPES)
        async with serving(app) as session:
            yield Site(session, token, core, store)
