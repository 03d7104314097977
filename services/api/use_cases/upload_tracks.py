"""Upload tracks: create, read, change, delete; each brings its file by an import task."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from uuid_utils.compat import uuid7

from services.api.db import audit_rows, upload_rows, upload_track_rows
from services.api.domain import uploads
from services.api.domain.changes import UNSET, pick
from services.api.domain.errors import InvalidFields, RelatedNotFound, Violation
from services.api.domain.upload_tracks import (
    COLLECTION,
    MASTER_TYPES,
    TrackType,
    UploadTrack,
)
from services.api.domain.uploads import UploadState
from services.api.use_cases import track_removal
from services.api.use_cases.fields import Reader
from services.api.use_cases.found import at_version, found
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.languages import own_name, standard_tag
from services.api.use_cases.once import WRITE_SCOPES, run_one_once
from services.api.use_cases.options import AT_ONCE, Options

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction
    from services.api.domain.page import Page
    from services.api.domain.principal import Principal
    from services.api.domain.queries import UploadTrackQuery
    from services.api.domain.task import Task
    from services.api.use_cases.fields import Flag, Text
    from services.api.use_cases.import_tasks import ImportTasks

    Unit = Callable[[Transaction], UploadTrack]

READ, WRITE = "uploads:read", WRITE_SCOPES[UploadTrack]
MAX_NAME = 255
_REQUIRED = frozenset({"type", "language_code"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackFields:
    """The values of a request as the client wrote them; UNSET where it wrote none.

    The file comes from ``source_uri``, or from the stored upload with the id ``source_upload``.
    """

    type: object = UNSET
    language_code: object = UNSET
    display_name: object = UNSET
    closed_captions: object = UNSET
    source_uri: object = UNSET
    source_upload: object = UNSET

    @property
    def has_source(self) -> bool:
        """Whether they bring a file."""
        return self.source_uri is not UNSET or self.source_upload is not UNSET


@dataclass(frozen=True, slots=True)
class UploadTracks:
    """What clients can do with the tracks of uploads that are kept."""

    executor: Executor
    import_tasks: ImportTasks

    async def create(
        self, who: Principal, upload_id: UUID, fields: TrackFields, *, options: Options = AT_ONCE
    ) -> UploadTrack:
        """Make a track and its import task.

        Raises InvalidFields, KeyReused, and RelatedNotFound for an upload that is not kept.
        """
        asked = (COLLECTION, "create", upload_id, fields)
        unit = self.creating(who, upload_id, fields)
        return await run_one_once(self.executor, who, options, asked, unit)

    async def get(self, who: Principal, id_: UUID) -> UploadTrack:
        """One track. Raises NotFound."""
        who.require(READ)
        track = await self.executor.read(lambda c: upload_track_rows.find(c, who.tenant, id_))
        return found(track, COLLECTION, id_)

    async def list(self, who: Principal, query: UploadTrackQuery) -> Page[UploadTrack]:
        """A page of the tenant's tracks, oldest first unless ordered otherwise."""
        who.require(READ)
        return await self.executor.read(
            lambda c: upload_track_rows.fetch_page(c, who.tenant, query)
        )

    async def update(
        self,
        who: Principal,
        id_: UUID,
        fields: TrackFields,
        *,
        version: int | None = None,
        options: Options = AT_ONCE,
    ) -> UploadTrack:
        """Change a track; what has a source is imported anew, in the place of what there was.

        Raises InvalidFields, NotFound, EtagMismatch, KeyReused.
        """
        asked = (COLLECTION, "update", id_, fields, version)
        unit = self.updating(who, id_, fields, version=version)
        return await run_one_once(self.executor, who, options, asked, unit)

    async def delete(self, who: Principal, id_: UUID, *, version: int | None = None) -> None:
        """Remove a track with its import task and its record. Raises NotFound, EtagMismatch."""
        await self.executor.write(self.deleting(who, id_, version=version))

    def creating(self, who: Principal, upload_id: UUID, fields: TrackFields) -> Unit:
        """The unit of ``create``."""
        who.require(WRITE)

        def unit(transaction: Transaction) -> UploadTrack:
            _lock_asset(transaction, who.tenant, upload_id)
            values = _read(fields, creating=True)
            type_, language = TrackType(str(values.type)), str(values.language_code)
            task = self._import(transaction, who, type_, fields)
            now = transaction.now()
            track = UploadTrack(
                id=uuid7(),
                tenant=who.tenant,
                version=1,
                created_at=now,
                updated_at=now,
                upload_id=upload_id,
                type=type_,
                language_code=language,
                display_name=pick(values.display_name, None) or own_name(language),
                closed_captions=_captions(type_, pick(values.closed_captions, None)),
                task_id=task.id,
                status=task.status,
            )
            upload_track_rows.insert(transaction, track)
            _audit(transaction, who, "create", track.id)
            return track

        return unit

    def updating(
        self, who: Principal, id_: UUID, fields: TrackFields, *, version: int | None = None
    ) -> Unit:
        """The unit of ``update``."""
        who.require(WRITE)

        def unit(transaction: Transaction) -> UploadTrack:
            before = _lock(transaction, who, id_, version)
            after = _changed(before, _read(fields, creating=False))
            if after.type is not before.type and not fields.has_source:
                detail = "A track of another type needs another source."
                raise InvalidFields(Violation("source_uri", "required", detail))
            if fields.has_source:
                track_removal.remove_task(transaction, who, self.import_tasks, before.task_id)
                task = self._import(transaction, who, after.type, fields)
                after = replace(after, task_id=task.id, status=task.status, problems=())
            if after == before:
                return before
            now, version_ = transaction.now(), before.version + 1
            after = replace(after, version=version_, updated_at=now)
            upload_track_rows.save(transaction, after)
            _audit(transaction, who, "update", id_)
            return after

        return unit

    def deleting(self, who: Principal, id_: UUID, *, version: int | None = None) -> Unit:
        """The unit of ``delete``; gives what there was."""
        who.require(WRITE)

        def unit(transaction: Transaction) -> UploadTrack:
            track = _lock(transaction, who, id_, version)
            track_removal.remove(transaction, who, self.import_tasks, track)
            return track

        return unit

    def _import(
        self, transaction: Transaction, who: Principal, type_: TrackType, fields: TrackFields
    ) -> Task:
        new = TaskFields(
            master_type=MASTER_TYPES[type_],
            source_uri=fields.source_uri,
            source_upload=fields.source_upload,
        )
        return self.import_tasks.creating(who, new, required={"source_uri"})(transaction)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values:
    type: Text
    language_code: Text
    display_name: Text
    closed_captions: Flag


