"""The bytes that the database names, one after the other, and whether a store has them."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from services.api.db import named_rows
from shared.blobs.base import BlobMissing, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

    from services.api.db.executor import Executor
    from services.api.db.named_rows import Named
    from shared.blobs.base import BlobStore

    Page = Callable[[Connection, str, UUID | None], Sequence[Named]]

UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    ``kind`` is missing, wrong or unreadable, of what ``name`` needs; or unnamed, which is no fault:
    a scrub will delete it.
    """

    kind: str
    key: str
    name: str | None
    detail: str


async def all_named(
    executor: Executor, tenant: str | None = None, since: datetime | None = None
) -> AsyncIterator[Named]:
    """What the database names, of a tenant or of all; of records only those since a moment."""
    tenants = [tenant] if tenant is not None else await executor.read(named_rows.tenants)
    of_records = partial(named_rows.page_of_records, since=since)
    for each in tenants:
        for page in (
            of_records,
            named_rows.page_of_tasks,
            named_rows.page_of_uploads,
            named_rows.page_of_renditions,
            named_rows.page_of_covers,
            named_rows.page_of_thumbnails,
        ):
            async for named in _pages(executor, each, page):
                yield named


async def check(
    store: BlobStore, named: Named, take: Callable[[bytes], Awaitable[None]]
) -> Finding | None:
    """Read bytes from a store and say what is wrong with them; each chunk is given away."""
    try:
        size, md5 = await digest(store, named.key, take)
    except BlobMissing:
        return Finding("missing", named.key, named.name, "The store has no such key.")
    except StoreUnavailable as error:
        return Finding(UNREADABLE, named.key, named.name, str(error))
    if (size, md5) == (named.size, named.md5):
        return None
    detail = f"{size} bytes, MD5 {md5}, not {named.size} bytes, MD5 {named.md5}."
    return Finding("wrong", named.key, named.name, detail)


async def digest(
    store: BlobStore, key: str, take: Callable[[bytes], Awaitable[None]]
) -> tuple[int, str]:
    """The size and MD5 of bytes; each chunk is given away. Raises BlobMissing, StoreUnavailable."""
    md5, size = hashlib.md5(usedforsecurity=False), 0
    async with aclosing(store.chunks(key)) as chunks:
        async for chunk in chunks:
            await asyncio.to_thread(md5.update, chunk)
            size += len(chunk)
            await take(chunk)
    return size, md5.hexdigest()


async def is_needed(executor: Executor, named: Named) -> bool:
    """Whether the bytes are needed still: what is deleted meanwhile is no loss."""
    return await executor.read(lambda c: named_rows.still_names(c, named.key))


async def _pages(executor: Executor, tenant: str, page: Page) -> AsyncIterator[Named]:
    after: UUID | None = None

    def next_page(connection: Connection) -> Sequence[Named]:
        return page(connection, tenant, after)

    while found := await executor.read(next_page):
        for named in found:
            yield named
        after = found[-1].id
