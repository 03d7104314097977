"""A download stage over a real store, pointed at an origin that a test scripts."""

from __future__ import annotations

import hashlib
import ipaddress
import random
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.downloader.bandwidth import Bandwidth
from services.downloader.fetch import Fetcher
from services.downloader.gates import Gate, GatedTransport
from services.downloader.http import HttpTransport
from services.downloader.limits import Limits, RangeLimits
from services.downloader.stage import DownloadStage
from shared.blobs.local import LocalStore
from shared.origin import OriginPolicy
from shared.origin.guard import AddressGuard
from shared.stage.job import Failed, Job, Refused, Stored

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

    from shared.blobs.base import BlobStore
    from shared.stage.job import Outcome

BODY = random.Random(7).randbytes(3_000_000)
MD5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
PATH = "/masters/one.wav"

ANY_PORT = (range(1, 65536),)
LOOPBACK = OriginPolicy((ipaddress.ip_network("127.0.0.1/32"),), ANY_PORT)
# Short enough for tests; a wait is only as long as chance has it.
QUICK = Limits(
    max_bytes=10_000_000,
    connect_seconds=2,
    header_seconds=2,
    stall_seconds=2,
    backoff_seconds=0.005,
)


def code(outcome: Outcome) -> str:
    """Return the one problem's code, with the kind of outcome."""
    if isinstance(outcome, Failed):
        return f"failed {outcome.problem.code}"
    assert isinstance(outcome, Refused), outcome
    (problem,) = outcome.problems
    return f"refused {problem.code}"


class SpyGuard(AddressGuard):
    """Notes every address that dialling was begun to."""

    dialled: list[str]

    def open_socket(self, family: socket.AddressFamily, address: str, port: int) -> socket.socket:
        opened = super().open_socket(family, address, port)
        self.dialled.append(address)
        return opened


@dataclass
class Bench:
    """Runs the stage; ``names`` is what the resolver answers, by name, one list after another.

    All runs are of one task and generation. ``store`` may be exchanged.
    """

    folder: Path
    tls: ssl.SSLContext
    policy: OriginPolicy = LOOPBACK
    limits: Limits = QUICK
    ranges: RangeLimits = field(default_factory=RangeLimits)
    bandwidth: Bandwidth = field(default_factory=Bandwidth)
    hosts: Gate = field(default_factory=lambda: Gate(8, busy_reason="host_busy"))
    tenants: Gate = field(default_factory=lambda: Gate(8, busy_reason="tenant_busy"))
    keep_free_bytes: int = 0
    task_id: uuid.UUID = field(default_factory=uuid.uuid4)
    names: dict[str, list[list[str]]] = field(default_factory=dict)
    dialled: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    progress: list[tuple[int, int | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open the store."""
        self.store: BlobStore = LocalStore(self.folder)

    def resolve(self, host: str) -> list[str]:
        self.asked.append(host)
        answers = self.names[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def guard(self) -> AddressGuard:
        guard = SpyGuard(self.policy, resolve=self.resolve)
        guard.dialled = self.dialled
        return guard

    def job(self, url: str, declared_md5: str = "", **fields: Any) -> Job:
        """Return what a run is given; every job is a run of its own."""
        return Job(
            task_id=self.task_id,
            generation=1,
            run_id=uuid.uuid4(),
            tenant="acme",
            master_type="dolby_atmos",
            source_uri=url,
            declared_md5=declared_md5,
            **fields,
        )

    @contextmanager
    def stage(self) -> Iterator[DownloadStage]:
        """Put a stage together as the service does."""
        with HttpTransport(self.guard(), self.tls, self.limits, "Stagedoor/test") as transport:
            fetcher = Fetcher(
                GatedTransport(transport, self.hosts),
                self.policy,
                self.limits,
                self.ranges,
                self.bandwidth,
            )
            yield DownloadStage(
                self.store, fetcher, self.tenants, keep_free_bytes=self.keep_free_bytes
            )

    async def run(self, url: str, declared_md5: str = "", **fields: Any) -> Outcome:
        with self.stage() as stage:
            return await stage.run(self.job(url, declared_md5, **fields), self._note)

    def _note(self, done_bytes: int, total_bytes: int | None) -> None:
        self.progress.append((done_bytes, total_bytes))

    def stored(self, outcome: Outcome) -> bytes:
        """Return the one blob that is there, beside what dead runs left."""
        assert isinstance(outcome, Stored), outcome
        whole = [path for path in self.files() if ".part" not in path.name]
        assert whole == [self.folder / outcome.blob_key]
        return whole[0].read_bytes()

    def files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]
