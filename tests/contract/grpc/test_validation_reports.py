"""ValidationReportService over a real channel."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from google.protobuf.json_format import ParseError
from grpc import StatusCode
from uuid_utils.compat import uuid7

from cli.demo.master import Spec, write_master
from services.api.grpc.validation_reports import to_message
from services.validator.inspection import inspect, load_profile
from stagedoor.v1.problem_pb2 import Problem
from stagedoor.v1.validation_report_service_pb2 import (
    GetValidationReportRequest,
    ValidationReport,
)
from stagedoor.v1.validation_report_service_pb2_grpc import ValidationReportServiceStub
from tests.support.core import MD5, PACKED, REPORT, a_principal
from tests.support.door import refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.core import Core
    from tests.support.door import Door, Metadata


async def get(door: Door, name: str, who: Metadata | None = None) -> ValidationReport:
    call = ValidationReportServiceStub(door.channel).GetValidationReport
    return await call(GetValidationReportRequest(name=name), metadata=who or door.admin)


async def test_a_task_and_its_record_have_one_report(door: Door, core: Core) -> None:
    task = await core.complete(await core.task(), PACKED)
    for name in (f"importTasks/{task.id}", f"records/{task.record_id}"):
        report = await get(door, f"{name}/validationReport")
        assert (report.name, report.accepted) == (f"{name}/validationReport", True)
        assert (report.md5, report.size_bytes, report.format.codec) == (MD5, 1000, "PCM")
        assert [p.severity for p in report.problems] == [Problem.SEVERITY_WARNING]


async def test_no_report_is_not_found(door: Door, core: Core) -> None:
    task = await core.complete(await core.task())
    for name in (f"importTasks/{task.id}", f"records/{task.record_id}", f"records/{uuid7()}"):
        answer = await refused(get(door, f"{name}/validationReport"))
        assert answer.code is StatusCode.NOT_FOUND
        assert answer.resource == ("stagedoor.dev/ValidationReport", f"{name}/validationReport")


@pytest.mark.parametrize(
    "name", ["", "importTasks/x/validationReport", f"tracks/{UUID(int=7)}/validationReport", "x"]
)
async def test_a_name_that_is_none_is_refused(door: Door, name: str) -> None:
    answer = await refused(get(door, name))
    assert answer.code is StatusCode.INVALID_ARGUMENT
    assert answer.fields.keys() == {"name"}


async def test_each_report_has_its_scope_and_its_tenant(door: Door, core: Core) -> None:
    task = await core.complete(await core.task(), PACKED)
    of_task = f"importTasks/{task.id}/validationReport"
    of_record = f"records/{task.record_id}/validationReport"
    tasks, records = await door.holder("tasks:read"), await door.holder("records:read")
    stranger = await door.holder("admin", tenant="other")
    assert (await get(door, of_task, tasks)).accepted
    assert (await get(door, of_record, records)).accepted
    for name, who in ((of_task, records), (of_record, tasks)):
        assert (await refused(get(door, name, who))).code is StatusCode.PERMISSION_DENIED
    for name in (of_task, of_record):
        assert (await refused(get(door, name, stranger))).code is StatusCode.NOT_FOUND
    nobody = await door.holder("tracks:read")
    assert (await refused(get(door, "x", nobody))).code is StatusCode.PERMISSION_DENIED


async def test_tasks_and_records_name_their_report(door: Door, core: Core) -> None:
    from stagedoor.v1.import_task_service_pb2 import GetImportTaskRequest
    from stagedoor.v1.record_service_pb2 import GetRecordRequest

    for isrc, packed in (("USRC12345671", PACKED), ("USRC12345672", b"")):
        task = await core.complete(await core.task(isrc), packed)
        one = GetImportTaskRequest(name=f"importTasks/{task.id}")
        other = GetRecordRequest(name=f"records/{task.record_id}")
        shown = (
            await door.tasks.GetImportTask(one, metadata=door.admin),
            await door.records.GetRecord(other, metadata=door.admin),
        )
        for each in shown:
            assert each.validation_report == (f"{each.name}/validationReport" if packed else "")


def test_what_the_validator_writes_is_the_contract_s(tmp_path: Path) -> None:
    """Every field that it writes is one of the message; of a newer one more are ignored."""
    file = tmp_path / "master.wav"
    write_master(file, Spec(seconds=0.5))
    written = inspect(file, load_profile("atmos")).to_json()
    message = to_message(written, "n", ignore_unknown_fields=False)
    assert (message.accepted, message.profile, message.name) == (True, "atmos", "n")
    newer = json.dumps({**REPORT, "colour": "red"}).encode()
    assert to_message(newer, "n").accepted
    with pytest.raises(ParseError):
        to_message(newer, "n", ignore_unknown_fields=False)


async def test_a_report_of_the_other_tenant_needs_its_own_task(core: Core) -> None:
    """The reports' own use case, for a task that another tenant has."""
    from services.api.domain.errors import NotFound

    task = await core.complete(await core.task(), PACKED)
    with pytest.raises(NotFound):
        await core.use_cases.reports.of_task(a_principal("other"), task.id)
