"""Clients that bring files themselves."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from yarl import URL

from services.api.domain.nouns import COLLECTIONS
from services.api.http.server import make_app
from services.api.use_cases.session_fields import SessionFields
from services.api.use_cases.upload_fields import UploadFields
from tests.support.core import a_principal, open_core
from tests.support.jsonapi import serving
from tests.support.links import Fetched

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping
    from uuid import UUID

    from aiohttp import ClientSession

    from services.api.domain.principal import Principal
    from services.api.domain.upload_sessions import UploadSession
    from services.api.domain.uploads import Upload
    from shared.blobs.base import BlobStore
    from tests.support.core import Core

FILE = bytes(range(256)) * 40
FILE_MD5 = hashlib.md5(FILE).hexdigest()


async def pieces(*some: bytes) -> AsyncGenerator[bytes]:
    """These pieces, one after the other."""
    for piece in some:
        yield piece


async def expect(core: Core, tenant: str = "default", **fields: Any) -> Upload:
    """An upload that waits for its file."""
    return await core.use_cases.uploads.create(a_principal(tenant), UploadFields(**fields))


async def a_session(
    core: Core, who: Principal | None = None, collection: UUID | None = None, **fields: Any
) -> UploadSession:
    """An upload session in a collection, of its own unless another is given."""
    who = who or a_principal()
    if collection is None:
        items = core.use_cases.catalogue[COLLECTIONS.collection]
        collection = (await items.create(who, {"title": "A collection"})).id
    wanted = SessionFields(collection=collection, **fields)
    return await core.use_cases.upload_sessions.create(who, wanted)


async def bring(core: Core, upload: Upload, data: bytes = FILE) -> Upload:
    """The upload when its file is here."""
    return await core.use_cases.receiving.receive(upload, pieces(data))


async def stored_upload(core: Core, tenant: str = "default", data: bytes = FILE) -> Upload:
    """An upload that has its file."""
    return await bring(core, await expect(core, tenant), data)


async def blobs(store: BlobStore) -> dict[str, int]:
    """What takes room in a store: the bytes of each key."""
    return {info.key: info.size async for info in store.keys("")}


async def until(store: BlobStore, *, is_empty: bool) -> None:
    """Wait until something takes room in a store, or nothing does."""
    async with asyncio.timeout(20):
        while bool(await blobs(store)) is is_empty:  # noqa: ASYNC110 - there is no event to await
            await asyncio.sleep(0.01)


@dataclass
class Quay:
    """A server that takes files in, with a clock of its own, and a client that holds links."""

    core: Core
    session: ClientSession
    now: datetime

    def link(self, upload: Upload) -> str:
        """Where the file of an upload goes."""
        return self.core.use_cases.uploads.link(upload) or ""

    async def get(self, id_: UUID) -> Upload:
        """The upload as it is now."""
        return await self.core.use_cases.uploads.get(a_principal(), id_)

    async def send(
        self, url: str, data: Any = FILE, method: str = "PUT", **headers: str
    ) -> Fetched:
        """Send a body where a link leads, whatever its host; _ in names of headers is -."""
        parts = urlsplit(url)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        target = URL(f"{parts.path}?{parts.query}", encoded=True)
        async with self.session.request(method, target, data=data, headers=sent) as answer:
            body = await answer.read()
            is_document = answer.content_type == "application/vnd.api+json" and body
            document = await answer.json(content_type=None) if is_document else None
            return Fetched(answer.status, answer.headers.copy(), body, document)

    def pass_(self, **time: float) -> None:
        """Let time go by for links."""
        self.now += timedelta(**time)


@asynccontextmanager
async def open_quay(
    url: str, store: BlobStore, settings: Mapping[str, Any] | None = None, **of_core: Any
) -> AsyncIterator[Quay]:
    """Serve a core of its own database and store; ``settings`` are those of ``make_app``."""
    async with open_core(url, store=store, **of_core) as core:
        quay = Quay(core, None, datetime.now(UTC))  # type: ignore[arg-type] # set below
        uploads = replace(core.use_cases.uploads, clock=lambda: quay.now)
        receiving = replace(core.use_cases.receiving, uploads=uploads)
        use_cases = replace(core.use_cases, uploads=uploads, receiving=receiving)
        quay.core = replace(core, use_cases=use_cases)
        app = make_app(use_cases, public_url=None, ready=use_cases.ready, **(settings or {}))
        async with serving(app) as session:
            quay.session = session
            yield quay
