"""The real use cases on a real database, for every suite that needs them."""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from uuid_utils.compat import uuid7

from services.api.db.engine import Engines, open_engines
from services.api.db.migrations import upgrade
from services.api.domain.changes import UNSET
from services.api.domain.lifecycle import Stage
from services.api.domain.principal import SCOPES, Principal
from services.api.domain.runs import Accepted, Go, GoPublish, Limits, Run, Stored
from services.api.domain.task import Master, Target, Task
from services.api.grpc.messages import event_data, event_payload
from services.api.secrets import SecretKeys
from services.api.signals import Signals
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.items import Fields
from services.api.use_cases.use_cases import KEEP, NO_CAPS, PUBLIC_TARGETS, UseCases
from shared.blobs.local import LocalStore
from shared.origin import OriginPolicy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from uuid import UUID

    from services.api.domain.catalogue import Track
    from services.api.domain.keeping import Keep
    from services.api.domain.lifecycle import Status
    from services.api.domain.storage import Caps
    from services.api.use_cases.targets import Targets
    from shared.blobs.base import BlobStore
    from tests.support.postgres import PostgresServer

LIMITS = Limits(lease=timedelta(seconds=30), retry_base=timedelta(seconds=10))
MD5 = "0123456789abcdef0123456789abcdef"
FORMAT = {"container": "RIFF", "codec": "PCM", "channels": 12}
PROFILES = ("atmos", "apple-music")
NOWHERE = LocalStore(Path("/nowhere"))
"""For cores whose tasks have no bytes."""
REPORT = {
    "accepted": True,
    "recognised": "an ADM BWF",
    "profile": "atmos",
    "master_type": "dolby_atmos",
    "format": FORMAT,
    "problems": [{"code": "x", "severity": "warning", "detail": "A warning."}],
    "md5": MD5,
    "size_bytes": 1000,
}
PACKED = gzip.compress(json.dumps(REPORT).encode())
"""A report as a worker sends it."""


def a_principal(tenant: str = "default", *scopes: str) -> Principal:
    """Somebody who may do everything, or just what the scopes say."""
    return Principal(tenant=tenant, token_id="test", scopes=frozenset(scopes or SCOPES))


@dataclass(frozen=True, slots=True)
class Core:
    """The use cases and what they stand on, with short cuts along the life of a task."""

    use_cases: UseCases
    signals: Signals
    engines: Engines

    async def track(self, who: Principal | None = None, title: str = "A track") -> Track:
        """A track."""
        return await self.use_cases.tracks.create(who or a_principal(), Fields(title=title))

    async def task(self, isrc: str = "USRC12345678", who: Principal | None = None) -> Task:
        """A pending task for a track of its own."""
        who = who or a_principal()
        track = await self.track(who)
        fields = TaskFields(
            source_uri="https://cdn.example.com/master.wav",
            isrc=isrc,
            target=Target("tracks", track.id),
        )
        return await self.use_cases.import_tasks.create(who, fields)

    async def tasks(self, tenant: str, number: int, priority: object = UNSET) -> list[UUID]:
        """So many pending tasks of a tenant, without a track."""
        create = self.use_cases.import_tasks.create
        wanted = TaskFields(source_uri="https://cdn.example.com/master.wav", priority=priority)
        return [(await create(a_principal(tenant), wanted)).id for _ in range(number)]

    async def claim(self, task_id: UUID, stage: Stage, generation: int = 1) -> Run:
        """A run that holds the claim."""
        run = Run(stage, generation, uuid7())
        decision = await self.use_cases.runs.claim(task_id, run)
        assert isinstance(decision, (Go, GoPublish)), decision
        return run

    async def store(self, task: Task, blob_key: str | None = None) -> str:
        """Take a task through its download; gives the key of the bytes."""
        run = await self.claim(task.id, Stage.DOWNLOAD, task.generation)
        key = blob_key or f"{task.tenant}/{task.id}/{task.generation}/{run.id}"
        master = Master(blob_key=key, size_bytes=1000, md5=MD5)
        assert await self.use_cases.runs.report(task.id, run, Stored(master=master))
        return key

    async def accept(self, task: Task, report: bytes = b"") -> Task:
        """Take a task through its validation."""
        run = await self.claim(task.id, Stage.VALIDATE, task.generation)
        accepted = Accepted(md5=MD5, size_bytes=1000, format=FORMAT, report=report)
        assert await self.use_cases.runs.report(task.id, run, accepted)
        return await self.use_cases.import_tasks.get(a_principal(task.tenant), task.id)

    async def until(self, task_id: UUID, *statuses: Status) -> Task:
        """Wait until a task has one of these statuses."""
        async with asyncio.timeout(15):
            async for task in self.use_cases.watching.watch(a_principal(), task_id):
                if task.status in statuses:
                    return task
        raise AssertionError(f"{task_id} never was {statuses}")

    async def complete(self, task: Task, report: bytes = b"") -> Task:
        """Take a pending task to its record."""
        await self.store(task)
        return await self.accept(task, report)


@asynccontextmanager
async def open_core(
    url: str,
    *,
    policy: OriginPolicy | None = None,
    limits: Limits = LIMITS,
    keys: SecretKeys | None = None,
    store: BlobStore | None = None,
    caps: Caps = NO_CAPS,
    targets: Targets = PUBLIC_TARGETS,
    retry_scale: float = 1.0,
    keep: Keep = KEEP,
    upload_direct: bool = False,
) -> AsyncIterator[Core]:
    """The use cases over a database whose tables exist; silence is believed at once."""
    engines, signals = open_engines(url), Signals()
    use_cases = UseCases.build(
        engines,
        signals,
        event_payload,
        policy or OriginPolicy(),
        limits,
        PROFILES,
        store=store or NOWHERE,
        keys=keys or SecretKeys.generate(),
        describe=event_data,
        caps=caps,
        targets=targets,
        retry_scale=retry_scale,
        keep=keep,
        upload_direct=upload_direct,
    )
    try:
        yield Core(use_cases, signals, engines)
    finally:
        await use_cases.executor.close()


def migrate(url: str) -> None:
    """Bring an empty database to the present tables; waits, wherever it is called."""

    async def run() -> None:
        engines = open_engines(url)
        await upgrade(engines)
        await engines.dispose()

    with ThreadPoolExecutor(1) as thread:  # the caller may have a loop that runs
        thread.submit(asyncio.run, run()).result()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite database of this test's own."""
    copy = shutil.copy(sqlite_template, tmp_path / "stagedoor.db")
    return f"sqlite+aiosqlite:///{copy}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A migrated database of this test's own, once of each kind."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.database(migrate)
    yield url
    server.take_back(url)


@pytest.fixture
async def core(sqlite_url: str) -> AsyncIterator[Core]:
    """The use cases on SQLite."""
    async with open_core(sqlite_url) as opened:
        yield opened


@pytest.fixture
async def any_core(database_url: str) -> AsyncIterator[Core]:
    """The use cases, once on SQLite and once on PostgreSQL."""
    async with open_core(database_url) as opened:
        yield opened
