"""The validate stage: what it answers for good bytes, bad bytes, other bytes and no bytes."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from cli.demo.master import Spec, write_master
from services.validator.profile import Profiles
from services.validator.report import Report
from services.validator.sandbox import Limits
from services.validator.stage import ValidateStage
from shared.blobs.base import StoreUnavailable
from shared.blobs.local import LocalStore
from shared.problems import Severity
from shared.stage.job import Accepted, Failed, Job, Refused, Released, Stage, Stored
from tests.support.media.flac import CD, flac
from tests.support.media.others import stereo_wave

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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


@pytest.fixture(scope="session")
def profiles() -> Profiles:
    return Profiles()


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "blobs")


async def put(store: LocalStore, data: bytes) -> None:
    with store.create(KEY) as sink:
        sink.write(data)
        sink.commit()


@pytest.fixture
def master(tmp_path: Path) -> bytes:
    path = tmp_path / "master.wav"
    write_master(path, Spec(seconds=1.5))
    return path.read_bytes()


async def test_a_master_is_accepted(store: LocalStore, master: bytes, profiles: Profiles) -> None:
    await put(store, master)
    stage: Stage = ValidateStage(store, profiles)
    progress = Seen()
    job = job_for(master)

    outcome = await stage.run(job, progress)

    assert isinstance(outcome, Accepted)
    assert (outcome.md5, outcome.size_bytes) == (job.actual_md5, len(master))
    assert (outcome.format.bed_channels, outcome.format.objects) == (10, 4)
    assert progress.calls[-1] == (len(master), len(master))
    assert len(progress.calls) > 1


async def test_an_ordinary_wave_is_refused(store: LocalStore, profiles: Profiles) -> None:
    data = stereo_wave()
    await put(store, data)

    outcome = await ValidateStage(store, profiles).run(job_for(data), Seen())

    assert isinstance(outcome, Refused)
    assert [problem.code for problem in outcome.problems] == ["no_atmos"]
    assert outcome.format is not None
    assert outcome.format.sample_rate_hertz == 44_100


async def test_the_outcome_has_the_whole_report(
    store: LocalStore, master: bytes, profiles: Profiles
) -> None:
    stage = ValidateStage(store, profiles)
    for data, accepted in ((master, True), (stereo_wave(), False)):
        await put(store, data)

        outcome = await stage.run(job_for(data), Seen())

        assert isinstance(outcome, Accepted if accepted else Refused)
        report = Report.from_json(gzip.decompress(outcome.report))
        assert (report.accepted, report.problems) == (accepted, outcome.problems)
        assert (report.profile, report.master_type) == ("atmos", "dolby_atmos")


async def test_subtitles_become_webvtt(store: LocalStore, profiles: Profiles) -> None:
    webvtt = b"WEBVTT\n\n00:01.000 --> 00:02.000\nCiao\n"
    subrip = b"\xef\xbb\xbf1\r\n00:00:01,000 --> 00:00:02,000\r\nCi\xc3\xa0o\r\n"
    for data, becomes in (
        (subrip, b"WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.000\nCi\xc3\xa0o\n"),
        (webvtt, None),
    ):
        await put(store, data)
        job = job_for(data, master_type="subtitles")
        outcome = await ValidateStage(store, profiles).run(job, Seen())
        assert isinstance(outcome, Accepted)
        assert outcome.format.container == "WebVTT"
        if becomes is None:
            assert outcome.converted is None
            continue
        assert outcome.converted is not None
        async with store.local_copy(job.output_key) as path:
            kept = path.read_bytes()
        md5 = hashlib.md5(becomes, usedforsecurity=False).hexdigest()
        assert (kept, outcome.converted) == (
            becomes,
            Stored(blob_key=job.output_key, size_bytes=len(becomes), md5=md5),
        )


async def test_the_task_chooses_the_profile(store: LocalStore, tmp_path: Path) -> None:
    path = tmp_path / "wide.wav"
    write_master(path, Spec(seconds=0.5, rate=96_000))
    data = path.read_bytes()
    await put(store, data)
    stage = ValidateStage(store, Profiles("apple-music"))

    for profile, codes in (
        ("", ["sample_rate_not_allowed"]),
        ("apple-music", ["sample_rate_not_allowed"]),
        ("umg", []),
    ):
        outcome = await stage.run(job_for(data, delivery_profile=profile), Seen())

        assert isinstance(outcome, Accepted | Refused)
        assert [each.code for each in outcome.problems] == codes
        assert isinstance(outcome, Refused) == bool(codes)


async def test_the_master_type_and_the_stereo_version_reach_the_inspection(
    store: LocalStore, master: bytes, profiles: Profiles
) -> None:
    stage = ValidateStage(store, profiles)
    await put(store, master)

    late = await stage.run(job_for(master, stereo_duration_seconds=9.0), Seen())
    as_cd = await stage.run(job_for(master, master_type="cd"), Seen())

    assert isinstance(late, Accepted)
    assert [each.code for each in late.problems] == ["stereo_duration_differs"]
    assert isinstance(as_cd, Refused)
    assert "audio_bit_depth_not_allowed" in {each.code for each in as_cd.problems}


@pytest.mark.parametrize("make", [stereo_wave, lambda: flac(CD)], ids=["wave", "flac"])
async def test_a_cd_is_accepted(
    store: LocalStore, profiles: Profiles, make: Callable[[], bytes]
) -> None:
    data = make()
    await put(store, data)

    outcome = await ValidateStage(store, profiles).run(job_for(data, master_type="cd"), Seen())

    assert isinstance(outcome, Accepted)
    assert outcome.problems == ()
    assert outcome.format.channels == 2


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"delivery_profile": "nobody\n"}, "delivery_profile_unknown"),
        ({"master_type": "vinyl"}, "master_type_unknown"),
    ],
)
async def test_what_the_worker_does_not_know_is_a_failed_attempt(
    store: LocalStore, profiles: Profiles, changes: dict[str, object], code: str
) -> None:
    outcome = await ValidateStage(store, profiles).run(job_for(b"", **changes), Seen())

    assert isinstance(outcome, Failed)
    assert (outcome.problem.code, outcome.problem.severity) == (code, Severity.ERROR)
    assert outcome.problem.measured.isprintable()


@pytest.mark.parametrize("changes", [{"actual_md5": "0" * 32}, {"size_bytes": 1}])
async def test_other_bytes_than_downloaded_are_no_verdict(
    store: LocalStore, profiles: Profiles, changes: dict[str, object]
) -> None:
    data = stereo_wave()
    await put(store, data)

    outcome = await ValidateStage(store, profiles).run(job_for(data, **changes), Seen())

    assert isinstance(outcome, Failed)
    assert outcome.problem.code == "stored_bytes_differ"


async def test_a_missing_input_gives_the_claim_back(store: LocalStore, profiles: Profiles) -> None:
    outcome = await ValidateStage(store, profiles).run(job_for(b""), Seen())
    assert outcome == Released(reason="input_missing", retry_after=timedelta(seconds=30))


async def test_a_store_that_is_away_gives_the_claim_back(
    tmp_path: Path, profiles: Profiles
) -> None:
    class Away(LocalStore):
        async def size(self, key: str) -> int:
            raise StoreUnavailable(key)

    outcome = await ValidateStage(Away(tmp_path), profiles).run(job_for(b""), Seen())

    assert isinstance(outcome, Released)
    assert outcome.reason == "input_unavailable"


async def test_a_crash_is_a_failed_attempt(store: LocalStore, profiles: Profiles) -> None:
    data = stereo_wave()
    await put(store, data)
    stage = ValidateStage(store, profiles, Limits(wall_seconds=0.01))

    outcome = await stage.run(job_for(data), Seen())

    assert isinstance(outcome, Failed)
    assert outcome.problem.code == "validator_crash"


async def test_cancelling_stops_the_hashing(
    store: LocalStore, master: bytes, profiles: Profiles
) -> None:
    await put(store, master * 8)
    started, loop = asyncio.Event(), asyncio.get_running_loop()
    seen: list[int] = []

    def progress(done_bytes: int, total_bytes: int | None) -> None:  # noqa: ARG001 - as told
        seen.append(done_bytes)
        asyncio.run_coroutine_threadsafe(_set(started), loop).result()

    task = asyncio.create_task(ValidateStage(store, profiles).run(job_for(master * 8), progress))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await loop.shutdown_default_executor()
    assert seen[-1] < 8 * len(master)


async def _set(event: asyncio.Event) -> None:
    event.set()
