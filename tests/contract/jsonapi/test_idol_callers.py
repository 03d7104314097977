"""Who did what through the IDOL facade, and how often they may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.api.domain.principal import SCOPES
from services.api.domain.queries import Slice
from services.api.http.server import make_app
from services.api.limits import RateLimiter
from tests.support.core import a_principal
from tests.support.idol import TASKS, a_shelf, new_task
from tests.support.jsonapi import Client, serving

if TYPE_CHECKING:
    from tests.support.core import Core


async def test_the_audit_log_says_who_made_a_task(client: Client, core: Core) -> None:
    shelf = await a_shelf(core)
    before = (await core.use_cases.audit.list(a_principal(), Slice(limit=100))).total
    sent = new_task("tracks", shelf.numbers["tracks"])
    assert (await client.send("POST", TASKS, sent)).status == 201
    assert (await client.send("POST", TASKS, new_task("tracks", 99))).status == 404
    assert (await client.get(TASKS)).status == 200
    page = await core.use_cases.audit.list(a_principal(), Slice(skip=before, limit=100))
    (entry,) = page.items
    assert (entry.action, entry.address) == ("importTasks.create", "127.0.0.1")
    assert entry.principal in str(client.token)


async def test_requests_are_limited_and_refused_in_its_own_words(core: Core) -> None:
    limiter = RateLimiter(60, 1, clock=lambda: 100.0)
    app = make_app(core.use_cases, public_url=None, ready=core.use_cases.ready, limiter=limiter)
    token = await core.use_cases.tokens.issue("default", "test", SCOPES)
    async with serving(app) as session:
        client = Client(session, token)
        first = await client.get(TASKS)
        assert (first.status, first.headers["RateLimit"]) == (200, '"default";r=0;t=1')
        refused = await client.get(TASKS)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert refused.headers["RateLimit-Policy"] == '"default";q=1;w=60'
    (error,) = refused.document["errors"]
    assert (error["status"], error["code"]) == ("429", "429")
    assert "jsonapi" not in refused.document
