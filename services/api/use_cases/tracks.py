"""Tracks: create, read, change, delete; each change a unit of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from uuid_utils.compat import uuid7

from services.api.db import audit_rows, record_rows, task_rows, track_rows
from services.api.domain.catalogue import Track
from services.api.domain.changes import UNSET, pick
from services.api.domain.errors import InUse
from services.api.domain.queries import TrackQuery
from services.api.use_cases.fields import Reader, Text, Time
from services.api.use_cases.found import at_version, found
from services.api.use_cases.once import WRITE_SCOPES, run_one_once
from services.api.use_cases.options import AT_ONCE, Options

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from services.api.db.executor import Executor, Transaction
    from services.api.domain.page import Page
    from services.api.domain.principal import Principal

    Unit = Callable[[Transaction], Track]

__all__ = ["TrackFields", "TrackQuery", "Tracks"]

MAX_TITLE = 255
_WRITE = WRITE_SCOPES[Track]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackFields:
    """The values of a request as the client wrote them; UNSET where it wrote none."""

    title: object = UNSET
    isrc: object = UNSET
    stereo_duration: object = UNSET


@dataclass(frozen=True, slots=True)
class Tracks:
    """What clients can do with tracks."""

    executor: Executor

    async def create(
        self, who: Principal, fields: TrackFields, *, options: Options = AT_ONCE
    ) -> Track:
        """Make a track. Raises InvalidFields, KeyReused."""
        unit, asked = self.creating(who, fields), ("tracks", "create", fields)
        return await run_one_once(self.executor, who, options, asked, unit)

    async def get(self, who: Principal, id_: UUID) -> Track:
        """One track. Raises NotFound."""
        who.require("tracks:read")
        track = await self.executor.read(lambda c: track_rows.find(c, who.tenant, id_))
        return found(track, track_rows.COLLECTION, id_)

    async def list(self, who: Principal, query: TrackQuery) -> Page[Track]:
        """A page of the tenant's tracks, oldest first unless ordered otherwise."""
        who.require("tracks:read")
        return await self.executor.read(lambda c: track_rows.fetch_page(c, who.tenant, query))

    async def update(
        self,
        who: Principal,
        id_: UUID,
        fields: TrackFields,
        *,
        version: int | None = None,
        options: Options = AT_ONCE,
    ) -> Track:
        """Change a track. Raises InvalidFields, NotFound, EtagMismatch."""
        unit = self.updating(who, id_, fields, version=version)
        asked = ("tracks", "update", id_, fields, version)
        return await run_one_once(self.executor, who, options, asked, unit)

    async def delete(self, who: Principal, id_: UUID, *, version: int | None = None) -> None:
        """Remove a track.

        Raises NotFound, EtagMismatch, and InUse while a task or a valid record needs it.
        """
        await self.executor.write(self.deleting(who, id_, version=version))

    def creating(self, who: Principal, fields: TrackFields) -> Unit:
        """The unit of ``create``."""
        who.require(_WRITE)

        def unit(transaction: Transaction) -> Track:
            title, isrc, duration = _read(fields, creating=True)
            now = transaction.now()
            track = Track(
                id=uuid7(),
                tenant=who.tenant,
                title=pick(title, None) or "",
                isrc=pick(isrc, None),
                version=1,
                created_at=now,
                updated_at=now,
                stereo_duration=pick(duration, None),
            )
            track_rows.insert(transaction, track)
            _audit(transaction, who, "create", track.id)
            return track

        return unit

    def updating(
        self, who: Principal, id_: UUID, fields: TrackFields, *, version: int | None = None
    ) -> Unit:
        """The unit of ``update``."""
        who.require(_WRITE)

        def unit(transaction: Transaction) -> Track:
            before = _lock(transaction, who, id_, version)
            title, isrc, duration = _read(fields, creating=False)
            changed = replace(
                before,
                title=pick(title, before.title) or before.title,
                isrc=pick(isrc, before.isrc),
                stereo_duration=pick(duration, before.stereo_duration),
            )
            if changed == before:
                return before
            after = replace(changed, version=before.version + 1, updated_at=transaction.now())
            track_rows.save(transaction, after)
            _audit(transaction, who, "update", id_)
            return after

        return unit

    def deleting(
        self, who: Principal, id_: UUID, *, version: int | None = None
    ) -> Callable[[Transaction], None]:
        """The unit of ``delete``."""
        who.require(_WRITE)

        def unit(transaction: Transaction) -> None:
            track = _lock(transaction, who, id_, version)
            connection = transaction.connection
            if task_rows.any_for_target(connection, who.tenant, id_) or record_rows.any_for_target(
                connection, who.tenant, id_
            ):
                raise InUse("An import task or a record is linked to this track.")
            track_rows.remove(transaction, track)
            _audit(transaction, who, "delete", id_)

        return unit


def _lock(transaction: Transaction, who: Principal, id_: UUID, version: int | None) -> Track:
    track = track_rows.lock(transaction, who.tenant, id_)
    return at_version(found(track, track_rows.COLLECTION, id_), version)


def _read(fields: TrackFields, *, creating: bool) -> tuple[Text, Text, Time]:
    reader = Reader({"title"}, creating=creating)
    values = (
        reader.title("title", fields.title, MAX_TITLE),
        reader.isrc("isrc", fields.isrc),
        reader.seconds("stereo_duration", fields.stereo_duration),
    )
    reader.finish()
    return values


def _audit(transaction: Transaction, who: Principal, action: str, id_: UUID) -> None:
    audit_rows.write(transaction, who, f"tracks.{action}", f"tracks/{id_}")
