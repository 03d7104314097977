"""Uploads: expect a file, look at it, forget it; what a link of ours opens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from services.api.db import audit_rows, storage_rows, upload_rows, upload_track_rows
from services.api.db.blob_rows import doom
from services.api.db.catalogue_rows import rows_of
from services.api.domain.changes import UNSET
from services.api.domain.errors import (
    InUse,
    InvalidFields,
    QuotaExceeded,
    Refusal,
    RelatedNotFound,
    StateConflict,
    Unavailable,
    Violation,
)
from services.api.domain.principal import Principal
from services.api.domain.task import Task
from services.api.domain.uploads import (
    COLLECTION,
    KEPT,
    Upload,
    UploadState,
)
from services.api.use_cases import covers, track_removal
from services.api.use_cases.found import at_version, found
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.once import WRITE_SCOPES, run_one_once
from services.api.use_cases.options import AT_ONCE, Options
from services.api.use_cases.upload_fields import read_upload
from shared.blobs.base import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction
    from services.api.domain.changes import NewTask
    from services.api.domain.links import Signer
    from services.api.domain.page import Page
    from services.api.domain.queries import UploadQuery
    from services.api.domain.storage import Caps
    from services.api.domain.task import Master
    from services.api.use_cases.covers import Proven
    from services.api.use_cases.import_tasks import ImportTasks
    from services.api.use_cases.upload_fields import UploadFields
    from shared.blobs.base import BlobStore

    Unit = Callable[[Transaction], Upload]

INCOMING = "/incoming"
"""Where, below the public URL, links of ours to put bytes lead."""
READ = "uploads:read"
WRITE = WRITE_SCOPES[Upload]
TASKS = WRITE_SCOPES[Task]
LINK = "upload link"
"""As whom the audit log knows whoever used one."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploads:
    """What can be done with uploads.

    ``url`` is what links begin with where a door knows no better; no file may have more than
    ``max_bytes``. Files go straight into ``drop_store``, if there is one that can take them.
    """

    executor: Executor
    import_tasks: ImportTasks
    signer: Signer
    caps: Caps
    max_bytes: int
    drop_store: BlobStore | None = None
    url: str = ""
    clock: Callable[[], datetime] = _now

    async def create(
        self, who: Principal, fields: UploadFields, *, options: Options = AT_ONCE
    ) -> Upload:
        """Expect a file. Raises InvalidFields, QuotaExceeded when nothing fits, KeyReused."""
        asked = (COLLECTION, "create", fields)
        return await run_one_once(self.executor, who, options, asked, self.creating(who, fields))

    async def get(self, who: Principal, id_: UUID) -> Upload:
        """One upload. Raises NotFound."""
        who.require(READ)
        upload = await self.executor.read(lambda c: upload_rows.find(c, who.tenant, id_))
        return found(upload, COLLECTION, id_)

    async def list(self, who: Principal, query: UploadQuery) -> Page[Upload]:
        """A page of the tenant's uploads, oldest first unless ordered otherwise."""
        who.require(READ)
        return await self.executor.read(lambda c: upload_rows.fetch_page(c, who.tenant, query))

    async def delete(
        self, who: Principal, id_: UUID, *, version: int | None = None, force: bool = False
    ) -> None:
        """Forget an upload, and its bytes unless something else needs them.

        Raises NotFound, EtagMismatch, and InUse while an import task is under way with it or,
        unless ``force`` deletes them along, while it has tracks.
        """
        await self.executor.write(self.deleting(who, id_, version=version, force=force))

    async def keep(
        self,
        who: Principal,
        id_: UUID,
        *,
        version: int | None = None,
        options: Options = AT_ONCE,
    ) -> Upload:
        """Keep a stored upload until somebody deletes it, as an asset that can have tracks.

        Raises NotFound, EtagMismatch, KeyReused, and StateConflict for one without bytes of its
        own, and for one that an import task has.
        """
        asked = (COLLECTION, "keep", id_, version)
        unit = self.keeping(who, id_, version=version)
        return await run_one_once(self.executor, who, options, asked, unit)

    def keeping(self, who: Principal, id_: UUID, *, version: int | None = None) -> Unit:
        """The unit of ``keep``."""
        who.require(WRITE)

        def unit(transaction: Transaction) -> Upload:
            before = _lock(transaction, who, id_, version)
            if before.state is UploadState.KEPT:
                return before
            is_taken = upload_rows.is_source(transaction.connection, id_)
            if before.state is not UploadState.STORED or is_taken:
                detail = "Only an upload with bytes of its own can be kept, without an import task."
                raise StateConflict(detail, str(before.state))
            now, version_ = transaction.now(), before.version + 1
            after = replace(before, state=UploadState.KEPT, version=version_, updated_at=now)
            upload_rows.save(transaction, before, after)
            _audit(transaction, who, "keep", id_)
            return after

        return unit

    def deleting(
        self, who: Principal, id_: UUID, *, version: int | None = None, force: bool = False
    ) -> Unit:
        """The unit of ``delete``; gives what there was."""
        who.require(WRITE)

        def unit(transaction: Transaction) -> Upload:
            upload = _lock(transaction, who, id_, version)
            connection = transaction.connection
            if upload_rows.is_under_way(connection, id_):
                raise InUse("An import task is under way with the upload.")
            tracks = upload_track_rows.of_upload(connection, who.tenant, id_)
            if tracks and not force:
                raise InUse("The upload has tracks.")
            for each in tracks:
                track_removal.remove(transaction, who, self.import_tasks, each)
            remove(transaction, upload)
            _audit(transaction, who, "delete", id_)
            return upload

        return unit

    def creating(self, who: Principal, fields: UploadFields) -> Unit:
        """The unit of ``create``."""
        who.require(WRITE)
        if fields.task is not None:
            who.require(TASKS)

        def unit(transaction: Transaction) -> Upload:
            now = transaction.now()
            upload = read_upload(fields, who.tenant, now, self.max_bytes)
            if self.drop_store is not None:
                upload = replace(upload, look_at=now)
            storage = storage_rows.find(transaction.connection, who.tenant, self.caps)
            if not storage.has_room(upload.declared_size or 1):
                raise QuotaExceeded
            _pin(transaction, upload)
            upload_rows.insert(transaction, upload)
            _audit(transaction, who, "create", upload.id)
            return upload

        return unit

    def link(self, upload: Upload, url: str | None = None) -> str | None:
        """Where the file is put by whoever holds this; None when it is not waited for.

        ``url`` is how this client reaches us.
        """
        if not self.is_awaited(upload):
            return None
        expires = int(upload.expires_at.timestamp())
        signature = self.signer.sign(upload.id, expires)
        base = (url or self.url).rstrip("/")
        return f"{base}{INCOMING}/{upload.id}?expires={expires}&signature={signature}"

    async def uri(self, upload: Upload, url: str | None = None) -> str | None:
        """Where the file is to be put: straight into the store, or as ``link``. Raises Unavailable.

        Asked for again, it may look different.
        """
        if upload.look_at is None or self.drop_store is None or not self.is_awaited(upload):
            return self.link(upload, url)
        lasting = upload.expires_at - self.clock()
        try:
            theirs = await self.drop_store.drop_link(upload.drop_key, lasting=lasting)
        except StoreUnavailable:
            raise Unavailable from None
        return theirs or self.link(upload, url)

    async def to_look_for(self, limit: int) -> Sequence[Upload]:
        """Some whose files go straight into the store, to be looked for now."""

        def unit(transaction: Transaction) -> Sequence[Upload]:
            now = transaction.now()
            due = upload_rows.lock_due(transaction, now, limit)
            for each in due:
                upload_rows.save(transaction, each, each.looked_for(now))
            return due

        return await self.executor.write(unit)

    async def drop(self, upload: Upload) -> None:
        """Delete what was put straight into the store: it cannot be taken over."""
        await self.executor.write(lambda t: doom(t, {upload.drop_key}, t.now()))

    def is_awaited(self, upload: Upload) -> bool:
        """Whether the file can still come."""
        return upload.state is UploadState.WAITING and self.clock() < upload.expires_at

    async def redeem(self, id_: UUID, expires: str, signature: str) -> Upload:
        """The upload that a link of ours opens now. Raises LinkRefused, NotFound."""
        self.signer.check(id_, expires, signature, self.clock())
        upload = await self.executor.read(lambda c: upload_rows.find_any(c, id_))
        return found(upload, COLLECTION, id_)

    async def declare(self, upload: Upload, size: int) -> Upload:
        """Say how many bytes it will have, once. Raises InvalidFields, NotFound, StateConflict."""

        def unit(transaction: Transaction) -> Upload:
            before = awaited(found(upload_rows.lock(transaction, upload.id), COLLECTION, upload.id))
            if size > before.size_limit or before.declared_size not in {None, size}:
                detail = "The size is another one than before, or too large."
                raise InvalidFields(Violation("declared_size", "invalid", detail))
            after = replace(before, declared_size=size)
            upload_rows.save(transaction, before, after)
            return after

        return await self.executor.write(unit)

    async def room(self, upload: Upload, size: int) -> None:
        """Raise QuotaExceeded unless the tenant may store so many bytes more."""
        storage = await self.executor.read(lambda c: storage_rows.find(c, upload.tenant, self.caps))
        if not storage.has_room(size):
            raise QuotaExceeded

    async def settle(self, id_: UUID, master: Master, cover: Proven | None = None) -> Upload:
        """Take over proven bytes, and make the import task or the cover that was wished for.

        What loses a race, or is too much, or comes for an upload that is gone, is doomed. Raises
        NotFound, StateConflict, QuotaExceeded, RelatedNotFound, and as ImportTasks.create.
        """
        thumbnail = {cover.thumbnail} if cover else set()
        size = sum(each.size_bytes for each in (master, *thumbnail))

        def unit(transaction: Transaction) -> Upload:
            before = awaited(found(upload_rows.lock(transaction, id_), COLLECTION, id_))
            if storage_rows.find(transaction.connection, before.tenant, self.caps).quota:
                storage = storage_rows.lock(transaction, before.tenant, self.caps)
                if not storage.has_room(size):
                    raise QuotaExceeded
            return self._settle(transaction, before, master, cover)

        try:
            return await self.executor.write(unit)
        except Unavailable:  # they may be taken over all the same
            raise
        except Refusal:
            await self.discard(master, *thumbnail)
            raise

    async def discard(self, *blobs: Master) -> None:
        """Doom bytes that nothing will name."""
        keys = {each.blob_key for each in blobs}
        await self.executor.write(lambda t: doom(t, keys, t.now()))

    def _settle(
        self, transaction: Transaction, before: Upload, master: Master, cover: Proven | None
    ) -> Upload:
        now = transaction.now()
        after = replace(
            before,
            state=UploadState.IMPORTED if cover else UploadState.STORED,
            version=before.version + 1,
            updated_at=now,
            expires_at=now + KEPT,
            master=None if cover else master,
            look_at=None,
        )
        upload_rows.save(transaction, before, after)
        if after.task is not None:
            self._import(transaction, after, after.task)
        if cover is not None and after.target is not None:
            covers.place(transaction, after.tenant, after.target, master, cover)
        # Last: only now it shows whether something names what has gathered there.
        doom(transaction, {before.drop_key}, now)
        return after

    def _import(self, transaction: Transaction, upload: Upload, wished: NewTask) -> None:
        fields = TaskFields(
            source_upload=upload.id,
            master_type=wished.master_type,
            isrc=wished.isrc or UNSET,
            target=wished.target,
            delivery_profile=wished.delivery_profile or UNSET,
        )
        who = Principal(tenant=upload.tenant, token_id=LINK, scopes=frozenset({TASKS}))
        self.import_tasks.creating(who, fields, required=())(transaction)


