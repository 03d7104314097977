"""Upload sessions: for a while, tracks are added to a collection and their files put."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from uuid_utils.compat import uuid7

from services.api.db import audit_rows, place_rows, upload_rows, upload_session_rows
from services.api.db.catalogue_rows import rows_of
from services.api.domain.changes import NewTask
from services.api.domain.errors import RelatedNotFound, StateConflict
from services.api.domain.nouns import COLLECTIONS, CREATORS, TRACKS
from services.api.domain.task import Target
from services.api.domain.upload_sessions import COLLECTION, SessionState, UploadSession
from services.api.domain.uploads import COVER
from services.api.use_cases import uploads
from services.api.use_cases.found import found
from services.api.use_cases.once import WRITE_SCOPES, run_once, run_one_once
from services.api.use_cases.options import AT_ONCE, Options
from services.api.use_cases.session_fields import read_session, read_track
from services.api.use_cases.settings import usual_master_type
from services.api.use_cases.upload_fields import UploadFields

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction
    from services.api.domain.catalogue import Track
    from services.api.domain.page import Page
    from services.api.domain.principal import Principal
    from services.api.domain.queries import UploadSessionQuery
    from services.api.domain.uploads import Upload
    from services.api.use_cases.items import Items
    from services.api.use_cases.session_fields import NewTrack, SessionFields, TrackFields
    from services.api.use_cases.uploads import Uploads

READ = uploads.READ
WRITE = WRITE_SCOPES[UploadSession]


class Added(NamedTuple):
    """A new track, and the uploads of its master and its cover."""

    track: Track
    master: Upload
    cover: Upload


@dataclass(frozen=True, slots=True)
class UploadSessions:
    """What can be done with upload sessions."""

    executor: Executor
    tracks: Items[Track]
    uploads: Uploads

    async def create(
        self, who: Principal, fields: SessionFields, *, options: Options = AT_ONCE
    ) -> UploadSession:
        """Begin a session. Raises InvalidFields, RelatedNotFound, KeyReused."""
        who.require(WRITE)

        def unit(transaction: Transaction) -> UploadSession:
            session = read_session(fields, uuid7(), who.tenant, transaction.now())
            _pin(transaction, session)
            upload_session_rows.insert(transaction, session)
            _audit(transaction, who, "create", session.id)
            return session

        asked = (COLLECTION, "create", fields)
        return await run_one_once(self.executor, who, options, asked, unit)

    async def get(self, who: Principal, id_: UUID) -> UploadSession:
        """One session. Raises NotFound."""
        who.require(READ)
        session = await self.executor.read(lambda c: upload_session_rows.find(c, who.tenant, id_))
        return found(session, COLLECTION, id_)

    async def list(self, who: Principal, query: UploadSessionQuery) -> Page[UploadSession]:
        """A page of the tenant's sessions, oldest first unless ordered otherwise."""
        who.require(READ)
        return await self.executor.read(
            lambda c: upload_session_rows.fetch_page(c, who.tenant, query)
        )

    async def delete(self, who: Principal, id_: UUID) -> None:
        """Forget a session, and what is waited for in it. Its tracks stay. Raises NotFound."""
        who.require(WRITE)

        def unit(transaction: Transaction) -> None:
            session = upload_session_rows.lock(transaction, id_, who.tenant)
            _remove(transaction, found(session, COLLECTION, id_))
            _audit(transaction, who, "delete", id_)

        await self.executor.write(unit)

    async def add_track(
        self, who: Principal, id_: UUID, fields: TrackFields, *, options: Options = AT_ONCE
    ) -> Added:
        """Make a track in the session's collection, and expect its master and its cover.

        An import task is made of the master when it has come. Raises InvalidFields, NotFound,
        StateConflict once the session has expired, RelatedNotFound when its collection is gone,
        QuotaExceeded, KeyReused.
        """
        who.require(WRITE)
        asked = (COLLECTION, "addTrack", id_, fields)
        unit = self._adding(who, id_, fields)
        return Added(*await run_once(self.executor, who, options, asked, unit))

    def state_of(self, session: UploadSession) -> SessionState:
        """Where a session stands now."""
        return session.state(self.uploads.clock())

    def _adding(
        self, who: Principal, id_: UUID, fields: TrackFields
    ) -> Callable[[Transaction], Added]:
        def unit(transaction: Transaction) -> Added:
            session = found(upload_session_rows.pin(transaction, id_, who.tenant), COLLECTION, id_)
            if session.state(transaction.now()) is SessionState.EXPIRED:
                raise StateConflict("The upload session has expired.", SessionState.EXPIRED)
            added = self._add(transaction, who, session, read_track(fields))
            _audit(transaction, who, "addTrack", id_)
            return added

        return unit

    def _add(
        self, transaction: Transaction, who: Principal, session: UploadSession, new: NewTrack
    ) -> Added:
        # Before its place is taken, as who deletes the collection does.
        _pin(transaction, session)
        place = place_rows.take(transaction, who.tenant, session.collection_id)
        values: dict[str, object] = {
            "title": new.title or PurePosixPath(new.file_name).stem or new.file_name,
            "isrc": new.isrc,
            "collection": Target(COLLECTIONS.collection, session.collection_id),
            "index": str(place),
            "path": f"{place}/{new.file_name}",
            "organization_index": new.organization_index,
            "metadata": new.metadata,
        }
        track = self.tracks.creating(who, values)(transaction)
        target = Target(TRACKS.collection, track.id)
        usual = usual_master_type(transaction.connection, who.tenant)
        task = NewTask(master_type=new.master_type or usual, isrc=new.isrc, target=target)
        master = UploadFields(file_name=new.file_name, task=task, session=session)
        cover = UploadFields(kind=COVER, target=target, session=session)
        return Added(
            track,
            self.uploads.creating(who, master)(transaction),
            self.uploads.creating(who, cover)(transaction),
        )


def forget(transaction: Transaction, before: datetime, limit: int) -> int:
    """Remove some sessions that had expired by a moment."""
    ids = upload_session_rows.fetch_expired(transaction.connection, before, limit)
    for id_ in ids:
        session = upload_session_rows.lock(transaction, id_)
        if session is not None:
            _remove(transaction, session)
    return len(ids)


def _remove(transaction: Transaction, session: UploadSession) -> None:
    for upload in upload_rows.lock_waiting(transaction, session.id):
        uploads.remove(transaction, upload)
    upload_session_rows.remove(transaction, session)


def _pin(transaction: Transaction, session: UploadSession) -> None:
    """Keep what a session is linked to. Raises RelatedNotFound."""
    links = (
        ("collection", COLLECTIONS, session.collection_id),
        ("creator", CREATORS, session.creator_id),
    )
    for field, noun, id_ in links:
        if id_ and not rows_of(noun.collection).pin(transaction, session.tenant, id_):
            raise RelatedNotFound(field, noun.collection, id_)


def _audit(transaction: Transaction, who: Principal, action: str, id_: UUID) -> None:
    audit_rows.write(transaction, who, f"{COLLECTION}.{action}", f"{COLLECTION}/{id_}")
