"""``stagedoor tasks report``: everything that the validator found in a master."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer

from cli.options import AsJson, TaskId  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stagedoor.v1.validation_report_service_pb2 import ValidationReport

REPORT: Final = "validationReport"


def report(*, task: TaskId, as_json: AsJson = False) -> None:
    """Show the report of a task's validation."""
    from cli.client import connect, resource_name
    from cli.output import print_fields, print_json, problem_lines
    from stagedoor.v1.validation_report_service_pb2 import GetValidationReportRequest

    name = f"{resource_name('importTasks', task)}/{REPORT}"
    with connect() as client:
        found = client.call(
            client.reports.GetValidationReport, GetValidationReportRequest(name=name)
        )
    if as_json:
        print_json(found)
        return
    print_fields(list(_fields(found)))
    for line in problem_lines(found.problems):
        typer.echo(line)


def _fields(found: ValidationReport) -> Iterator[tuple[str, str]]:
    seen, audio = found.format, found.audio
    yield "report", found.name
    yield "verdict", "accepted" if found.accepted else "refused"
    yield "file", found.recognised
    yield "profile", found.profile
    yield "master type", found.master_type
    yield "format", " ".join(filter(None, (seen.container, seen.codec)))
    yield "bytes", str(found.size_bytes)
    yield "md5", found.md5
    if audio.HasField("integrated_lufs"):
        yield "loudness", f"{audio.integrated_lufs:.1f} LUFS"
    if audio.HasField("true_peak_dbtp"):
        yield "true peak", f"{audio.true_peak_dbtp:.1f} dBTP"
    yield "validator", found.validator
