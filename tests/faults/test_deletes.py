"""What was deleted stays so: its work ends, its bytes go, and nothing that comes later counts."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from services.api.domain.lifecycle import Status
from shared.problems import Format
from shared.stage.job import Accepted, Stored
from shared.stage.messages import Report
from tests.support.faults import (
    LAPTOP,
    RefusedError,
    holding,
    running_system,
    runs,
    small,
    voices,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.faults import Client, Process, System

# Many heartbeats, and much less than the body takes that a run could end with.
SOON = 10.0
FAILPOINTS = {"download": "downloader.stored", "validate": "validator.judged"}


async def is_gone(client: Client, id_: UUID) -> bool:
    """Whether the API knows no such task."""
    try:
        await client.get(id_)
    except RefusedError as refused:
        return refused.status == 404
    return False


def workers_of(system: System, stage: str) -> list[Process]:
    """The workers of a stage."""
    return {"download": system.downloaders, "validate": system.validators}[stage]


@pytest.mark.parametrize("status", Status)
async def test_f32_a_delete_in_each_status(status: Status, system: System) -> None:
    """Nothing is left of it: no record, no file (I7), and its ISRC is free for the next one."""
    async with system.client() as client:
        isrc = client.ledger.new_isrc()
        async with holding.held(system, client, status, "f32", isrc=isrc) as id_:
            await client.delete(id_)
            assert await is_gone(client, id_)
        system.end_fault()
        await client.all_completed(await client.bring(f"/f32-{status}-next", small(), isrc=isrc))
        assert await is_gone(client, id_)
    await system.check()


@pytest.mark.parametrize("status", [Status.DOWNLOADING, Status.VALIDATING])
async def test_f32_a_delete_ends_the_work_within_a_heartbeat(
    status: Status, system: System
) -> None:
    stage = "download" if status is Status.DOWNLOADING else "validate"
    async with (
        system.client() as client,
        holding.held(system, client, status, "f32-work") as id_,
    ):
        worker = await runs.who_runs(workers_of(system, stage), id_)
        await client.delete(id_)
        assert await runs.first_end(worker, id_, SOON) == runs.VOID
    await system.check()


async def test_f32_a_delete_that_workers_are_not_told_of_is_heard_by_the_heartbeat(
    system: System,
) -> None:
    """The broker is away when the hint is given, and nobody gives it again."""
    async with (
        system.client() as client,
        holding.held(system, client, Status.DOWNLOADING, "f32-unheard") as id_,
    ):
        worker = await runs.who_runs(system.downloaders, id_)
        system.nats.kill()
        await client.delete(id_)
        await system.nats.start()
        assert await runs.first_end(worker, id_, SOON) == runs.VOID
    await system.check()


async def test_f32_a_delete_is_heard_long_before_the_next_heartbeat(tmp_path: Path) -> None:
    """With a lease of a minute a worker asks every 10 s: it is told before that.

    On the laptop only: the hint takes the same way in a fleet.
    """
    with running_system(tmp_path, LAPTOP, STAGEDOOR_LEASE_SECONDS="60") as system:
        async with (
            system.client() as client,
            holding.held(system, client, Status.VALIDATING, "f32-hint") as id_,
        ):
            await client.delete(id_)
            assert await runs.first_end(system.validators[0], id_, 5) == runs.VOID
        await system.check()


@pytest.mark.parametrize("stage", FAILPOINTS)
async def test_f33_a_delete_then_the_report_of_a_run_that_stood_still(
    stage: str, system: System
) -> None:
    async with system.client() as client:
        bring = partial(client.bring, f"/f33-{stage}.mp4", small())
        zombie, id_ = await runs.stopped_alone(workers_of(system, stage), FAILPOINTS[stage], bring)
        await client.delete(id_)
        zombie.cont()
        await runs.ended(zombie, id_)
        assert await is_gone(client, id_)
    await system.check()


async def test_f33_a_delete_then_its_reports_once_more(system: System) -> None:
    """The very runs that were believed before say again what they said."""
    body = small()
    md5 = hashlib.md5(body).hexdigest()
    async with system.client() as client:
        id_ = await client.bring("/f33-again.mp4", body)
        await client.all_completed(id_)
        await client.delete(id_)
        run = _run_of(system.downloaders, id_)
        stored = Stored(blob_key=f"default/{id_}/1/{run}", size_bytes=len(body), md5=md5)
        await _say(system, "download", id_, Report(1, run, stored))
        accepted = Accepted(md5=md5, size_bytes=len(body), format=Format())
        run = _run_of(system.validators, id_)
        await _say(system, "validate", id_, Report(1, run, accepted))
        assert await is_gone(client, id_)
    await system.check()


async def _say(system: System, stage: str, id_: UUID, said: Report) -> None:
    """Report as a worker would; returns when it was heard and not believed."""
    async with voices.speaking(system, voices.ROLES[stage]) as bus:
        await voices.report(bus, stage, id_, said)
    await runs.refused_report(system.apis, str(said.run_id))


def _run_of(workers: list[Process], id_: UUID) -> UUID:
    ((said,),) = (found for each in workers if (found := runs.started(each, id_)))
    return UUID(said["run"])
