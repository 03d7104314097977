"""Publications: masters in a publish job, the formats wanted of them, and links to what came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.db import (
    audit_rows,
    publication_rows,
    publish_job_rows,
    record_rows,
    task_rows,
)
from services.api.db.publication_rows import COLLECTION
from services.api.domain.changes import UNSET, Unset, pick
from services.api.domain.errors import InvalidFields, RelatedNotFound, Violation
from services.api.domain.lifecycle import PublicationStatus
from services.api.domain.nouns import TRACKS
from services.api.domain.publishing import FORMATS, Publication, Start, formats_of, redraft
from services.api.domain.task import Target
from services.api.domain.values import is_one_line
from services.api.use_cases import masters
from services.api.use_cases.fields import Reader
from services.api.use_cases.found import at_version, found
from services.api.use_cases.import_tasks import COLLECTION as IMPORT_TASKS
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.once import run_one_once
from services.api.use_cases.options import AT_ONCE, Options
from services.api.use_cases.publish_jobs import READ, WRITE, queue_draft
from services.api.use_cases.settings import usual_master_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction
    from services.api.domain.catalogue import Track
    from services.api.domain.page import Page
    from services.api.domain.principal import Principal
    from services.api.domain.queries import PublicationQuery
    from services.api.use_cases.import_tasks import ImportTasks
    from services.api.use_cases.items import Fields, Items

    Unit = Callable[[Transaction], Publication]

MAX_ENTRIES, MAX_KEY, MAX_VALUE = 64, 128, 4096
MAX_FILE_NAME = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationFields:
    """The values of a request as the client wrote them; UNSET where it wrote none.

    What is published is the master of ``import_task`` or of ``record``, or of an import that is
    made along with the publication (``new_task``), for a track that may be made along too
    (``new_track``): unless there is a track for another file in the job that has the same
    ``file_name`` but for its extension. ``start`` says when it is queued.
    """

    job: UUID | None = None
    import_task: UUID | None = None
    record: UUID | None = None
    new_task: TaskFields | None = None
    new_track: Fields | None = None
    formats: object = UNSET
    metadata: object = UNSET
    file_name: object = UNSET
    start: Start = Start.WITH_JOB


@dataclass(frozen=True, slots=True)
class Publications:
    """What clients can do with publications."""

    executor: Executor
    import_tasks: ImportTasks
    tracks: Items[Track]

    async def create(
        self, who: Principal, fields: PublicationFields, *, options: Options = AT_ONCE
    ) -> Publication:
        """Put a master into a job, as a draft that is queued when ``fields`` say so.

        Raises InvalidFields, RelatedNotFound for a job or a master that does not exist, KeyReused,
        and as ImportTasks.create for a task that is made along.
        """
        told = replace(fields, new_task=None)
        asked = (COLLECTION, "create", told, self._told(fields))
        return await run_one_once(self.executor, who, options, asked, self.creating(who, fields))

    def creating(self, who: Principal, fields: PublicationFields) -> Unit:
        """The unit of ``create``."""
        who.require(WRITE)
        formats, metadata = read_formats(fields.formats), _read_metadata(fields.metadata)
        file_name = _read_file_name(fields.file_name)

        def unit(transaction: Transaction) -> Publication:
            first = _first(transaction, who.tenant, fields.job, file_name)
            task_id = self._master(transaction, who, fields, first)
            connection, now = transaction.connection, transaction.now()
            if fields.job is None:
                raise InvalidFields(Violation("publish_job", "required", "A job is required."))
            if publish_job_rows.find(connection, who.tenant, fields.job) is None:
                raise RelatedNotFound("publish_job", publish_job_rows.COLLECTION, fields.job)
            publication = Publication(
                id=uuid7(),
                tenant=who.tenant,
                number=transaction.number(who.tenant, COLLECTION),
                job_id=fields.job,
                task_id=task_id,
                formats=pick(
                    formats, formats_of(file_name or "", None if first is None else first.file_name)
                ),
                metadata=pick(metadata, {}),
                file_name=file_name,
                status=PublicationStatus.DRAFT,
                generation=0,
                version=1,
                created_at=now,
                updated_at=now,
                due_at=None,
            )
            publication_rows.insert(transaction, publication)
            _audit(transaction, who, "create", publication.id)
            return _started(transaction, publication, fields.start)

        return unit

    async def get(self, who: Principal, id_: UUID) -> Publication:
        """One publication, with its renditions. Raises NotFound."""
        who.require(READ)
        there = await self.executor.read(lambda c: publication_rows.find(c, who.tenant, id_))
        return found(there, COLLECTION, id_)

    async def list(self, who: Principal, query: PublicationQuery) -> Page[Publication]:
        """A page of the tenant's publications, oldest first unless ordered otherwise."""
        who.require(READ)
        return await self.executor.read(lambda c: publication_rows.fetch_page(c, who.tenant, query))

    async def update(
        self,
        who: Principal,
        id_: UUID,
        fields: PublicationFields,
        *,
        version: int | None = None,
        options: Options = AT_ONCE,
    ) -> Publication:
        """Change formats or metadata: a publication that has ended is a draft again.

        Raises InvalidFields, NotFound, EtagMismatch, KeyReused, and StateConflict while it is under
        way.
        """
        who.require(WRITE)
        formats, metadata = read_formats(fields.formats), _read_metadata(fields.metadata)

        def unit(transaction: Transaction) -> Publication:
            before = _lock(transaction, who, id_, version)
            wanted = pick(formats, before.formats), pick(metadata, before.metadata)
            if wanted == (before.formats, before.metadata):
                return before
            after = redraft(before, *wanted, transaction.now())
            publication_rows.save(transaction, before, after)
            _audit(transaction, who, "update", id_)
            return after

        asked = (COLLECTION, "update", id_, fields, version)
        return await run_one_once(self.executor, who, options, asked, unit)

    async def delete(self, who: Principal, id_: UUID, *, version: int | None = None) -> None:
        """Remove a publication and its renditions, and stop it. Raises NotFound, EtagMismatch."""
        who.require(WRITE)

        def unit(transaction: Transaction) -> None:
            publication = _lock(transaction, who, id_, version)
            publication_rows.remove(transaction, publication)
            keys = {each.blob_key for each in publication.renditions}
            masters.doom(transaction, keys, transaction.now())
            _audit(transaction, who, "delete", id_)

        await self.executor.write(unit)

    def _master(
        self,
        transaction: Transaction,
        who: Principal,
        fields: PublicationFields,
        first: Publication | None,
    ) -> UUID:
        """The task whose master it is. Raises InvalidFields, RelatedNotFound."""
        match fields.import_task, fields.record, fields.new_task:
            case None, None, TaskFields() as new:
                target = None if first is None else _target_of(transaction, first)
                if target is not None and fields.new_track is not None:
                    return self._import(transaction, who, replace(new, target=target), None)
                return self._import(transaction, who, new, fields.new_track)
            case None, UUID() as id_, None:
                record = record_rows.find(transaction.connection, who.tenant, id_)
                if record is None:
                    raise RelatedNotFound("record", record_rows.COLLECTION, id_)
                task_rows.lock(transaction, record.task_id)
                return record.task_id
            case UUID() as id_, None, None:
                if task_rows.lock(transaction, id_, who.tenant) is None:
                    raise RelatedNotFound("import_task", IMPORT_TASKS, id_)
                return id_
            case _:
                detail = "One of an import task, a record and a new import task is required."
                raise InvalidFields(Violation("import_task", "required", detail))

    def _import(
        self, transaction: Transaction, who: Principal, new: TaskFields, track: Fields | None
    ) -> UUID:
        if isinstance(new.master_type, Unset):
            new = replace(new, master_type=usual_master_type(transaction.connection, who.tenant))
        if track is not None:
            made = self.tracks.creating(who, track)(transaction)
            new = replace(new, target=Target(TRACKS.collection, made.id))
        return self.import_tasks.creating(who, new, required=())(transaction).id

    def _told(self, fields: PublicationFields) -> object:
        return None if fields.new_task is None else self.import_tasks.told(fields.new_task)