def _pin(transaction: Transaction, upload: Upload) -> None:
    target = upload.target
    if target is not None and not rows_of(target.type).pin(transaction, upload.tenant, target.id):
        raise RelatedNotFound("target", target.type, target.id)


def awaited(upload: Upload) -> Upload:
    """The upload. Raises StateConflict when it has its bytes."""
    if upload.state is not UploadState.WAITING:
        raise StateConflict("The file was uploaded already.", str(upload.state))
    return upload


def remove(transaction: Transaction, upload: Upload) -> None:
    """Remove a locked upload; bytes that nothing else names are doomed."""
    upload_rows.remove(transaction, upload)
    keys = {upload.drop_key} | ({upload.master.blob_key} if upload.master else set())
    doom(transaction, keys, transaction.now())


def forget(transaction: Transaction, before: datetime, limit: int) -> int:
    """Remove some uploads that had expired by a moment and that no task is under way with."""
    removed = 0
    for id_ in upload_rows.fetch_expired(transaction.connection, before, limit):
        upload = upload_rows.lock(transaction, id_)
        # Looked at again now that nobody else can change it.
        is_needed = upload_rows.is_under_way(transaction.connection, id_)
        is_kept = upload is not None and upload.state is UploadState.KEPT
        if upload is not None and upload.expires_at <= before and not (is_needed or is_kept):
            remove(transaction, upload)
            removed += 1
    return removed


def release(transaction: Transaction, id_: UUID) -> None:
    """Let a record have the bytes of an upload."""
    before = upload_rows.lock(transaction, id_)
    if before is not None and before.state is UploadState.STORED:
        now = transaction.now()
        state, version = UploadState.IMPORTED, before.version + 1
        after = replace(before, state=state, version=version, updated_at=now, master=None)
        upload_rows.save(transaction, before, after)


def _lock(transaction: Transaction, who: Principal, id_: UUID, version: int | None) -> Upload:
    upload = upload_rows.lock(transaction, id_, who.tenant)
    return at_version(found(upload, COLLECTION, id_), version)


def _audit(transaction: Transaction, who: Principal, action: str, id_: UUID) -> None:
    audit_rows.write(transaction, who, f"{COLLECTION}.{action}", f"{COLLECTION}/{id_}")
