"""Who did what, and how often they may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.api.domain.queries import Slice
from services.api.http.server import make_app
from services.api.limits import RateLimiter
from tests.support.core import a_principal
from tests.support.jsonapi import serving

if TYPE_CHECKING:
    from tests.contract.sourceaudio.conftest import Site

URL = "https://cdn.example.com/in/a.wav"


async def test_the_audit_log_says_who_did_what(site: Site) -> None:
    before = (await site.core.use_cases.audit.list(a_principal(), Slice(limit=100))).total
    job = await site.call("createJob")
    new = await site.call("upload", url=URL, **job)
    await site.call("setFormats", upload_id=new["upload_id"], formats="flac")
    await site.call("publish", **job)
    page = await site.core.use_cases.audit.list(a_principal(), Slice(skip=before, limit=100))
    assert [each.action for each in page.items] == [
        "publishJobs.create",
        "tracks.create",
        "importTasks.create",
        "publications.create",
        "publications.update",
        "publishJobs.run",
    ]
    assert {each.address for each in page.items} == {"127.0.0.1"}
    (principal,) = {each.principal for each in page.items}
    assert principal in site.token
    assert principal != site.token


async def test_what_only_looks_or_is_refused_is_not_in_it(site: Site) -> None:
    job = await site.call("createJob")
    audit = site.core.use_cases.audit
    before = (await audit.list(a_principal(), Slice(limit=100))).total
    for action, parameters in (
        ("checkJob", job),
        ("list", job),
        ("upload", {"url": "nothing"} | job),
        ("publish", {"oncomplete": "nobody"} | job),
    ):
        await site.try_(action, **parameters)
    assert (await audit.list(a_principal(), Slice(limit=100))).total == before


async def test_calls_are_limited_however_the_token_comes(site: Site) -> None:
    limiter = RateLimiter(60, 2, clock=lambda: 100.0)
    cases = site.core.use_cases
    app = make_app(cases, public_url=None, ready=cases.ready, limiter=limiter)
    bearer = {"Authorization": f"Bearer {site.token}"}
    async with serving(app) as session:
        async with session.post("/api/import/createJob", headers=bearer) as response:
            assert response.status == 200
            assert response.headers["RateLimit-Policy"] == '"default";q=2;w=60'
            assert response.headers["RateLimit"] == '"default";r=1;t=1'
        there = type(site)(session, site.token, site.core, site.store)
        await there.call("createJob")
        for action in ("createJob", "upload", "list"):
            query = {"token": site.token}
            async with session.get(f"/api/import/{action}", params=query) as response:
                assert (response.status, response.headers["Retry-After"]) == (429, "1")
                assert response.headers["RateLimit"] == '"default";r=0;t=1'
                assert (await response.json()).keys() == {"error"}
