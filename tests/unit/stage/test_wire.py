"""The bytes on the wire: what goes in comes out, and what is wrong is malformed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st

from shared.problems import Format, Problem, Severity
from shared.stage import wire
from shared.stage.bounds import MAX_DETAIL, MAX_PROBLEMS, MAX_REPORT_BYTES, MAX_TEXT, clean
from shared.stage.checks import MAX_DURATION, MAX_MESSAGE_BYTES
from shared.stage.job import Accepted, Failed, Job, Outcome, Refused, Released, Stored
from shared.stage.messages import (
    CancelHint,
    ClaimRequest,
    Command,
    Go,
    Later,
    ProgressRequest,
    Report,
    Stop,
)
from shared.stage.wire import MalformedMessage
from stagedoor.events.v1 import work_pb2 as pb
from stagedoor.v1 import problem_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

TASK = UUID("01890000-0000-7000-8000-000000000001")
RUN = UUID("01890000-0000-7000-8000-000000000002")
MD5 = "0123456789abcdef" * 2
CLAIM = ClaimRequest(3, RUN)
JOB = Job(
    task_id=TASK,
    generation=3,
    run_id=RUN,
    tenant="acme",
    master_type="dolby_atmos",
    source_uri="https://example.com/a.wav",
    declared_md5=MD5,
    blob_key="k",
    size_bytes=1 << 40,
    actual_md5=MD5,
    attempt=2,
    max_attempts=5,
)
ERROR = Problem(
    code="not_atmos",
    severity=Severity.ERROR,
    detail="No object audio.",
    location="moov/trak[1]",
    spec="ETSI TS 103 420 8.3",
    measured="0",
    allowed="1",
)
SEEN = Format(container="MP4", codec="E-AC-3", sample_rate_hertz=48_000, channels=6, objects=15)
STORED = Stored(blob_key=JOB.output_key, size_bytes=5, md5=MD5, problems=(ERROR,))


def told(outcome: Outcome) -> Outcome:
    report = Report(3, RUN, outcome)
    read = wire.decode_report(wire.encode_report(report), TASK)
    assert (read.generation, read.run_id) == (3, RUN)
    return read.outcome


def test_commands_claims_progress_and_cancels_come_out_as_they_went_in() -> None:
    command = Command(TASK, 3)
    assert wire.decode_command(wire.encode_command(command)) == command
    assert wire.decode_claim(wire.encode_claim(CLAIM)) == CLAIM
    for total in (None, 0, 9):
        progress = ProgressRequest(3, RUN, 0, total)
        assert wire.decode_progress(wire.encode_progress(progress)) == progress
    for go_on in (True, False):
        assert wire.decode_progress_reply(wire.encode_progress_reply(go_on=go_on)) is go_on
    assert wire.decode_cancel(wire.encode_cancel(CancelHint(3))) == CancelHint(3)


@pytest.mark.parametrize(
    "reply",
    [
        Go(JOB, timedelta(seconds=2.5), timedelta(hours=12)),
        Go(
            replace(JOB, delivery_profile="umg", stereo_duration_seconds=215.04),
            timedelta(seconds=2.5),
            timedelta(hours=12),
        ),
        Go(
            replace(JOB, source_headers={"Authorization": "Bearer x"}, max_bytes=1 << 40),
            timedelta(seconds=2.5),
            timedelta(hours=12),
        ),
        Later(timedelta(milliseconds=1500)),
        Stop("stale"),
    ],
)
def test_answers_to_claims_come_out_as_they_went_in(reply: Go | Later | Stop) -> None:
    assert wire.decode_claim_reply(wire.encode_claim_reply(reply), TASK, CLAIM) == reply


@pytest.mark.parametrize(
    "outcome",
    [
        STORED,
        Accepted(md5=MD5, size_bytes=5, format=SEEN, problems=(ERROR,)),
        Accepted(md5=MD5, size_bytes=5, format=SEEN, report=b"zipped"),
        Accepted(md5=MD5, size_bytes=5, format=SEEN, converted=STORED),
        Refused(problems=(ERROR,), format=SEEN, report=bytes(MAX_REPORT_BYTES)),
        Refused(problems=(ERROR,)),
        Failed(problem=ERROR),
        Failed(problem=ERROR, retry_after=timedelta(seconds=30)),
        Released(reason="no_space", retry_after=timedelta(minutes=1)),
    ],
)
def test_outcomes_come_out_as_they_went_in(outcome: Outcome) -> None:
    assert told(outcome) == outcome


def test_a_report_that_is_too_large_is_dropped_and_the_verdict_counts() -> None:
    large = bytes(MAX_REPORT_BYTES + 1)
    accepted = Accepted(md5=MD5, size_bytes=5, format=SEEN)
    refused = Refused(problems=(ERROR,))
    for outcome in (accepted, refused):
        assert told(replace(outcome, report=large)) == outcome
    sent = pb.RunReport.Accepted(md5=MD5, report=large)
    received = wire.decode_report(report(accepted=sent), TASK).outcome
    assert isinstance(received, Accepted)
    assert received.report == b""


@pytest.mark.parametrize("severity", list(Severity))
def test_every_severity_has_its_number(severity: Severity) -> None:
    problem = Problem(code="c", severity=severity, detail="d")
    assert told(Failed(problem=problem)) == Failed(problem=problem)


def report(**fields: object) -> bytes:
    message = pb.RunReport(generation=3, run_id=str(RUN))
    message.MergeFrom(pb.RunReport(**fields))  # type: ignore[arg-type] # any field, on purpose
    return message.SerializeToString()


def stored(**fields: object) -> bytes:
    good = {"blob_key": JOB.output_key, "size_bytes": 1, "md5": MD5} | fields
    return report(stored=pb.RunReport.Stored(**good))  # type: ignore[arg-type] # as above


ENDLESS = problem_pb2.Format(duration_seconds=float("nan"))
SECOND = Duration(seconds=1)
PROBLEM = problem_pb2.Problem(code="c", severity=problem_pb2.Problem.SEVERITY_ERROR)
NAMELESS = problem_pb2.Problem(severity=problem_pb2.Problem.SEVERITY_ERROR)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        report(),
        report(generation=-1, released=pb.RunReport.Released()),
        report(run_id="nobody", released=pb.RunReport.Released()),
        report(run_id=RUN.hex, released=pb.RunReport.Released()),
        stored(size_bytes=-1),
        stored(md5=MD5.upper().replace("0", "G")),
        stored(md5=""),
        stored(blob_key=""),
        stored(blob_key=f"../{JOB.output_key}"),
        stored(blob_key=f"other/{JOB.output_key}"),
        stored(blob_key=JOB.output_key.removeprefix("acme")),
        stored(blob_key=f"{JOB.output_key}/more"),
        stored(blob_key=f"acme/{TASK}/3/{TASK}"),
        stored(blob_key=f"acme/{TASK}/2/{RUN}"),
        stored(problems=[NAMELESS]),
        stored(problems=[problem_pb2.Problem(code="c")]),
        stored(problems=[PROBLEM] * 1001),
        report(failed=pb.RunReport.Failed()),
        report(accepted=pb.RunReport.Accepted(md5=MD5, format=problem_pb2.Format(channels=-1))),
        report(
            accepted=pb.RunReport.Accepted(
                md5=MD5, format=problem_pb2.Format(duration_seconds=float("nan"))
            )
        ),
        report(released=pb.RunReport.Released(retry_after=Duration(seconds=-1))),
        report(released=pb.RunReport.Released(retry_after=Duration(seconds=1 << 40))),
        report(released=pb.RunReport.Released(reason="x" * MAX_MESSAGE_BYTES)),
    ],
    ids=lambda data: data[:0].hex() or str(len(data)),
)
def test_a_report_that_is_wrong_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        wire.decode_report(data, TASK)


def test_the_neighbour_of_the_wrong_reports_is_right() -> None:
    assert wire.decode_report(stored(problems=[PROBLEM]), TASK).generation == 3


def claim_reply(data: bytes) -> object:
    return wire.decode_claim_reply(data, TASK, CLAIM)


@pytest.mark.parametrize(
    ("decode", "data"),
    [
        (wire.decode_command, pb.WorkCommand(task_id="x", generation=1)),
        (wire.decode_command, pb.WorkCommand(task_id=str(TASK))),
        (wire.decode_claim, pb.ClaimRequest(generation=1)),
        (wire.decode_claim, pb.ClaimRequest(run_id=str(RUN))),
        (wire.decode_progress, pb.ProgressRequest(generation=1, run_id=str(RUN), done_bytes=-1)),
        (wire.decode_progress, pb.ProgressRequest(generation=1, run_id=str(RUN), total_bytes=-1)),
        (wire.decode_cancel, pb.CancelHint()),
        (claim_reply, pb.ClaimReply()),
        (claim_reply, pb.ClaimReply(go=pb.ClaimReply.Go(tenant="t", lease=SECOND))),
        (claim_reply, pb.ClaimReply(go=pb.ClaimReply.Go(lease=SECOND, deadline=SECOND))),
        (
            claim_reply,
            pb.ClaimReply(
                go=pb.ClaimReply.Go(tenant="t", lease=SECOND, deadline=SECOND, max_bytes=-1)
            ),
        ),
        (claim_reply, pb.ClaimReply(later=pb.ClaimReply.Later(delay=Duration(nanos=-1)))),
    ],
)
def test_a_message_that_is_wrong_is_malformed(
    decode: Callable[[bytes], object], data: pb.WorkCommand
) -> None:
    with pytest.raises(MalformedMessage):
        decode(data.SerializeToString())


@given(st.binary(max_size=200))
def test_whatever_arrives_is_read_or_malformed(data: bytes) -> None:
    for decode in (
        wire.decode_command,
        wire.decode_claim,
        wire.decode_progress,
        wire.decode_progress_reply,
        wire.decode_cancel,
        claim_reply,
        lambda data: wire.decode_report(data, TASK),
    ):
        try:
            decode(data)
        except MalformedMessage:
            continue


def test_times_are_sent_within_what_is_read() -> None:
    assert told(Released(reason="r", retry_after=timedelta(days=999))) == Released(
        reason="r", retry_after=MAX_DURATION
    )
    assert told(Released(reason="r", retry_after=timedelta(-1))) == Released(reason="r")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("Ähm ✓ 日本", "Ähm ✓ 日本"),
        ("a\x00b\r\nc\x1b[31m", "a b  c [31m"),
        ("\ud800", " "),
        ("x" * MAX_TEXT, "x" * MAX_TEXT),
        ("x" * (MAX_TEXT + 1), "x" * (MAX_TEXT - 1) + "…"),
    ],
)
def test_text_is_cleaned_and_bounded(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@given(
    st.builds(
        Problem,
        severity=st.sampled_from(Severity),
        **dict.fromkeys(
            ("code", "detail", "location", "spec", "measured", "allowed"),
            st.text(st.characters(exclude_categories=()), min_size=1),
        ),
    )
)
def test_any_text_of_a_stage_can_be_sent(problem: Problem) -> None:
    told(Failed(problem=problem))


def test_the_texts_of_a_problem_are_bounded_each() -> None:
    long = "x" * 100_000
    problem = Problem(
        code=long,
        severity=Severity.ERROR,
        detail=long,
        location=long,
        spec=long,
        measured=long,
        allowed=long,
    )
    outcome = told(Refused(problems=(problem,)))
    assert isinstance(outcome, Refused)
    (sent,) = outcome.problems
    assert len(sent.detail) == MAX_DETAIL
    others = (sent.code, sent.location, sent.spec, sent.measured, sent.allowed)
    assert {len(text) for text in others} == {MAX_TEXT}


def test_of_too_many_problems_the_gravest_stay() -> None:
    warning = Problem(code="w", severity=Severity.WARNING, detail="d")
    outcome = told(Refused(problems=(*[warning] * 150, ERROR)))
    assert isinstance(outcome, Refused)
    assert len(outcome.problems) == MAX_PROBLEMS
    assert outcome.problems[0] == ERROR
    assert outcome.problems[-1].detail == "52 more problems are not shown."


@pytest.mark.parametrize("outcome", [Refused(problems=()), None, Failed(problem="x")])  # type: ignore[arg-type] # on purpose
def test_an_outcome_that_no_stage_may_have_cannot_be_sent(outcome: Outcome) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        wire.encode_report(Report(1, RUN, outcome))


def test_the_largest_report_fits_into_a_message() -> None:
    text = "日" * 1000
    problem = Problem(
        code=text,
        severity=Severity.ERROR,
        detail=text,
        location=text,
        spec=text,
        measured=text,
        allowed=text,
    )
    data = wire.encode_report(Report(3, RUN, Refused(problems=(problem,) * 1000)))
    assert len(data) < MAX_MESSAGE_BYTES
    assert wire.decode_report(data, TASK).run_id == RUN