def _first(
    transaction: Transaction, tenant: str, job: UUID | None, file_name: str | None
) -> Publication | None:
    """The first of the files of the same track in the job, if this is a further one."""
    if job is None or file_name is None:
        return None
    return publication_rows.first_of_file(transaction.connection, tenant, job, file_name)


def _target_of(transaction: Transaction, publication: Publication) -> Target | None:
    task = task_rows.find(transaction.connection, publication.tenant, publication.task_id)
    return None if task is None else task.target


def _started(transaction: Transaction, draft: Publication, start: Start) -> Publication:
    """A new draft, queued if that is wanted at once; its job is run later if that is."""
    if start is Start.WHEN_QUIET:
        publish_job_rows.run_when_quiet(transaction, draft.job_id)
    task = task_rows.lock(transaction, draft.task_id) if start is Start.AT_ONCE else None
    return draft if task is None else queue_draft(transaction, draft, task)


def _read_file_name(value: object) -> str | None:
    reader = Reader((), creating=True)
    name = reader.line("file_name", value, MAX_FILE_NAME)
    reader.finish()
    return pick(name, None)


def read_formats(value: object) -> tuple[str, ...] | Unset:
    """Formats as they are kept, each once, in the order of the request. Raises InvalidFields."""
    if isinstance(value, Unset):
        return value
    known = ", ".join(FORMATS)
    violation = Violation("formats", "invalid", f"The formats are one or more of {known}.")
    if not isinstance(value, (list, tuple)) or not value:
        raise InvalidFields(violation)
    if not all(isinstance(each, str) and each in FORMATS for each in value):
        raise InvalidFields(violation)
    return tuple(dict.fromkeys(value))


def _read_metadata(value: object) -> Mapping[str, str] | Unset:
    if isinstance(value, Unset):
        return value
    if (
        not isinstance(value, Mapping)
        or len(value) > MAX_ENTRIES
        or not all(_is_entry(*each) for each in value.items())
    ):
        detail = (
            f"At most {MAX_ENTRIES} texts by name: one line of at most {MAX_VALUE} characters,"
            f" names of at most {MAX_KEY}."
        )
        raise InvalidFields(Violation("metadata", "invalid", detail))
    return dict(value)


def _is_entry(name: object, value: object) -> bool:
    return (
        isinstance(name, str)
        and isinstance(value, str)
        and 0 < len(name) <= MAX_KEY
        and len(value) <= MAX_VALUE
        and is_one_line(name)
        and is_one_line(value)
    )


def _lock(transaction: Transaction, who: Principal, id_: UUID, version: int | None) -> Publication:
    publication = publication_rows.lock(transaction, id_, who.tenant)
    return at_version(found(publication, COLLECTION, id_), version)


def _audit(transaction: Transaction, who: Principal, action: str, id_: UUID) -> None:
    audit_rows.write(transaction, who, f"{COLLECTION}.{action}", f"{COLLECTION}/{id_}")
