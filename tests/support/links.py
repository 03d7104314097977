"""Records whose bytes are really there, and clients that hold nothing but a link to them."""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from yarl import URL

from services.api.domain.lifecycle import Stage
from services.api.domain.runs import Accepted, Stored
from services.api.domain.task import Master
from services.api.http.server import make_app
from tests.support.core import FORMAT, a_principal, open_core
from tests.support.jsonapi import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from uuid import UUID

    from aiohttp import ClientSession

    from services.api.domain.links import Link
    from shared.blobs.base import BlobStore
    from tests.support.core import Core

BYTES = bytes(range(256)) * 40
MD5 = hashlib.md5(BYTES).hexdigest()


async def stored(
    core: Core,
    *,
    isrc: str = "USRC12345678",
    tenant: str = "default",
    data: bytes = BYTES,
    seen: Mapping[str, object] = FORMAT,
) -> UUID:
    """The id of a valid record of these bytes, which are in the core's store."""
    task = await core.task(isrc, a_principal(tenant))
    run = await core.claim(task.id, Stage.DOWNLOAD)
    key, md5 = f"{tenant}/{task.id}/1/{run.id}", hashlib.md5(data).hexdigest()
    with core.use_cases.links.store.create(key) as sink:
        sink.write(data)
        sink.commit()
    master = Master(blob_key=key, size_bytes=len(data), md5=md5)
    assert await core.use_cases.runs.report(task.id, run, Stored(master=master))
    run = await core.claim(task.id, Stage.VALIDATE)
    accepted = Accepted(md5=md5, size_bytes=len(data), format=seen)
    assert await core.use_cases.runs.report(task.id, run, accepted)
    done = await core.use_cases.import_tasks.get(a_principal(tenant), task.id)
    assert done.record_id is not None
    return done.record_id


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a holder of a link got; ``document`` is the errors document, if it was one."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    document: Any = None

    @property
    def code(self) -> Any:
        """The code of the one error; None where there is none."""
        if self.document is None:
            return None
        [error] = self.document["errors"]
        return error.get("code")


@dataclass
class Shop:
    """A server that gives out files, with a clock of its own, and what a client needs."""

    core: Core
    session: ClientSession
    now: datetime

    async def link(self, record: UUID, ttl: object = None) -> Link:
        """A link as the owner of the record gets it."""
        links = replace(self.core.use_cases.links, clock=lambda: self.now)
        return await links.create(a_principal(), record, ttl)

    async def fetch(self, url: str, method: str = "GET", **headers: str) -> Fetched:
        """Ask this server for what a link names, whatever its host; _ in names of headers is -."""
        parts = urlsplit(url)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        target = URL(f"{parts.path}?{parts.query}", encoded=True)
        async with self.session.request(method, target, headers=sent) as answer:
            body = await answer.read()
            is_document = answer.content_type == "application/vnd.api+json" and body
            document = await answer.json(content_type=None) if is_document else None
            return Fetched(answer.status, answer.headers.copy(), body, document)


@asynccontextmanager
async def open_shop(url: str, store: BlobStore, **settings: Any) -> AsyncIterator[Shop]:
    """Serve a core of its own database and store; ``settings`` are those of ``make_app``."""
    async with open_core(url, store=store) as core, serve_shop(core, **settings) as shop:
        yield shop


@asynccontextmanager
async def serve_shop(core: Core, **settings: Any) -> AsyncIterator[Shop]:
    """Serve this core."""
    shop = Shop(core, None, datetime(2026, 1, 2, 3, 4, 5, 678901, UTC))  # type: ignore[arg-type] # set below
    links = replace(core.use_cases.links, clock=lambda: shop.now)
    use_cases = replace(core.use_cases, links=links)
    app = make_app(use_cases, public_url=None, ready=use_cases.ready, **settings)
    async with serving(app) as session:
        shop.session = session
        yield shop
