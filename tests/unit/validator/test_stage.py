"""The validate stage: what it answers for good bytes, bad bytes, other bytes and no bytes."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from cli.demo.master import Spec, write_master
from services.validator.sandbox import Limits
from services.validator.stage import ValidateStage
from shared.blobs.base import StoreUnavailable
from shared.blobs.local import LocalStore
from shared.stage.job import Accepted, Failed, Job, Refused, Released, Stage
from tests.support.media.others import stereo_wave

if TYPE_CHECKING:
    from pathlib import Path

    from services.validator.profile import Profile

KEY = "default/task/1/run"


class Seen:
    """Notes the progress that is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int | None]] = []

    def __call__(self, done_bytes: int, total_bytes: int | None) -> None:
        self.calls.append((done_bytes, total_bytes))


def job_for(data: bytes, **changes: object) -> Job:
    fields: dict[str, object] = {
        "task_id": UUID(int=1),
        "generation": 1,
        "run_id": UUID(int=2),
        "tenant": "default",
        "master_type": "dolby_atmos",
        "blob_key": KEY,
        "size_bytes": len(data),
        "actual_md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
    }
    return Job(**(fields | changes))  # type: ignore[arg-type] # the changes are fields by name


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "blobs")


async def put(store: LocalStore, data: bytes) -> None:
    async with store.create(KEY) as sink:
        await sink.write(data)
        await sink.commit()


@pytest.fixture
def master(tmp_path: Path) -> bytes:
    path = tmp_path / "master.wav"
    write_master(path, Spec(seconds=1.5))
    return path.read_bytes()


async def test_a_master_is_accepted(store: LocalStore, master: bytes, atmos: Profile) -> None:
    await put(store, master)
    stage: Stage = ValidateStage(store, atmos)
    progress = Seen()
    job = job_for(master)

    outcome = await stage.run(job, progress)

    assert isinstance(outcome, Accepted)
    assert (outcome.md5, outcome.size_bytes) == (job.actual_md5, len(master))
    assert (outcome.format.bed_channels, outcome.format.objects) == (10, 4)
    assert progress.calls[-1] == (len(master), len(master))
    assert len(progress.calls) > 1


async def test_an_ordinary_wave_is_refused(store: LocalStore, atmos: Profile) -> None:
    data = stereo_wave()
    await put(store, data)

    outcome = await ValidateStage(store, atmos).run(job_for(data), Seen())

    assert isinstance(outcome, Refused)
    assert [problem.code for problem in outcome.problems] == ["no_atmos"]
    assert outcome.format is not None
    assert outcome.format.sample_rate_hertz == 44_100


@pytest.mark.parametrize("changes", [{"actual_md5": "0" * 32}, {"size_bytes": 1}])
async def test_other_bytes_than_downloaded_are_no_verdict(
    store: LocalStore, atmos: Profile, changes: dict[str, object]
) -> None:
    data = stereo_wave()
    await put(store, data)

    outcome = await ValidateStage(store, atmos).run(job_for(data, **changes), Seen())

    assert isinstance(outcome, Failed)
    assert outcome.problem.code == "stored_bytes_differ"


async def test_a_missing_input_gives_the_claim_back(store: LocalStore, atmos: Profile) -> None:
    outcome = await ValidateStage(store, atmos).run(job_for(b""), Seen())
    assert outcome == Released(reason="input_missing", retry_after=timedelta(seconds=30))


async def test_a_store_that_is_away_gives_the_claim_back(tmp_path: Path, atmos: Profile) -> None:
    class Away(LocalStore):
        async def size(self, key: str) -> int:
            raise StoreUnavailable(key)

    outcome = await ValidateStage(Away(tmp_path), atmos).run(job_for(b""), Seen())

    assert isinstance(outcome, Released)
    assert outcome.reason == "input_unavailable"


async def test_a_crash_is_a_failed_attempt(store: LocalStore, atmos: Profile) -> None:
    data = stereo_wave()
    await put(store, data)
    stage = ValidateStage(store, atmos, Limits(memory_bytes=64 << 20))

    outcome = await stage.run(job_for(data), Seen())

    assert isinstance(outcome, Failed)
    assert outcome.problem.code == "validator_crash"


async def test_cancelling_stops_the_hashing(
    store: LocalStore, master: bytes, atmos: Profile
) -> None:
    await put(store, master * 8)
    started, loop = asyncio.Event(), asyncio.get_running_loop()
    seen: list[int] = []

    def progress(done_bytes: int, total_bytes: int | None) -> None:  # noqa: ARG001 - as told
        seen.append(done_bytes)
        asyncio.run_coroutine_threadsafe(_set(started), loop).result()

    task = asyncio.create_task(ValidateStage(store, atmos).run(job_for(master * 8), progress))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await loop.shutdown_default_executor()
    assert seen[-1] < 8 * len(master)


async def _set(event: asyncio.Event) -> None:
    event.set()
