"""What the publish stage reports, on the wire."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from shared.stage import wire
from shared.stage.job import Job, Published, StoredFile
from shared.stage.messages import ClaimRequest, Go, Report
from stagedoor.events.v1 import work_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable

TASK, RUN = UUID(int=1), UUID(int=2)
FILE = StoredFile(
    format="mp3",
    blob_key=f"acme/{TASK}/3/{RUN}.mp3",
    size_bytes=10,
    md5="0123456789abcdef" * 2,
    sample_rate=48_000,
    channels=2,
    bit_depth=0,
)
OUTCOME = Published(
    files=(FILE, replace(FILE, format="mp3-vbr", blob_key=f"acme/{TASK}/3/{RUN}.mp3-vbr")),
    duration_seconds=12.5,
    integrated_lufs=-14.25,
    true_peak_dbtp=None,
)


def encoded(outcome: Published = OUTCOME) -> bytes:
    return wire.encode_report(Report(3, RUN, outcome))


def test_what_goes_in_comes_out() -> None:
    assert wire.decode_report(encoded(), TASK).outcome == OUTCOME
    silent = replace(OUTCOME, integrated_lufs=None)
    assert wire.decode_report(encoded(silent), TASK).outcome == silent


def test_a_job_carries_formats_tags_and_a_cover() -> None:
    job = Job(
        task_id=TASK,
        generation=3,
        run_id=RUN,
        tenant="acme",
        master_type="hd",
        formats=("mp3", "aiff"),
        tags={"title": "A song"},
        cover_key="acme/cover/1/run",
    )
    from_wire = _through(job)
    assert from_wire == job
    assert [job.output_key_of(each) for each in job.formats][:1] == [FILE.blob_key]


def _through(job: Job) -> Job:
    sent = wire.encode_claim_reply(Go(job, timedelta(seconds=1), timedelta(seconds=2)))
    reply = wire.decode_claim_reply(sent, TASK, ClaimRequest(3, RUN))
    assert isinstance(reply, Go)
    return reply.job


def _first(change: Callable[[pb.RunReport.Published.File], None]) -> Callable[[pb.RunReport], None]:
    return lambda report: change(report.published.files[0])


WRONG: dict[str, Callable[[pb.RunReport], None]] = {
    "no file": lambda report: report.published.ClearField("files"),
    "a level without end": lambda report: setattr(
        report.published, "integrated_lufs", float("inf")
    ),
    "another run's key": _first(
        lambda file: setattr(file, "blob_key", f"acme/{TASK}/3/{TASK}.mp3")
    ),
    "another format's key": _first(lambda file: setattr(file, "format", "wav")),
    "a key above": _first(lambda file: setattr(file, "blob_key", f"../{TASK}/3/{RUN}.mp3")),
    "no checksum": _first(lambda file: setattr(file, "md5", "x")),
    "less than nothing": _first(lambda file: setattr(file, "size_bytes", -1)),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_malformed(name: str) -> None:
    message = pb.RunReport.FromString(encoded())
    WRONG[name](message)
    with pytest.raises(wire.MalformedMessage):
        wire.decode_report(message.SerializeToString(), TASK)
