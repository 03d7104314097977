"""The publish stage: what it answers for good bytes, bad bytes, other bytes and no bytes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Never
from uuid import UUID

import pytest

from cli.demo.master import Spec, write_master
from services.api.domain import publishing
from services.publisher.formats import FORMATS
from services.publisher.messages import Limits
from services.publisher.order import Rendition
from services.publisher.stage import PublishStage
from services.publisher.storing import FileChanged, store_file
from shared.blobs.base import BlobMissing, NoSpace, StoreUnavailable
from shared.blobs.local import LocalStore
from shared.stage.job import Failed, Job, Published, Refused, Released, Stage
from tests.support.media.audio import noise, write_plain
from tests.support.pictures import picture
from tests.support.renditions import heard

if TYPE_CHECKING:
    from pathlib import Path

KEY = "default/task/1/run"
MADE = Rendition(format="mp3", size_bytes=3, md5="", sample_rate=1, channels=1, bit_depth=0)


class Seen:
    """Notes the progress that is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int | None]] = []

    def __call__(self, done_bytes: int, total_bytes: int | None) -> None:
        self.calls.append((done_bytes, total_bytes))


def job_for(data: bytes, *formats: str, **changes: object) -> Job:
    fields: dict[str, object] = {
        "task_id": UUID(int=1),
        "generation": 1,
        "run_id": UUID(int=2),
        "tenant": "default",
        "master_type": "hd",
        "blob_key": KEY,
        "size_bytes": len(data),
        "actual_md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
        "formats": formats or ("mp3",),
        "tags": {"title": "A song"},
    }
    return Job(**(fields | changes))  # type: ignore[arg-type] # the changes are fields by name


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "blobs")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def put(store: LocalStore, data: bytes, key: str = KEY) -> bytes:
    with store.create(key) as sink:
        sink.write(data)
        sink.commit()
    return data


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.fixture
def stereo(tmp_path: Path, store: LocalStore) -> bytes:
    path = tmp_path / "master.wav"
    write_plain(path, noise(1.0, 44_100, 2), 44_100)
    return put(store, path.read_bytes())


def test_the_api_knows_the_formats_of_the_publisher() -> None:
    ours = {name: (form.suffix[1:], form.media_type) for name, form in FORMATS.items()}
    assert dict(publishing.FORMATS) == ours


async def test_a_master_becomes_files_under_the_run_s_own_key(
    store: LocalStore, scratch: Path, stereo: bytes
) -> None:
    stage: Stage = PublishStage(store, scratch)
    progress, job = Seen(), job_for(stereo, "mp3", "aiff")

    outcome = await stage.run(job, progress)

    assert isinstance(outcome, Published)
    assert [each.format for each in outcome.files] == ["mp3", "aiff"]
    assert outcome.duration_seconds == pytest.approx(1.0)
    assert outcome.integrated_lufs is not None
    for each in outcome.files:
        assert each.blob_key == f"default/{job.task_id}/1/{job.run_id}.{each.format}"
        async with store.local_copy(each.blob_key) as path:
            data = path.read_bytes()
            found = heard(path)
        assert (len(data), hashlib.md5(data).hexdigest()) == (each.size_bytes, each.md5)
        assert found.rate == each.sample_rate == 44_100
        assert "A song" in found.tags.values()
    assert {total for _, total in progress.calls} == {len(stereo)}
    assert left_in(scratch) == []


async def test_a_cover_is_in_every_file(store: LocalStore, scratch: Path, stereo: bytes) -> None:
    cover = picture("png")
    put(store, cover, "default/cover/1/run")
    job = job_for(stereo, "mp3", "flac", cover_key="default/cover/1/run")
    outcome = await PublishStage(store, scratch).run(job, Seen())
    assert isinstance(outcome, Published)
    for each in outcome.files:
        async with store.local_copy(each.blob_key) as path:
            assert heard(path).cover == cover


async def test_a_cover_that_is_gone_is_waited_for(
    store: LocalStore, scratch: Path, stereo: bytes
) -> None:
    job = job_for(stereo, cover_key="default/cover/1/run")
    outcome = await PublishStage(store, scratch).run(job, Seen())
    assert isinstance(outcome, Released)
    assert outcome.reason == "input_missing"


async def test_an_atmos_master_becomes_stereo(
    store: LocalStore, scratch: Path, tmp_path: Path
) -> None:
    write_master(tmp_path / "atmos.wav", Spec(seconds=1.0))
    master = put(store, (tmp_path / "atmos.wav").read_bytes())
    outcome = await PublishStage(store, scratch).run(job_for(master, "flac"), Seen())
    assert isinstance(outcome, Published)
    assert (outcome.files[0].channels, outcome.files[0].bit_depth) == (2, 24)


async def test_what_is_no_sound_is_refused(store: LocalStore, scratch: Path) -> None:
    data = put(store, b"no sound at all " * 100)
    outcome = await PublishStage(store, scratch).run(job_for(data), Seen())
    assert isinstance(outcome, Refused)
    assert [each.code for each in outcome.problems] == ["master_unreadable"]


async def test_other_bytes_are_not_published(
    store: LocalStore, scratch: Path, stereo: bytes
) -> None:
    job = job_for(stereo, actual_md5="0" * 32)
    outcome = await PublishStage(store, scratch).run(job, Seen())
    assert isinstance(outcome, Failed)
    assert outcome.problem.code == "stored_bytes_differ"


@pytest.mark.parametrize("changes", [{"formats": ("mp9",)}, {"tags": {"mood": "blue"}}])
async def test_an_order_of_a_newer_api_is_left_to_others(
    store: LocalStore, scratch: Path, stereo: bytes, changes: dict[str, object]
) -> None:
    outcome = await PublishStage(store, scratch).run(job_for(stereo, **changes), Seen())
    assert isinstance(outcome, Failed)
    assert outcome.problem.code == "order_unknown"


async def test_a_child_that_is_given_too_little_is_an_attempt(
    store: LocalStore, scratch: Path, stereo: bytes
) -> None:
    stage = PublishStage(store, scratch, Limits(memory_bytes=1 << 20))
    outcome = await stage.run(job_for(stereo), Seen())
    assert isinstance(outcome, Failed)
    assert outcome.problem.code == "publisher_crash"


class Sick(LocalStore):
    """A store that gives masters and takes nothing."""

    trouble: Exception = StoreUnavailable("away")

    def create(self, key: str) -> Never:  # noqa: ARG002 - the store's signature
        raise self.trouble


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [(StoreUnavailable("away"), "store_unavailable"), (NoSpace("full"), "no_space")],
)
@pytest.mark.usefixtures("store")
async def test_a_store_in_trouble_costs_no_attempt(
    scratch: Path, stereo: bytes, trouble: Exception, reason: str
) -> None:
    sick = Sick(scratch.parent / "blobs")
    sick.trouble = trouble
    outcome = await PublishStage(sick, scratch).run(job_for(stereo), Seen())
    assert isinstance(outcome, Released)
    assert outcome.reason == reason
    assert left_in(scratch) == []


async def test_a_missing_master_is_no_finding(store: LocalStore, scratch: Path) -> None:
    outcome = await PublishStage(store, scratch).run(job_for(b"x"), Seen())
    assert isinstance(outcome, Released)
    assert outcome.reason == "input_missing"


async def test_a_file_that_is_not_what_was_made_is_not_stored(
    store: LocalStore, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    with pytest.raises(FileChanged):
        store_file(store, "a/b", path, MADE)
    with pytest.raises(BlobMissing):
        await store.size("a/b")
