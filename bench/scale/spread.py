"""What a database has that has been in use: rows as functions of a number, made by the database.

Of a thousand tasks the tenant ``default`` has eight hundred and each of twenty small ones has ten.
All statuses and master types are there, targets with their products and distributors, and what
comes with tasks: records, reports, events that wait, tombstones, idempotency keys, the audit log,
bytes that are to be deleted later, publications.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import LargeBinary, Text, case, cast, literal, select

from bench.rows import TENANT
from bench.scale.words import moment_of, series, uuid_of
from services.api.db import tables
from services.api.db.publishing_tables import COUNTS
from services.api.db.types import Json, UtcDateTime
from services.api.domain.lifecycle import FAILED, STAGES, PublicationStatus, Status
from services.api.domain.nouns import DISTRIBUTORS, PRODUCTS, TRACKS
from services.api.domain.task import MASTER_TYPES
from tests.support.core import FORMAT, MD5, PACKED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement, FromClause, Select, Table

BLOCK: Final = 1000
"""Tasks are made by so many: in each thousand everything is."""
LARGE: Final = TENANT
SMALL: Final = "tenant-1"
_OF_LARGE: Final = 800
_OF_SMALL: Final = 10
_SMALL: Final = (BLOCK - _OF_LARGE) // _OF_SMALL
_TRACKS_OF_LARGE: Final = 80
_PRODUCTS_OF_LARGE: Final = 4
_TRACKS: Final = _TRACKS_OF_LARGE + _SMALL
_PRODUCTS: Final = _PRODUCTS_OF_LARGE + _SMALL
_DISTRIBUTORS: Final = 20
_BYTES: Final = 1000
_EVERY_MS: Final = 500
_ACTIVE: Final = 10 * BLOCK
_MINUTE_MS: Final = 60_000
# Of the "minimal standard" generator: spreads, and is the same each time.
_MULTIPLIER: Final = 48271
_MODULUS: Final = 2**31 - 1
# Of a thousand tasks, up to where; those that are not final are the newest.
_STATUSES: Final = {
    Status.COMPLETED: 900,
    Status.DOWNLOAD_FAILED: 950,
    Status.VALIDATION_FAILED: 990,
    Status.PENDING: 994,
    Status.DOWNLOADING: 996,
    Status.DOWNLOADED: 998,
    Status.VALIDATING: 1000,
}
# Of a hundred.
_TYPES: Final = {each: 70 + 5 * place for place, each in enumerate(MASTER_TYPES)}
# Of a thousand: those that were started again, and have what few have; those with a report.
_AGAIN: Final = 20
_REPORTED: Final = 100
_JUDGED: Final = (Status.COMPLETED, Status.VALIDATION_FAILED)
_FETCHED: Final = (Status.DOWNLOADED, Status.VALIDATING, *_JUDGED)
_DUE: Final = tuple(each for stage in STAGES.values() for each in (stage.waiting, stage.running))
_RUNNING: Final = tuple(stage.running for stage in STAGES.values())
_PROBLEM: Final = {"code": "x", "severity": "error", "detail": "It is wrong."}


class _Kind(IntEnum):
    """Of what an id is."""

    TASK = auto()
    RUN = auto()
    RECORD = auto()
    RECORD_BEFORE = auto()
    AUDIT = auto()
    EVENT = auto()
    GONE = auto()
    TRACK = auto()
    PRODUCT = auto()
    DISTRIBUTOR = auto()
    JOB = auto()
    PUBLICATION = auto()


@dataclass(frozen=True)
class Spread:
    """The rows that come with the tasks of these numbers, whole thousands of them up to the last.

    The first task of the database is as old as ``begun``. What is kept for a short time only is
    from ``now``; what runs or waits does so until ``later``.
    """

    tasks: range
    last: int
    begun: datetime
    now: datetime
    later: datetime

    def rows(self) -> Iterator[tuple[Table, Select[Any]]]:
        """The rows of each table, in the order to write them in."""
        blocks = range(self.tasks.start // BLOCK, self.tasks.stop // BLOCK)
        if blocks.start == 0:
            yield tables.CATALOGUE[DISTRIBUTORS.collection], self._distributors()
        yield tables.CATALOGUE[PRODUCTS.collection], self._products(blocks)
        yield tables.CATALOGUE[TRACKS.collection], self._tracks(blocks)
        yield tables.publish_jobs, self._jobs(blocks)
        tasks = self._tasks
        yield tables.import_tasks, select(*(c for c in tasks.c if c.name in tables.import_tasks.c))
        yield tables.records, self._records()
        yield tables.records, self._records_before()
        yield tables.validation_reports, self._reports()
        yield tables.audit_log, self._audit()
        yield tables.outbox, self._events()
        yield tables.tombstones, self._tombstones()
        yield tables.idempotency_keys, self._keys()
        yield tables.doomed_blobs, self._doomed()
        yield tables.publications, self._publications()

    @cached_property
    def _begun_ms(self) -> int:
        return int(self.begun.timestamp() * 1000)

    @cached_property
    def _drawn(self) -> FromClause:
        """Of each task its number, its tenant's, its place in its thousand, and what was drawn."""
        n = series(self.tasks).c.n
        place, drawn = n % BLOCK, n * _MULTIPLIER % _MODULUS
        at, share = self._begun_ms + n * _EVERY_MS, drawn // (BLOCK * 100) % BLOCK
        is_new = n >= self.last - _ACTIVE
        luck = case((is_new, drawn % BLOCK), else_=drawn % _STATUSES[Status.VALIDATION_FAILED])
        return select(
            n,
            at.label("at"),
            (n // BLOCK).label("block"),
            place.label("place"),
            case((place < _OF_LARGE, 0), else_=1 + (place - _OF_LARGE) // _OF_SMALL).label("of"),
            share.label("share"),
            _id(at, _Kind.TASK, n).label("id"),
            _chosen(luck, _STATUSES).label("status"),
            _chosen(drawn // BLOCK % 100, _TYPES).label("master_type"),
            case((share < _AGAIN, 2), else_=1).label("generation"),
        ).subquery("drawn")

    @cached_property
    def _tasks(self) -> FromClause:
        """Columns of tasks, beside what was drawn; those are left out that nothing stands in."""
        d = self._drawn.c
        is_fetched, is_running = d.status.in_(_FETCHED), d.status.in_(_RUNNING)
        is_large, is_done = d.of == 0, d.status == str(Status.COMPLETED)
        track = d.block * _TRACKS + case(
            (is_large, d.place % _TRACKS_OF_LARGE), else_=_TRACKS_OF_LARGE + d.of - 1
        )
        later, id_text = literal(self.later, UtcDateTime), cast(d.id, Text)
        return select(
            *self._drawn.c,
            _tenant(d.of).label("tenant"),
            literal(5).label("version"),
            moment_of(d.at).label("created_at"),
            moment_of(d.at + _MINUTE_MS).label("updated_at"),
            case((d.status.in_(_DUE), later)).label("due_at"),
            literal(1).label("attempts"),
            literal(1).label("published"),
            case((is_running, _id(d.at, _Kind.RUN, d.n))).label("run_id"),
            case((is_running, later)).label("lease_until"),
            case((is_running, later)).label("deadline"),
            case(
                (d.status.in_([*FAILED]), literal([_PROBLEM], Json)), else_=literal([], Json)
            ).label("problems"),
            ("https://cdn.example.com/masters/" + cast(d.n, Text) + ".wav").label("source_uri"),
            ("USRC" + cast(10_000_000 + d.n, Text)).label("isrc"),
            literal(TRACKS.collection).label("target_type"),
            self._item(_Kind.TRACK, track).label("target_id"),
            case((is_fetched, _tenant(d.of) + "/" + id_text + "/1/" + id_text)).label("blob_key"),
            case((is_fetched, _BYTES)).label("size_bytes"),
            case((is_fetched, MD5)).label("actual_md5"),
            case((is_done, literal(FORMAT, Json))).label("format"),
            case((is_done, _id(d.at, _Kind.RECORD, d.n))).label("record_id"),
            (d.status.in_(_JUDGED) & (d.share < _REPORTED)).label("has_report"),
            (d.n + 1).label("number"),
            self._item(_Kind.PRODUCT, _product(track)).label("product_id"),
            self._distributor(d.of, _product(track)).label("distributor_id"),
        ).subquery("tasks")

    def _item(self, kind: _Kind, number: Any) -> ColumnElement[Any]:
        """The id of what is as old as the database."""
        return _id(self._begun_ms, kind, number)

    def _distributor(self, of: Any, product: Any) -> ColumnElement[Any]:
        return self._item(_Kind.DISTRIBUTOR, of * _DISTRIBUTORS + product % _DISTRIBUTORS)

    def _plain(self, kind: _Kind, n: Any, of: Any) -> Iterator[ColumnElement[Any]]:
        """What every item of the catalogue has."""
        yield self._item(kind, n).label("id")
        yield _tenant(of).label("tenant")
        yield literal(1).label("version")
        yield literal(self.begun, UtcDateTime).label("created_at")
        yield literal(self.begun, UtcDateTime).label("updated_at")
        yield (n + 1).label("number")

    def _distributors(self) -> Select[Any]:
        n = series(range(_DISTRIBUTORS * (1 + _SMALL))).c.n
        plain = self._plain(_Kind.DISTRIBUTOR, n, n // _DISTRIBUTORS)
        return select(*plain, literal("A distributor").label("display_name"))

    def _products(self, blocks: range) -> Select[Any]:
        n = series(range(blocks.start * _PRODUCTS, blocks.stop * _PRODUCTS)).c.n
        of = case(
            (n % _PRODUCTS < _PRODUCTS_OF_LARGE, 0), else_=n % _PRODUCTS - _PRODUCTS_OF_LARGE + 1
        )
        belongs = self._distributor(of, n).label("distributor_id")
        return select(
            *self._plain(_Kind.PRODUCT, n, of), literal("A product").label("title"), belongs
        )

    def _tracks(self, blocks: range) -> Select[Any]:
        n = series(range(blocks.start * _TRACKS, blocks.stop * _TRACKS)).c.n
        of = case((n % _TRACKS < _TRACKS_OF_LARGE, 0), else_=n % _TRACKS - _TRACKS_OF_LARGE + 1)
        belongs = self._item(_Kind.PRODUCT, _product(n)).label("product_id")
        return select(*self._plain(_Kind.TRACK, n, of), literal("A track").label("title"), belongs)

    def _jobs(self, blocks: range) -> Select[Any]:
        """One for each thousand tasks, of the large tenant."""
        n = series(blocks).c.n
        named = (literal("A job").label("display_name"), literal(value=False).label("is_default"))
        counts = (literal(0).label(name) for name in COUNTS.values())
        return select(*self._plain(_Kind.JOB, n, literal(0)), *named, *counts)

    def _records(self) -> Select[Any]:
        t = self._tasks.c
        return self._accepted(t.record_id, t.blob_key).add_columns(
            case((t.has_report, t.generation)).label("report_generation")
        )

    def _records_before(self) -> Select[Any]:
        """Those of tasks that were started again."""
        t = self._tasks.c
        old = _id(t.at, _Kind.RECORD_BEFORE, t.n)
        superseded = self._accepted(old, t.blob_key + "-before").where(t.generation > 1)
        return superseded.add_columns(t.updated_at.label("superseded_at"))

    def _accepted(self, id_: Any, key: Any) -> Select[Any]:
        t = self._tasks.c
        return select(
            id_.label("id"),
            *(t.tenant, t.target_type, t.target_id, t.isrc, t.master_type, t.size_bytes, t.format),
            t.id.label("task_id"),
            key.label("blob_key"),
            t.actual_md5.label("md5"),
            t.problems,
            t.updated_at.label("created_at"),
        ).where(t.status == str(Status.COMPLETED))

    def _reports(self) -> Select[Any]:
        t = self._tasks.c
        body = literal(PACKED, LargeBinary).label("body")
        made = t.updated_at.label("created_at")
        return select(t.id.label("task_id"), t.generation, t.tenant, body, made).where(t.has_report)

    def _audit(self) -> Select[Any]:
        t = self._tasks.c
        said = {"principal": "bench", "action": "importTasks.create", "address": "127.0.0.1"}
        return select(
            _id(t.at, _Kind.AUDIT, t.n).label("id"),
            *(t.tenant, t.created_at),
            ("importTasks/" + cast(t.id, Text)).label("resource"),
            *(literal(value).label(name) for name, value in said.items()),
        )

    def _events(self) -> Select[Any]:
        """Such as wait while the broker is away."""
        t = self._tasks.c
        return select(
            _id(t.at, _Kind.EVENT, t.n).label("id"),
            ("stagedoor.events." + t.tenant + ".import_task.completed").label("subject"),
            literal("stagedoor.import_task.completed").label("type"),
            literal(bytes(300), LargeBinary).label("payload"),
            t.created_at.label("time"),
        ).where(t.share < _AGAIN)

    def _tombstones(self) -> Select[Any]:
        t = self._tasks.c
        gone = _id(t.at, _Kind.GONE, t.n).label("task_id")
        now = literal(self.now, UtcDateTime).label("deleted_at")
        return select(gone, t.tenant, t.version, now, t.master_type).where(t.share < _AGAIN)

    def _keys(self) -> Select[Any]:
        t = self._tasks.c
        return select(
            t.tenant,
            ("key-" + cast(t.n, Text)).label("key"),
            literal(MD5 + MD5).label("fingerprint"),
            literal({}, Json).label("answer"),
            literal(self.now, UtcDateTime).label("created_at"),
        ).where(t.share < _AGAIN)

    def _doomed(self) -> Select[Any]:
        t = self._tasks.c
        later = literal(self.later, UtcDateTime).label("doomed_at")
        key = (t.tenant + "/doomed/" + cast(t.n, Text)).label("blob_key")
        return select(key, later).where(t.share < _AGAIN)

    def _publications(self) -> Select[Any]:
        t = self._tasks.c
        return select(
            _id(t.at, _Kind.PUBLICATION, t.n).label("id"),
            *(t.tenant, t.version, t.created_at, t.updated_at, t.attempts, t.published),
            *(t.problems, t.number, t.record_id),
            literal(1).label("generation"),
            literal(str(PublicationStatus.PUBLISHED)).label("status"),
            self._item(_Kind.JOB, t.block).label("job_id"),
            t.id.label("task_id"),
            literal(["mp3"], Json).label("formats"),
            literal({}, Json).label("metadata"),
        ).where(t.share < _AGAIN, t.of == 0, t.status == str(Status.COMPLETED))


def _id(at: Any, kind: _Kind, number: Any) -> ColumnElement[Any]:
    return uuid_of(at, int(kind), number)


def _chosen(drawn: Any, ends: Mapping[Any, int]) -> ColumnElement[str]:
    """The first whose end is beyond what was drawn."""
    return case(*((drawn < end, str(each)) for each, end in ends.items()))


def _tenant(of: Any) -> ColumnElement[str]:
    return case((of == 0, LARGE), else_="tenant-" + cast(of, Text))


def _product(track: Any) -> Any:
    """The number of a track's product: those of small tenants have one track each."""
    place = track % _TRACKS
    of_large = place // (_TRACKS_OF_LARGE // _PRODUCTS_OF_LARGE)
    of_small = place - _TRACKS_OF_LARGE + _PRODUCTS_OF_LARGE
    in_block = case((place < _TRACKS_OF_LARGE, of_large), else_=of_small)
    return track // _TRACKS * _PRODUCTS + in_block
