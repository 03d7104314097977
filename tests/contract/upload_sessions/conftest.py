"""A real server over the real use cases, and a client of the published document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from services.api.domain.principal import SCOPES
from services.api.http.server import make_app
from services.api.limits import RateLimiter
from shared.blobs.local import LocalStore
from tests.support.core import a_principal, open_core
from tests.support.jsonapi import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp import ClientSession

    from tests.support.core import Core

PER_MINUTE = 1000


@dataclass(frozen=True, slots=True)
class Network:
    """A network as its client sees it; the core behind it."""

    session: ClientSession
    token: str
    core: Core

    async def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """The members of an answer that is a success; _ in names of headers is -."""
        status, answer = await self.try_(method, path, body, **headers)
        assert status == 200, answer
        return answer

    async def try_(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, Any]:
        """The status and the members of an answer."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent.setdefault("Authorization", f"Bearer {self.token}")
        async with self.session.request(method, f"/v1/{path}", json=body, headers=sent) as response:
            assert response.headers["Content-Type"].startswith("application/json")
            return response.status, await response.json()

    async def collection(self) -> str:
        """The id of a new collection."""
        items = self.core.use_cases.catalogue["collections"]
        return str((await items.create(a_principal(), {"title": "Summer 2024"})).id)

    async def begin(self, **members: object) -> str:
        """The id of a new session, in a collection of its own unless another is named."""
        body = {"collection_id": await self.collection()} | members
        answer = await self.call("POST", "upload_session", body)
        return str(answer["upload_session_id"])


@pytest.fixture
async def network(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Network]:
    """That of the tenant ``default``."""
    async with open_core(sqlite_url, store=LocalStore(tmp_path / "blobs")) as core:
        limiter = RateLimiter(PER_MINUTE)
        cases = core.use_cases
        app = make_app(cases, public_url=None, ready=cases.ready, limiter=limiter)
        token = await cases.tokens.issue("default", "test", SCOPES)
        async with serving(app) as session:
            yield Network(session, token, core)
