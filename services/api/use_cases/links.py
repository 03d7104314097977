"""Download links: who may have one, and which record or rendition one opens."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from uuid_utils.compat import uuid7

from services.api.db import audit_rows, record_rows, rendition_rows
from services.api.domain.errors import (
    InvalidFields,
    NotFound,
    StateConflict,
    Unavailable,
    Violation,
)
from services.api.domain.files import file_of_record, file_of_rendition
from services.api.domain.links import Link, Signer
from services.api.use_cases.found import found
from shared.blobs.base import BlobMissing, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path
    from uuid import UUID

    from sqlalchemy import Connection

    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction
    from services.api.domain.files import File
    from services.api.domain.principal import Principal
    from shared.blobs.base import BlobStore

FILES = "/files"
"""Where, below the public URL, links of our own lead."""
DEFAULT_SECONDS = 15 * 60
MIN_SECONDS, MAX_SECONDS = 60, 7 * 24 * 3600

_RANGE = f"A link lasts {MIN_SECONDS} seconds (a minute) to {MAX_SECONDS} (seven days)."


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """What can be done with links. ``url`` is what ours begin with where a door knows no better."""

    executor: Executor
    store: BlobStore
    signer: Signer
    url: str = ""
    clock: Callable[[], datetime] = _now

    async def create(
        self, who: Principal, id_: UUID, ttl: object = None, *, url: str | None = None
    ) -> Link:
        """Make a link to a valid record that lasts ``ttl`` seconds, rounded up.

        None is the default. ``url`` is how this client reaches us. The link is made whether the
        bytes are there or not. Raises InvalidFields, NotFound, StateConflict, Unavailable.
        """
        who.require("records:read")

        def find(connection: Connection) -> File:
            there = record_rows.find(connection, who.tenant, id_)
            record = found(there, record_rows.COLLECTION, id_)
            if record.superseded_at is not None:
                raise StateConflict("The record was superseded.")
            return file_of_record(record)

        return await self._create(who, find, ttl, url)

    async def create_for_rendition(
        self, who: Principal, id_: UUID, ttl: object = None, *, url: str | None = None
    ) -> Link:
        """Make a link to a rendition. Raises as ``create``."""
        who.require("publishing:read")

        def find(connection: Connection) -> File:
            there = rendition_rows.find(connection, who.tenant, id_)
            return file_of_rendition(found(there, rendition_rows.COLLECTION, id_))

        return await self._create(who, find, ttl, url)

    async def _create(
        self, who: Principal, find: Callable[[Connection], File], ttl: object, url: str | None
    ) -> Link:
        seconds = _seconds(ttl)

        def unit(transaction: Transaction) -> File:
            file = find(transaction.connection)
            name = f"{file.collection}/{file.id}"
            audit_rows.write(transaction, who, f"{file.collection}.link", name)
            return file

        # Written down before there is a link: none is ever given out in silence.
        file = await self.executor.write(unit)
        # In whole seconds, and before the store signs: the link lasts no shorter than we say.
        now = self.clock().replace(microsecond=0)
        expires_at = now + timedelta(seconds=seconds)
        theirs = await self._link_of_store(file, expires_at - now)
        ours = (
            f"{(url or self.url).rstrip('/')}{FILES}/{file.id}?{self._query(file.id, expires_at)}"
        )
        return Link(id=uuid7(), url=theirs or ours, expires_at=expires_at, ttl_seconds=seconds)

    async def redeem(self, id_: UUID, expires: str, signature: str) -> File:
        """The file that a link of ours opens now.

        Raises LinkRefused, and NotFound for what is gone or superseded and where the store gives
        out its bytes itself.
        """
        self.signer.check(id_, expires, signature, self.clock())
        file = await self.executor.read(lambda c: _file(c, id_))
        if file is None or await self._link_of_store(file, timedelta(minutes=1)) is not None:
            raise NotFound(record_rows.COLLECTION, id_)
        return file

    @asynccontextmanager
    async def local_copy(self, file: File) -> AsyncIterator[Path]:
        """The bytes of a file on this machine. Raises NotFound, Unavailable."""
        try:
            async with self.store.local_copy(file.blob_key) as path:
                yield path
        except BlobMissing:
            raise NotFound(file.collection, file.id) from None
        except StoreUnavailable:
            raise Unavailable from None

    def _query(self, id_: UUID, expires_at: datetime) -> str:
        expires = int(expires_at.timestamp())
        return f"expires={expires}&signature={self.signer.sign(id_, expires)}"

    async def _link_of_store(self, file: File, lasting: timedelta) -> str | None:
        try:
            return await self.store.link(file.blob_key, lasting=lasting, filename=file.name)
        except StoreUnavailable:
            raise Unavailable from None


def _file(connection: Connection, id_: UUID) -> File | None:
    if record := record_rows.find_valid(connection, id_):
        return file_of_record(record)
    rendition = rendition_rows.find_any(connection, id_)
    return None if rendition is None else file_of_rendition(rendition)


def _seconds(ttl: object) -> int:
    if ttl is None:
        return DEFAULT_SECONDS
    # True is the number 1 to Python, and too short.
    if isinstance(ttl, int | float) and MIN_SECONDS <= ttl <= MAX_SECONDS:
        return math.ceil(ttl)
    raise InvalidFields(Violation("ttl", "invalid", _RANGE))
