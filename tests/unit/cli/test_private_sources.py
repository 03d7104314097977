"""Header fields and quotas at the command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from uuid_utils.compat import uuid7

from services.api.domain.lifecycle import Stage
from services.api.domain.outcomes import Go, Refused, Run, error
from services.api.domain.queries import TaskQuery
from services.api.use_cases.settings import SettingsFields
from tests.support.core import a_principal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.api.domain.task import Task
    from tests.support.core import Core
    from tests.unit.cli.conftest import Stagedoor

IMPORT = ("import", "https://cdn.example.com/m.wav", "--master-type", "cd")


async def the_task(core: Core) -> Task:
    (task,) = (await core.use_cases.import_tasks.list(a_principal(), TaskQuery())).items
    return task


async def given_to(core: Core, task: Task) -> Mapping[str, str] | None:
    run = Run(Stage.DOWNLOAD, task.generation, uuid7())
    go = await core.use_cases.runs.claim(task.id, run)
    assert isinstance(go, Go)
    return go.source_headers.fields if go.source_headers else None


async def test_header_fields_come_from_the_command_line_and_from_files(
    stagedoor: Stagedoor, core: Core
) -> None:
    (stagedoor.folder / "secret").write_text("Authorization: Bearer a:b \n\nX-Key:k\n")
    made = await stagedoor(*IMPORT, "--header", "Accept: audio/*", "--header", "@secret", "--json")
    assert (made.code, made.err) == (0, [])
    assert json.loads("\n".join(made.out))["sourceHeaders"] == {}
    assert await given_to(core, await the_task(core)) == {
        "Accept": "audio/*",
        "Authorization": "Bearer a:b",
        "X-Key": "k",
    }


async def test_a_retry_may_bring_others(stagedoor: Stagedoor, core: Core) -> None:
    await stagedoor(*IMPORT, "--header", "X-Key: old")
    task = await the_task(core)
    run = await core.claim(task.id, Stage.DOWNLOAD)
    await core.use_cases.runs.report(task.id, run, Refused(problems=(error("x", "y"),)))
    again = await stagedoor("tasks", "retry", str(task.id), "--header", "X-Key: new")
    assert (again.code, again.err) == (0, [])
    assert await given_to(core, await the_task(core)) == {"X-Key": "new"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("secret-value", "written as"),
        (": secret-value", "written as"),
        ("@missing", "missing: No such file"),
        ("@binary", "binary is no text"),
    ],
)
async def test_what_is_no_header_field_is_not_repeated(
    alone: Stagedoor, given: str, told: str
) -> None:
    (alone.folder / "binary").write_bytes(b"\xff")
    wrong = await alone(*IMPORT, "--header", given)
    assert (wrong.code, wrong.out) == (2, [])
    shown = " ".join(" ".join(wrong.err).replace("│", " ").split())
    assert told in shown
    assert "secret-value" not in shown


async def test_the_same_name_twice_is_refused(alone: Stagedoor) -> None:
    twice = await alone(*IMPORT, "--header", "X-Key: a", "--header", "x-key: b")
    assert twice.code == 2


@pytest.mark.long
async def test_an_operator_sets_quotas(stagedoor: Stagedoor, core: Core, sqlite_url: str) -> None:
    who = a_principal("default", "admin")
    for given, told in (("1000", 1000), ("0", 0), ("5", 5), ("default", 0)):
        done = await stagedoor("quota", "set", "default", given, STAGEDOOR_DATABASE_URL=sqlite_url)
        assert (done.code, done.out, done.err) == (0, [], [])
        assert (await core.use_cases.settings.get(who)).storage.quota == told
    await stagedoor("quota", "set", "default", "7", STAGEDOOR_DATABASE_URL=sqlite_url)
    await core.use_cases.settings.update(who, SettingsFields(delivery_profile="atmos"))
    shown = (await stagedoor("settings", "get")).out
    assert "byte quota        7" in shown


@pytest.mark.parametrize("given", ["-1", "1.5", "x", "\u0661", str(2**63)])
async def test_what_is_no_quota_is_refused(alone: Stagedoor, given: str) -> None:
    assert (await alone("quota", "set", "default", "--", given)).code == 2


async def test_a_quota_needs_a_tenant(alone: Stagedoor, sqlite_url: str) -> None:
    wrong = await alone("quota", "set", "No Tenant", "1", STAGEDOOR_DATABASE_URL=sqlite_url)
    assert (wrong.code, len(wrong.err)) == (1, 1)
    assert wrong.err[0].startswith("error: INVALID_FIELD: ")
