"""Header fields of a task: whom they are for, how long they are kept, and that nobody sees them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select, update
from uuid_utils.compat import uuid7

from services.api.db.tables import idempotency_keys, import_tasks, source_headers
from services.api.domain.errors import InvalidFields, KeyReused
from services.api.domain.lifecycle import Stage, Status
from services.api.domain.outcomes import Go, Refused, Run, Stop, error
from services.api.domain.queries import Slice
from services.api.domain.task import Target
from services.api.secrets import SecretKeys
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.options import Options
from shared.origin import OriginPolicy
from tests.support.core import Core, a_principal, migrate, open_core

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from services.api.db.transactions import Transaction
    from services.api.domain.task import Task

WHO = a_principal()
ORIGIN = "https://cdn.example.com"
FIELDS = {"Authorization": "Bearer open-sesame", "X-Key": "k"}
OTHERS = {"Authorization": "Bearer another"}
LOST = error("http_status", "The origin answered 401.")


async def fields(core: Core, **more: object) -> TaskFields:
    track = await core.track()
    given = {
        "source_uri": f"{ORIGIN}/m.wav",
        "isrc": "USRC12345678",
        "source_headers": FIELDS,
    } | more
    return TaskFields(target=Target("tracks", track.id), **given)


async def create(core: Core, **more: object) -> Task:
    return await core.use_cases.import_tasks.create(WHO, await fields(core, **more))


async def change(core: Core, task: Task, **more: object) -> Task:
    return await core.use_cases.import_tasks.update(WHO, task.id, TaskFields(**more))  # type: ignore[arg-type] # as above


async def given_to(core: Core, task: Task) -> Mapping[str, str] | None:
    """What a download of the task is given."""
    decision = await core.use_cases.runs.claim(
        task.id, Run(Stage.DOWNLOAD, task.generation, uuid7())
    )
    assert isinstance(decision, Go), decision
    return decision.source_headers.fields if decision.source_headers else None


async def kept(core: Core) -> int:
    """How many tasks have fields in the database."""
    rows = await core.use_cases.executor.read(lambda c: c.execute(select(source_headers)).all())
    return len(rows)


async def fail(core: Core, task: Task) -> Task:
    run = await core.claim(task.id, Stage.DOWNLOAD, task.generation)
    await core.use_cases.runs.report(task.id, run, Refused(problems=(LOST,)))
    return await core.use_cases.import_tasks.get(WHO, task.id)


async def test_the_download_is_given_them_and_the_validation_is_not(any_core: Core) -> None:
    task = await create(any_core)
    assert await given_to(any_core, task) == FIELDS
    other = await any_core.task("USRC12345679")
    assert await given_to(any_core, other) is None
    third = await create(any_core, isrc="USRC12345670")
    await any_core.store(third)
    go = await any_core.use_cases.runs.claim(third.id, Run(Stage.VALIDATE, 1, uuid7()))
    assert isinstance(go, Go)
    assert go.source_headers is None


async def test_the_same_run_is_given_them_again(any_core: Core) -> None:
    task = await create(any_core)
    run = Run(Stage.DOWNLOAD, 1, uuid7())
    for _ in range(2):
        go = await any_core.use_cases.runs.claim(task.id, run)
        assert isinstance(go, Go)
        assert go.source_headers is not None


async def test_others_are_a_change_but_fetch_nothing_anew(any_core: Core) -> None:
    task = await create(any_core)
    assert await change(any_core, task, source_headers=FIELDS) == task
    changed = await change(any_core, task, source_headers=OTHERS)
    assert (changed.version, changed.generation) == (task.version + 1, 1)
    assert changed.status is Status.PENDING
    assert await given_to(any_core, task) == OTHERS


async def test_a_retry_is_given_the_new_ones(any_core: Core) -> None:
    failed = await fail(any_core, await create(any_core))
    assert failed.status is Status.DOWNLOAD_FAILED
    await change(any_core, failed, source_headers=OTHERS)
    again = await any_core.use_cases.import_tasks.retry(WHO, failed.id)
    assert await given_to(any_core, again) == OTHERS


@pytest.mark.parametrize("nothing", [None, {}])
async def test_they_can_be_removed(any_core: Core, nothing: object) -> None:
    task = await create(any_core)
    changed = await change(any_core, task, source_headers=nothing)
    assert changed.version == task.version + 1
    assert await change(any_core, task, source_headers=nothing) == changed
    assert await kept(any_core) == 0
    assert await given_to(any_core, task) is None


@pytest.mark.parametrize(
    ("url", "given"),
    [
        (f"{ORIGIN}/other.wav", FIELDS),
        (f"{ORIGIN}:443/other.wav?x=1", FIELDS),
        ("https://CDN.example.com/other.wav", FIELDS),
        ("https://cdn2.example.com/m.wav", None),
        ("https://example.com/m.wav", None),
        ("https://cdn.example.com.evil.example/m.wav", None),
    ],
)
async def test_a_new_source_of_another_origin_is_not_given_the_old_ones(
    any_core: Core, url: str, given: Mapping[str, str] | None
) -> None:
    changed = await change(any_core, await create(any_core), source_uri=url)
    assert changed.generation == 2
    assert await given_to(any_core, changed) == given
    assert await kept(any_core) == (given is not None)


async def test_they_do_not_come_back_with_the_old_origin(any_core: Core) -> None:
    task = await create(any_core)
    await change(any_core, task, source_uri="https://else.example.com/m.wav")
    back = await change(any_core, task, source_uri=task.source_uri)
    assert await given_to(any_core, back) is None


async def test_another_port_is_another_origin(sqlite_url: str) -> None:
    policy = OriginPolicy.from_settings("", "443,8443")
    async with open_core(sqlite_url, policy=policy) as core:
        changed = await change(core, await create(core), source_uri=f"{ORIGIN}:8443/m.wav")
        assert await given_to(core, changed) is None


async def test_a_new_origin_may_come_with_its_own(any_core: Core) -> None:
    task = await create(any_core)
    elsewhere = "https://else.example.com/m.wav"
    changed = await change(any_core, task, source_uri=elsewhere, source_headers=OTHERS)
    assert await given_to(any_core, changed) == OTHERS


async def test_they_are_kept_until_the_task_is_completed(any_core: Core) -> None:
    task = await create(any_core)
    await any_core.store(task)
    assert await kept(any_core) == 1
    await any_core.accept(task)
    assert await kept(any_core) == 0


async def test_a_task_without_an_isrc_of_its_own_may_need_them_again(any_core: Core) -> None:
    first, second = await create(any_core), await create(any_core)
    await any_core.complete(first)
    done = await any_core.complete(second)
    assert done.status is Status.VALIDATION_FAILED
    assert await kept(any_core) == 1


async def test_they_go_with_the_task(any_core: Core) -> None:
    task = await create(any_core)
    await any_core.use_cases.import_tasks.delete(WHO, task.id)
    assert await kept(any_core) == 0


async def test_fields_of_one_task_do_not_open_for_another(any_core: Core) -> None:
    """Whoever can write rows cannot have a secret sent to an origin of their choice."""
    ours = await create(any_core)
    theirs = await any_core.task("USRC12345679", a_principal("other"))

    def steal(transaction: Transaction) -> None:
        transaction.connection.execute(
            update(source_headers)
            .where(source_headers.c.task_id == ours.id)
            .values(task_id=theirs.id, tenant="other")
        )

    await any_core.use_cases.executor.write(steal)
    run = Run(Stage.DOWNLOAD, 1, uuid7())
    assert await any_core.use_cases.runs.claim(theirs.id, run) == Stop("source_headers_unreadable")


async def test_a_key_that_is_gone_fails_the_task_and_new_fields_cure_it(sqlite_url: str) -> None:
    async with open_core(sqlite_url) as core:
        task = await create(core)
    async with open_core(sqlite_url) as core:
        decision = await core.use_cases.runs.claim(task.id, Run(Stage.DOWNLOAD, 1, uuid7()))
        assert decision == Stop("source_headers_unreadable")
        failed = await core.use_cases.import_tasks.get(WHO, task.id)
        assert failed.status is Status.DOWNLOAD_FAILED
        assert [each["code"] for each in failed.problems] == ["source_headers_unreadable"]
        assert failed.claim is None
        changed = await change(core, failed, source_headers=FIELDS)
        assert changed.version == failed.version + 1
        again = await core.use_cases.import_tasks.retry(WHO, task.id)
        assert await given_to(core, again) == FIELDS


async def test_a_key_that_was_rotated_out_still_opens(sqlite_url: str) -> None:
    old, new = SecretKeys.generate(), SecretKeys.generate()
    async with open_core(sqlite_url, keys=old) as core:
        task = await create(core)
    async with open_core(sqlite_url, keys=SecretKeys((*new.keys, *old.keys))) as core:
        assert await given_to(core, task) == FIELDS


async def test_a_key_of_idempotency_stands_for_its_fields_too(any_core: Core) -> None:
    tasks, options = any_core.use_cases.import_tasks, Options(key="k")
    asked = await fields(any_core)
    first = await tasks.create(WHO, asked, options=options)
    assert await tasks.create(WHO, asked, options=options) == first
    with pytest.raises(KeyReused):
        await tasks.create(WHO, replace(asked, source_headers=OTHERS), options=options)
    batch = Options(key="b")
    several = replace(asked, isrc="USRC12345671")
    (made,) = await tasks.batch_create(WHO, [several], options=batch)
    assert (await tasks.batch_create(WHO, [several], options=batch)) == (made,)
    with pytest.raises(KeyReused):
        await tasks.batch_create(WHO, [replace(several, source_headers=None)], options=batch)


def _fingerprints(connection: Connection) -> tuple[str, ...]:
    return tuple(connection.scalars(select(idempotency_keys.c.fingerprint)))


async def test_a_guess_at_a_secret_cannot_be_checked_against_what_is_kept(tmp_path: Path) -> None:
    """The same request leaves another trace wherever the keys are others."""
    asked = TaskFields(source_uri=f"{ORIGIN}/m.wav", source_headers=FIELDS)
    kept: list[tuple[str, ...]] = []
    for name in ("one", "other"):
        url = f"sqlite+aiosqlite:///{tmp_path / name}"
        await asyncio.to_thread(migrate, url)
        async with open_core(url) as core:
            tasks, operations = core.use_cases.import_tasks, core.use_cases.operations
            await tasks.create(WHO, asked, options=Options(key="a"))
            await tasks.batch_create(WHO, [asked], options=Options(key="b"))
            await operations.run(WHO, [], Options(key="c"), [FIELDS])
            kept.append(await core.use_cases.executor.read(_fingerprints))
    assert not set(kept[0]) & set(kept[1])
    assert len(kept[0]) == 3


async def test_the_database_s_files_do_not_show_them(sqlite_url: str) -> None:
    async with open_core(sqlite_url) as core:
        await core.use_cases.import_tasks.create(WHO, await fields(core), options=Options(key="k"))
        path = Path(urlsplit(sqlite_url).path)
        files = [path, path.with_name(f"{path.name}-wal")]
        read = b"".join([await asyncio.to_thread(file.read_bytes) for file in files])
    assert ORIGIN.encode() in read
    assert b"open-sesame" not in read
    assert b"Authorization" not in read


async def test_no_repr_shows_them(core: Core) -> None:
    asked = await fields(core)
    task = await core.use_cases.import_tasks.create(WHO, asked)
    go = await core.use_cases.runs.claim(task.id, Run(Stage.DOWNLOAD, 1, uuid7()))
    assert isinstance(go, Go)
    assert go.source_headers is not None
    assert "open-sesame" not in repr([asked, task, go, core.use_cases])


async def test_a_trial_keeps_nothing(any_core: Core) -> None:
    asked = await fields(any_core)
    await any_core.use_cases.import_tasks.create(WHO, asked, options=Options(validate_only=True))
    assert await kept(any_core) == 0


@pytest.mark.parametrize("value", ["Authorization: x", ["X"], 7, True, {"X": "ä"}, {"Host": "h"}])
async def test_what_is_wrong_is_refused_and_nothing_made(any_core: Core, value: object) -> None:
    with pytest.raises(InvalidFields) as caught:
        await create(any_core, source_headers=value)
    assert {each.field for each in caught.value.violations} == {"source_headers"}
    assert await kept(any_core) == 0
    rows = await any_core.use_cases.executor.read(lambda c: c.execute(select(import_tasks)).all())
    assert rows == []


async def test_the_audit_log_tells_of_the_change_only(any_core: Core) -> None:
    task = await create(any_core)
    await change(any_core, task, source_headers=OTHERS)
    entries = (await any_core.use_cases.audit.list(a_principal("default", "admin"), Slice())).items
    actions = [each.action for each in entries]
    assert actions.count("importTasks.update") == 1
    assert "another" not in repr(entries)
