"""``db copy``: everything arrives, on the other engine and back, or nothing does."""

from __future__ import annotations

import asyncio
import random
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    Float,
    Integer,
    LargeBinary,
    Uuid,
    func,
    select,
    text,
)

from services.api.db.engine import open_engines
from services.api.db.tables import CATALOGUE, import_tasks, metadata
from services.api.db.types import Json, UtcDateTime
from services.api.use_cases import copying
from services.api.use_cases.copying import TABLES, CopyRefused, copy_database
from tests.support.core import Core, a_principal, migrate, open_core

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy import Column, Connection

    from services.api.db.engine import Engines
    from tests.integration.admin.conftest import Admin
    from tests.support.postgres import PostgresServer

ROWS = 5
WHO = a_principal()
FIXED = {
    "status": "completed",
    "publications.status": "published",
    "collection": "import_tasks",
    "run_id": None,
    "lease_until": None,
    "superseded_at": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
}
"""What a column may only have, by its name or by its table's and its own."""
JSONS = [{"b": [1, 2.5, None, True], "a": {"ü": "\U0001f3b5", "small": 1e-7}}, [], ["x", 1e16], {}]


def _value(column: Column[Any], number: int, rng: random.Random) -> Any:
    for name in (str(column), column.name):
        if name in FIXED and not column.primary_key:
            return FIXED[name]
    if column.foreign_keys:
        return uuid.UUID(int=number)
    kinds: list[tuple[Any, Any]] = [
        (Uuid, uuid.UUID(int=number)),
        (Date, date(2026, 1, number)),
        (
            UtcDateTime,
            datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=rng.getrandbits(40)),
        ),
        (type(Json), JSONS[number % len(JSONS)]),
        (LargeBinary, rng.randbytes(number * 100)),
        (Boolean, bool(number % 2)),
        (BigInteger, 2**62 + number),
        (Integer, number),
        (Float, number / 3),
    ]
    for kind, value in kinds:
        if isinstance(column.type, kind):
            return None if column.nullable and number == 1 else value
    return f"é{number}"[: getattr(column.type, "length", None) or 10]


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Engines]:
    engines = open_engines(url)
    try:
        yield engines
    finally:
        await engines.dispose()


async def _fill(engines: Engines) -> None:
    """Rows in every table, with all kinds of values; some null wherever that may be."""
    rng = random.Random(1)
    async with engines.write.begin() as connection:
        for table in TABLES:
            for number in range(1, ROWS + 1):
                values = {column.name: _value(column, number, rng) for column in table.c}
                await connection.execute(table.insert().values(values))


async def _all(engines: Engines) -> dict[str, dict[Any, Any]]:
    def read(connection: Connection) -> dict[str, dict[Any, Any]]:
        return {
            table.name: {
                tuple(row[key] for key in table.primary_key): tuple(row.values())
                for row in connection.execute(select(table)).mappings()
            }
            for table in TABLES
        }

    async with engines.read.connect() as connection:
        return await connection.run_sync(read)


def _sqlite(path: Path) -> str:
    migrate(f"sqlite+aiosqlite:///{path}")
    return f"sqlite+aiosqlite:///{path}"


async def _there_and_back(source: str, other: str, back: str) -> None:
    for give, take in ((source, other), (other, back)):
        async with _opened(give) as given, _opened(take) as taken:
            copied = await copy_database(given, taken)
            assert copied == {table.name: ROWS for table in TABLES}


async def test_everything_arrives_and_comes_back(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    places = [await asyncio.to_thread(_sqlite, tmp_path / name) for name in ("a.db", "c.db")]
    other = await asyncio.to_thread(postgres_server.database, migrate)
    async with _opened(places[0]) as source:
        await _fill(source)
        before = await _all(source)
    await _there_and_back(places[0], other, places[1])
    async with _opened(places[1]) as back:
        assert await _all(back) == before


def test_no_table_counts_by_itself() -> None:
    """A sequence would have to be set after a copy."""
    for table in metadata.tables.values():
        assert table.autoincrement_column is None, table.name


async def test_a_stack_goes_on_with_the_copy(
    tmp_path: Path, postgres_server: PostgresServer, admin: Admin
) -> None:
    source = f"sqlite+aiosqlite:///{tmp_path / 'data/stagedoor.db'}"
    async with open_core(source) as core:
        done = await core.complete(await core.task("USRC12345671"))
        waiting = await core.task("USRC12345672")
    target = postgres_server.database(migrate)
    copied = admin("db", "copy", source, target)
    assert copied.returncode == 0, copied.stderr
    assert "2\timport_tasks\n" in copied.stdout
    async with open_core(target) as core:
        assert await core.use_cases.import_tasks.get(WHO, done.id) == done
        assert (await core.complete(waiting)).record_id is not None


async def _refused(give: str, take: str, why: str) -> None:
    async with _opened(give) as given, _opened(take) as taken:
        with pytest.raises(CopyRefused, match=why):
            await copy_database(given, taken)


async def _tracks(core: Core) -> int:
    count = select(func.count()).select_from(CATALOGUE["tracks"])
    return await core.use_cases.executor.read(lambda c: c.execute(count).scalar_one())


async def test_nobody_may_use_the_source(database_url: str, sqlite_template: Path) -> None:
    target = f"sqlite+aiosqlite:///{sqlite_template.with_name('unused.db')}"
    async with open_core(database_url) as core:
        await core.track()
        await _refused(database_url, target, "Somebody uses")
        await core.track()
        assert await _tracks(core) == 2


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_the_target_must_be_empty_and_stays_as_it_is(
    kind: str, sqlite_url: str, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    async with open_core(sqlite_url) as core:
        await core.task()
    if kind == "sqlite":
        target = await asyncio.to_thread(_sqlite, tmp_path / "b.db")
    else:
        target = await asyncio.to_thread(postgres_server.database, migrate)
    async with open_core(target) as core:
        await core.track()
    await _refused(sqlite_url, target, r"TO is not empty")
    async with open_core(target) as core:
        assert await _tracks(core) == 1


async def test_both_must_have_the_same_tables(sqlite_url: str, tmp_path: Path) -> None:
    await _refused(sqlite_url, f"sqlite+aiosqlite:///{tmp_path / 'no.db'}", "TO: .*no tables yet")


async def test_what_arrives_otherwise_is_noticed_and_undone(
    sqlite_url: str, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_core(sqlite_url) as core:
        await core.task()
    target = postgres_server.database(migrate)
    async with open_core(target) as core:
        spoil = text(
            "CREATE FUNCTION spoil() RETURNS trigger AS "
            "$$ BEGIN NEW.attempts := NEW.attempts + 1; RETURN NEW; END $$ LANGUAGE plpgsql"
        )
        trigger = text(
            "CREATE TRIGGER spoil BEFORE INSERT ON import_tasks "
            "FOR EACH ROW EXECUTE FUNCTION spoil()"
        )
        await core.use_cases.executor.write(
            lambda t: [t.connection.execute(each) for each in (spoil, trigger)]
        )
    monkeypatch.setattr(copying, "BATCH", 1)
    await _refused(sqlite_url, target, "import_tasks did not arrive as it was")
    async with open_core(target) as core:
        count = select(func.count()).select_from(import_tasks)
        assert await core.use_cases.executor.read(lambda c: c.execute(count).scalar_one()) == 0
        assert await _tracks(core) == 0
