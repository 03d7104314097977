"""How a run ended, to bytes and back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from shared.problems import Format, Problem, Severity
from shared.stage.bounds import clean, clean_problem, clean_problems, small_report
from shared.stage.checks import (
    MalformedMessage,
    duration,
    generation,
    md5,
    not_negative,
    own_key,
    parsed,
    to_duration,
    uuid,
)
from shared.stage.job import Accepted, Failed, Outcome, Published, Refused, Released, Stored
from shared.stage.messages import Report
from shared.stage.publishing import decode_published, encode_published
from stagedoor.events.v1 import work_pb2 as pb
from stagedoor.v1 import problem_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

_SEVERITIES: Final = {
    Severity.INFO: problem_pb2.Problem.SEVERITY_INFO,
    Severity.WARNING: problem_pb2.Problem.SEVERITY_WARNING,
    Severity.ERROR: problem_pb2.Problem.SEVERITY_ERROR,
}
_FROM_WIRE: Final = {number: severity for severity, number in _SEVERITIES.items()}
_MAX_PROBLEMS_READ: Final = 1000


def encode_report(report: Report) -> bytes:
    """The bytes of a report, its texts cleaned and bounded.

    Raises ValueError, TypeError or AttributeError for an outcome that a stage may not have.
    """
    message = pb.RunReport(generation=report.generation, run_id=str(report.run_id))
    _put(message, report.outcome)
    return message.SerializeToString()


def decode_report(data: bytes, task_id: UUID) -> Report:
    """The report on this task; raises MalformedMessage."""
    message = parsed(pb.RunReport, data)
    number, run_id = generation(message.generation), uuid(message.run_id)
    match message.WhichOneof("outcome"):
        case "stored":
            # A run writes under its own key only, so it may not name another one's bytes.
            outcome: Outcome = _stored(message.stored, f"/{task_id}/{number}/{run_id}")
        case "accepted":
            outcome = _accepted(message.accepted, f"/{task_id}/{number}/{run_id}")
        case "published":
            outcome = decode_published(message.published, f"/{task_id}/{number}/{run_id}")
        case "refused":
            outcome = _refused(message.refused)
        case "failed":
            wait = message.failed.retry_after if message.failed.HasField("retry_after") else None
            outcome = Failed(
                problem=_from_problem(message.failed.problem),
                retry_after=None if wait is None else duration(wait),
            )
        case "released":
            given_back = message.released
            outcome = Released(
                reason=given_back.reason, retry_after=duration(given_back.retry_after)
            )
        case _:
            raise MalformedMessage("no outcome")
    return Report(number, run_id, outcome)


def _put(message: pb.RunReport, outcome: Outcome) -> None:
    match outcome:
        case Stored():
            message.stored.CopyFrom(_to_stored(outcome))
        case Accepted():
            message.accepted.CopyFrom(_to_accepted(outcome))
        case Published():
            message.published.CopyFrom(encode_published(outcome))
        case Refused():
            message.refused.CopyFrom(_to_refused(outcome))
        case Failed(problem=problem, retry_after=wait):
            failed = pb.RunReport.Failed(problem=_to_problem(clean_problem(problem)))
            if wait is not None:
                failed.retry_after.CopyFrom(to_duration(wait))
            message.failed.CopyFrom(failed)
        case Released(reason=reason, retry_after=wait):
            message.released.CopyFrom(
                pb.RunReport.Released(reason=clean(reason), retry_after=to_duration(wait))
            )
        case _:
            raise TypeError(f"{type(outcome).__name__} is no outcome")


def _to_stored(outcome: Stored) -> pb.RunReport.Stored:
    return pb.RunReport.Stored(
        blob_key=outcome.blob_key,
        size_bytes=outcome.size_bytes,
        md5=outcome.md5,
        problems=_to_problems(outcome.problems),
    )


def _to_accepted(outcome: Accepted) -> pb.RunReport.Accepted:
    return pb.RunReport.Accepted(
        md5=outcome.md5,
        size_bytes=outcome.size_bytes,
        format=_to_format(outcome.format),
        problems=_to_problems(outcome.problems),
        report=small_report(outcome.report),
        converted=_to_stored(outcome.converted) if outcome.converted else None,
    )


def _to_refused(outcome: Refused) -> pb.RunReport.Refused:
    if all(problem.severity is not Severity.ERROR for problem in outcome.problems):
        raise ValueError("refused without an error")
    refused = pb.RunReport.Refused(
        problems=_to_problems(outcome.problems), report=small_report(outcome.report)
    )
    if outcome.format is not None:
        refused.format.CopyFrom(_to_format(outcome.format))
    return refused


def _stored(stored: pb.RunReport.Stored, key_end: str) -> Stored:
    own_key(stored.blob_key, key_end)
    return Stored(
        blob_key=stored.blob_key,
        size_bytes=not_negative(stored.size_bytes),
        md5=md5(stored.md5),
        problems=_from_problems(stored.problems),
    )


def _accepted(accepted: pb.RunReport.Accepted, key_end: str) -> Accepted:
    converted = accepted.HasField("converted")
    return Accepted(
        md5=md5(accepted.md5),
        size_bytes=not_negative(accepted.size_bytes),
        format=_from_format(accepted.format),
        problems=_from_problems(accepted.problems),
        report=small_report(accepted.report),
        converted=_stored(accepted.converted, key_end) if converted else None,
    )


def _refused(refused: pb.RunReport.Refused) -> Refused:
    return Refused(
        problems=_from_problems(refused.problems),
        format=_from_format(refused.format) if refused.HasField("format") else None,
        report=small_report(refused.report),
    )


def _to_problems(problems: Iterable[Problem]) -> list[problem_pb2.Problem]:
    return [_to_problem(problem) for problem in clean_problems(tuple(problems))]


def _to_problem(problem: Problem) -> problem_pb2.Problem:
    return problem_pb2.Problem(
        code=problem.code,
        severity=_SEVERITIES[problem.severity],
        detail=problem.detail,
        location=problem.location,
        spec=problem.spec,
        measured=problem.measured,
        allowed=problem.allowed,
    )


def _from_problems(problems: Iterable[problem_pb2.Problem]) -> tuple[Problem, ...]:
    read = tuple(_from_problem(problem) for problem in problems)
    if len(read) > _MAX_PROBLEMS_READ:
        raise MalformedMessage(f"{len(read)} problems")
    return read


def _from_problem(problem: problem_pb2.Problem) -> Problem:
    severity = _FROM_WIRE.get(problem.severity)
    if severity is None or not problem.code:
        raise MalformedMessage("a problem without severity or code")
    return Problem(
        code=problem.code,
        severity=severity,
        detail=problem.detail,
        location=problem.location,
        spec=problem.spec,
        measured=problem.measured,
        allowed=problem.allowed,
    )


def _to_format(seen: Format) -> problem_pb2.Format:
    return problem_pb2.Format(
        container=clean(seen.container),
        codec=clean(seen.codec),
        sample_rate_hertz=seen.sample_rate_hertz,
        bit_depth=seen.bit_depth,
        channels=seen.channels,
        bed_channels=seen.bed_channels,
        objects=seen.objects,
        duration_seconds=seen.duration_seconds,
    )


def _from_format(seen: problem_pb2.Format) -> Format:
    if not math.isfinite(seen.duration_seconds) or seen.duration_seconds < 0:
        raise MalformedMessage("the duration is no time")
    return Format(
        container=seen.container,
        codec=seen.codec,
        sample_rate_hertz=not_negative(seen.sample_rate_hertz),
        bit_depth=not_negative(seen.bit_depth),
        channels=not_negative(seen.channels),
        bed_channels=not_negative(seen.bed_channels),
        objects=not_negative(seen.objects),
        duration_seconds=seen.duration_seconds,
    )