def _read(fields: TrackFields, *, creating: bool) -> _Values:
    reader = Reader(_REQUIRED, creating=creating)

    def language(text: str) -> str | None:
        tag = standard_tag(text)
        if tag is None:
            detail = "A language code is a valid tag of BCP 47, such as it-IT."
            reader.refuse("language_code", "invalid", detail)
        return tag

    values = _Values(
        type=reader.one_of("type", fields.type, tuple(TrackType)),
        language_code=reader.text("language_code", fields.language_code, language),
        display_name=reader.line("display_name", fields.display_name, MAX_NAME),
        closed_captions=reader.flag("closed_captions", fields.closed_captions),
    )
    reader.finish()
    return values


def _changed(before: UploadTrack, values: _Values) -> UploadTrack:
    type_ = TrackType(pick(values.type, before.type) or before.type)
    language = pick(values.language_code, before.language_code) or before.language_code
    captions = pick(values.closed_captions, before.closed_captions)
    return replace(
        before,
        type=type_,
        language_code=language,
        display_name=pick(values.display_name, before.display_name) or own_name(language),
        closed_captions=_captions(type_, captions),
    )


def _captions(type_: TrackType, given: bool | None) -> bool | None:  # noqa: FBT001 - a value
    """That of subtitles is known: unless somebody says so, they are for everybody."""
    return bool(given) if type_ is TrackType.SUBTITLES else given


def _lock_asset(transaction: Transaction, tenant: str, id_: UUID) -> None:
    """Keep an upload that can have tracks. Raises RelatedNotFound."""
    upload = upload_rows.lock(transaction, id_, tenant)
    if upload is None or upload.state is not UploadState.KEPT:
        raise RelatedNotFound("upload", uploads.COLLECTION, id_)


def _lock(transaction: Transaction, who: Principal, id_: UUID, version: int | None) -> UploadTrack:
    track = upload_track_rows.lock(transaction, who.tenant, id_)
    return at_version(found(track, COLLECTION, id_), version)


def _audit(transaction: Transaction, who: Principal, action: str, id_: UUID) -> None:
    audit_rows.write(transaction, who, f"{COLLECTION}.{action}", f"{COLLECTION}/{id_}")
