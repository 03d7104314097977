"""Tracks: create, read, change, delete."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from uuid_utils.compat import uuid7

from services.api.db import record_rows, task_rows, track_rows
from services.api.domain.catalogue import Track
from services.api.domain.changes import UNSET, Unset
from services.api.domain.errors import InUse, NotFound
from services.api.domain.queries import TrackQuery
from services.api.use_cases.fields import Reader, Text

if TYPE_CHECKING:
    from uuid import UUID

    from services.api.db.executor import Executor, Transaction
    from services.api.domain.page import Page
    from services.api.domain.principal import Principal

__all__ = ["TrackFields", "TrackQuery", "Tracks"]

MAX_TITLE = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackFields:
    """The values of a request as the client wrote them; UNSET where it wrote none."""

    title: object = UNSET
    isrc: object = UNSET


@dataclass(frozen=True, slots=True)
class Tracks:
    """What clients can do with tracks."""

    executor: Executor

    async def create(self, who: Principal, fields: TrackFields) -> Track:
        """Make a track. Raises InvalidFields."""
        who.require("tracks:write")
        title, isrc = _read(fields, creating=True)

        def unit(transaction: Transaction) -> Track:
            now = transaction.now()
            track = Track(
                id=uuid7(),
                tenant=who.tenant,
                title=_pick(title, None) or "",
                isrc=_pick(isrc, None),
                created_at=now,
                updated_at=now,
            )
            track_rows.insert(transaction, track)
            return track

        return await self.executor.write(unit)

    async def get(self, who: Principal, id_: UUID) -> Track:
        """One track. Raises NotFound."""
        who.require("tracks:read")
        track = await self.executor.read(lambda c: track_rows.find(c, who.tenant, id_))
        if track is None:
            raise NotFound("tracks", id_)
        return track

    async def list(self, who: Principal, query: TrackQuery) -> Page[Track]:
        """A page of the tenant's tracks, oldest first."""
        who.require("tracks:read")
        return await self.executor.read(lambda c: track_rows.fetch_page(c, who.tenant, query))

    async def update(self, who: Principal, id_: UUID, fields: TrackFields) -> Track:
        """Change a track. Raises InvalidFields and NotFound."""
        who.require("tracks:write")
        title, isrc = _read(fields, creating=False)

        def unit(transaction: Transaction) -> Track:
            before = self._lock(transaction, who, id_)
            changed = replace(
                before,
                title=_pick(title, before.title) or before.title,
                isrc=_pick(isrc, before.isrc),
            )
            if changed == before:
                return before
            after = replace(changed, updated_at=transaction.now())
            track_rows.save(transaction, after)
            return after

        return await self.executor.write(unit)

    async def delete(self, who: Principal, id_: UUID) -> None:
        """Remove a track. Raises NotFound, and InUse while a task or valid record needs it."""
        who.require("tracks:write")

        def unit(transaction: Transaction) -> None:
            track = self._lock(transaction, who, id_)
            connection = transaction.connection
            if task_rows.any_for_target(connection, who.tenant, id_) or record_rows.any_for_target(
                connection, who.tenant, id_
            ):
                raise InUse("An import task or a record is linked to this track.")
            track_rows.remove(transaction, track)

        await self.executor.write(unit)

    @staticmethod
    def _lock(transaction: Transaction, who: Principal, id_: UUID) -> Track:
        track = track_rows.lock(transaction, who.tenant, id_)
        if track is None:
            raise NotFound("tracks", id_)
        return track


def _read(fields: TrackFields, *, creating: bool) -> tuple[Text, Text]:
    reader = Reader({"title"}, creating=creating)
    values = (reader.title("title", fields.title, MAX_TITLE), reader.isrc("isrc", fields.isrc))
    reader.finish()
    return values


def _pick(value: Text, otherwise: str | None) -> str | None:
    return otherwise if isinstance(value, Unset) else value
