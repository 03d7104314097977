"""Subjects and envelopes: built and read back, and nothing strange let through."""

from __future__ import annotations

from uuid import UUID

import pytest

from shared.bus import subjects
from shared.bus.envelope import Envelope, traceparent_of
from shared.bus.roles import Role, new_password, role_url, server_config
from shared.bus.subjects import BadSubject, RunSubject

TASK = UUID("01890000-0000-7000-8000-000000000001")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_subjects_are_those_of_the_design() -> None:
    assert subjects.work("download", TASK, 3) == f"stagedoor.work.download.{TASK}.3"
    assert subjects.work_of("validate") == "stagedoor.work.validate.>"
    assert subjects.claim("download", TASK) == f"stagedoor.claim.download.{TASK}"
    assert subjects.progress("download", TASK) == f"stagedoor.progress.download.{TASK}"
    assert subjects.report("download", TASK) == f"stagedoor.reports.download.{TASK}"
    assert subjects.cancel(TASK) == f"stagedoor.cancel.{TASK}"
    assert subjects.event("acme", "completed") == "stagedoor.events.acme.import_task.completed"


@pytest.mark.parametrize("build", [subjects.claim, subjects.progress, subjects.report])
def test_a_run_is_read_back_from_its_subject(build: object) -> None:
    assert callable(build)
    assert subjects.parse_run(build("validate", TASK)) == RunSubject("validate", TASK)
    assert subjects.parse_cancel(subjects.cancel(TASK)) == TASK


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "stagedoor.claim.download",
        f"stagedoor.claim.download.{TASK}.more",
        f"stagedoor.work.download.{TASK}",
        f"elsewhere.claim.download.{TASK}",
        f"stagedoor.claim.*.{TASK}",
        f"stagedoor.claim.down load.{TASK}",
        "stagedoor.claim.download.nobody",
        f"stagedoor.claim.download.{TASK.hex}",
        f"stagedoor.claim.download.{{{TASK}}}",
    ],
)
def test_other_subjects_are_refused(subject: str) -> None:
    with pytest.raises(BadSubject):
        subjects.parse_run(subject)


@pytest.mark.parametrize("subject", ["stagedoor.cancel", "stagedoor.cancel.x", f"x.cancel.{TASK}"])
def test_other_cancels_are_refused(subject: str) -> None:
    with pytest.raises(BadSubject):
        subjects.parse_cancel(subject)


@pytest.mark.parametrize("tenant", ["", "a.b", "*", ">", "a b", "a\r\nPUB x", "ä", "x" * 129])
def test_a_tenant_that_would_break_a_subject_is_refused(tenant: str) -> None:
    with pytest.raises(BadSubject):
        subjects.event(tenant, "pending")


def test_every_envelope_has_an_id_of_its_own_and_no_empty_trace() -> None:
    first, second = Envelope(type="t"), Envelope(type="t")
    assert first.id != second.id
    headers = first.headers("/stagedoor/api")
    assert headers["Nats-Msg-Id"] == headers["ce-id"] == first.id
    assert "traceparent" not in headers


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (None, ""),
        ({}, ""),
        ({"traceparent": TRACE}, TRACE),
        ({"traceparent": f"{TRACE}\r\nce-id: x"}, ""),
        ({"traceparent": "x" * 10_000}, ""),
    ],
)
def test_only_a_well_formed_trace_is_passed_on(headers: dict[str, str] | None, found: str) -> None:
    assert traceparent_of(headers) == found


def test_role_urls_carry_user_and_password() -> None:
    assert role_url("nats://h:1", Role.API, "p@/:") == "nats://api:p%40%2F%3A@h:1"
    assert role_url("tls://old:word@h:1", Role.VALIDATOR, "p") == "tls://validator:p@h:1"


def test_the_configuration_takes_every_password_from_its_variable() -> None:
    text = server_config().read_text()
    assert all(f"password: ${role.password_variable}\n" in text for role in Role)
    assert new_password() != new_password()
    assert new_password()[0].isalpha()
