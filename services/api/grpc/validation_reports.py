"""stagedoor.v1.ValidationReportService: parse, one use case, render."""
# ruff: noqa: N802, ARG002 - names and signatures are those of the contract

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import ParseDict

from services.api.grpc.caller import caller
from services.api.grpc.names import IMPORT_TASKS, require_report
from stagedoor.v1 import validation_report_service_pb2 as pb
from stagedoor.v1.validation_report_service_pb2_grpc import ValidationReportServiceServicer

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    from services.api.use_cases.reports import Reports


class ValidationReportServicer(ValidationReportServiceServicer):
    """Validation reports over gRPC; raises refusals, which the interceptors render."""

    def __init__(self, reports: Reports) -> None:
        """Serve these reports."""
        self._reports = reports

    async def GetValidationReport(
        self, request: pb.GetValidationReportRequest, context: ServicerContext[Any, Any]
    ) -> pb.ValidationReport:
        """Gets the report of a task's present generation, or of a record."""
        collection, id_ = require_report(request.name)
        read = self._reports.of_task if collection == IMPORT_TASKS else self._reports.of_record
        return to_message(await read(caller(), id_), request.name)


def to_message(
    report: bytes, name: str, *, ignore_unknown_fields: bool = True
) -> pb.ValidationReport:
    """A report as a message; of a newer validator it may have fields that this version ignores."""
    document = json.loads(report)
    for problem in document.get("problems", ()):
        problem["severity"] = f"SEVERITY_{problem['severity'].upper()}"
    message = ParseDict(
        document, pb.ValidationReport(), ignore_unknown_fields=ignore_unknown_fields
    )
    message.name = name
    return message
