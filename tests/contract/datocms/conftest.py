"""A real server over the real use cases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from services.api.domain.principal import SCOPES
from services.api.http.server import make_app
from services.api.limits import RateLimiter
from shared.blobs.local import LocalStore
from tests.support.core import open_core
from tests.support.datocms import LIMIT, Site
from tests.support.jsonapi import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def site(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """The site of the tenant ``default``, with 30 requests in 3 seconds of its own clock."""
    now = [0.0]
    limiter = RateLimiter(LIMIT, clock=lambda: now[0], window=3)
    async with open_core(sqlite_url, store=LocalStore(tmp_path / "blobs")) as core:
        app = make_app(
            core.use_cases,
            public_url=None,
            ready=core.use_cases.ready,
            datocms_limiter=limiter,
        )
        token = await core.use_cases.tokens.issue("default", "test", SCOPES)
        async with serving(app) as session:
            yield Site(session, token, core, now)


@pytest.fixture
async def stranger(site: Site) -> Site:
    """The same site for a client of another tenant."""
    return replace(site, token=await site.core.use_cases.tokens.issue("other", "test", SCOPES))
