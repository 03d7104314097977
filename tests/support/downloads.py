"""A download stage over a real store, pointed at an origin that a test scripts."""

from __future__ import annotations

import hashlib
import ipaddress
import random
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.downloader.fetch import Fetcher
from services.downloader.guard import AddressGuard
from services.downloader.http import HttpTransport
from services.downloader.limits import Limits
from services.downloader.stage import DownloadStage
from shared.blobs.local import LocalStore
from shared.origin import OriginPolicy
from shared.stage.job import Failed, Job, Refused, Stored

if TYPE_CHECKING:
    import socket
    import ssl
    from pathlib import Path

    from aiohappyeyeballs import AddrInfoType

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

    def open_socket(self, info: AddrInfoType) -> socket.socket:
        opened = super().open_socket(info)
        self.dialled.append(str(info[4][0]))
        return opened


@dataclass
class Bench:
    """Runs the stage; ``names`` is what the resolver answers, by name, one list after another."""

    folder: Path
    tls: ssl.SSLContext
    policy: OriginPolicy = LOOPBACK
    limits: Limits = QUICK
    names: dict[str, list[list[str]]] = field(default_factory=dict)
    dialled: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    progress: list[tuple[int, int | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open the store."""
        self.store = LocalStore(self.folder)

    async def resolve(self, host: str) -> list[str]:
        self.asked.append(host)
        answers = self.names[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def guard(self) -> AddressGuard:
        guard = SpyGuard(self.policy, resolve=self.resolve)
        guard.dialled = self.dialled
        return guard

    async def run(self, url: str, declared_md5: str = "") -> Outcome:
        job = Job(
            task_id=uuid.uuid4(),
            generation=1,
            run_id=uuid.uuid4(),
            tenant="acme",
            master_type="dolby_atmos",
            source_uri=url,
            declared_md5=declared_md5,
        )
        async with HttpTransport(
            self.guard(), self.tls, self.limits, "Stagedoor/test"
        ) as transport:
            fetcher = Fetcher(transport, self.policy, self.limits)
            return await DownloadStage(self.store, fetcher).run(job, self._note)

    def _note(self, done_bytes: int, total_bytes: int | None) -> None:
        self.progress.append((done_bytes, total_bytes))

    def stored(self, outcome: Outcome) -> bytes:
        """Return the one blob that is there."""
        assert isinstance(outcome, Stored), outcome
        assert self.files() == [self.folder / outcome.blob_key]
        return (self.folder / outcome.blob_key).read_bytes()

    def files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]
