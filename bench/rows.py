"""A database with as many tasks as a benchmark wants, and the kept counts that go with them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import func, insert, select, text

from services.api.db.catalogue_tables import TABLES, numbers
from services.api.db.engine import is_sqlite, open_engines
from services.api.db.tables import import_tasks, totals
from services.api.db.task_rows import COLLECTION, OF_TYPE
from services.api.domain.lifecycle import Status
from services.api.domain.nouns import TRACKS
from services.api.domain.task import DOLBY_ATMOS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

TENANT: Final = "default"
TRACK_COUNT: Final = 1000
_BATCH: Final = 5000
_EVERY: Final = timedelta(seconds=1)
# Of a hundred, so many each; none is due, so that nobody works on them.
_SHARES: Final = {Status.COMPLETED: 90, Status.DOWNLOAD_FAILED: 6, Status.VALIDATION_FAILED: 4}
_STATUSES: Final = [status for status, share in _SHARES.items() for _ in range(share)]


def fill(url: str, count: int) -> None:
    """Put so many tasks of the tenant ``default`` into tables that are empty."""
    asyncio.run(_fill(url, count))


def some(url: str, count: int) -> tuple[str, list[str]]:
    """The id of a track, and those of so many tasks, spread over all."""
    return asyncio.run(_some(url, count))


async def _some(url: str, count: int) -> tuple[str, list[str]]:
    engines, id_ = open_engines(url), import_tasks.c.id
    try:
        async with engines.read.connect() as connection:
            total = await connection.scalar(select(func.count()).select_from(import_tasks)) or 0
            every = max(1, total // count)
            found = await connection.scalars(
                select(id_).where(import_tasks.c.number % every == 0).order_by(id_).limit(count)
            )
            track = await connection.scalar(select(TABLES["tracks"].c.id).limit(1))
            return str(track), [str(each) for each in found]
    finally:
        await engines.dispose()


async def _fill(url: str, count: int) -> None:
    engines = open_engines(url)
    try:
        async with engines.write.begin() as connection:
            await connection.run_sync(_fill_tables, count)
        async with engines.read.connect() as connection:
            await connection.execute(text("ANALYZE" if is_sqlite(url) else "VACUUM ANALYZE"))
    finally:
        await engines.dispose()


def _fill_tables(connection: Connection, count: int) -> None:
    begun = datetime.now(UTC) - count * _EVERY
    tracks = [_track(begun, number) for number in range(TRACK_COUNT)]
    connection.execute(insert(TABLES["tracks"]), tracks)
    rows = _tasks(count, begun, [track["id"] for track in tracks])
    while batch := [row for _, row in zip(range(_BATCH), rows, strict=False)]:
        connection.execute(insert(import_tasks), batch)
    taken = {"importTasks": count, TRACKS.collection: TRACK_COUNT}
    for collection, number in taken.items():
        connection.execute(
            insert(numbers).values(tenant=TENANT, collection=collection, next=number + 1)
        )
    for collection in (COLLECTION, OF_TYPE.format(master_type=DOLBY_ATMOS)):
        tenant, status, n = import_tasks.c.tenant, import_tasks.c.status, func.count()
        counted = select(tenant, text(f"'{collection}'"), status, n).group_by(tenant, status)
        names = ["tenant", "collection", "status", "n"]
        connection.execute(insert(totals).from_select(names, counted))


def _id(at: datetime, number: int) -> UUID:
    """A UUIDv7 of this moment (RFC 9562 §5.7), with a number where others have random bits."""
    milliseconds = int(at.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | number)


def _track(at: datetime, number: int) -> dict[str, Any]:
    return {
        "id": _id(at, number),
        "tenant": TENANT,
        "version": 1,
        "created_at": at,
        "updated_at": at,
        "number": number + 1,
        "title": f"Track {number}",
    }


def _tasks(count: int, begun: datetime, tracks: list[UUID]) -> Iterator[dict[str, Any]]:
    for number in range(count):
        at, status = begun + number * _EVERY, _STATUSES[number * 37 % 100]
        yield {
            "id": _id(at, number),
            "tenant": TENANT,
            "status": status,
            "generation": 1,
            "version": 5,
            "created_at": at,
            "updated_at": at,
            "attempts": 2,
            "published": 1,
            "problems": [],
            "master_type": DOLBY_ATMOS,
            "source_uri": f"https://cdn.example.com/masters/{number}.wav",
            "isrc": f"USRC2{number:07}",
            "target_type": "tracks",
            "target_id": tracks[number % len(tracks)],
            "number": number + 1,
        }
