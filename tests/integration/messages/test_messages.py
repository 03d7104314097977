"""What the API says and hears on the bus, with the real use cases on SQLite."""

from __future__ import annotations

import asyncio
import gzip
import sqlite3
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from sqlalchemy import insert
from uuid_utils.compat import uuid7

from services.api.cancels import MAX_WAITING, Cancels
from services.api.db.tables import outbox
from services.api.domain.errors import Unavailable
from services.api.domain.lifecycle import Stage, Status
from services.api.signals import cancel_topic
from services.api.use_cases.dead_letters import MAX_PAYLOAD_BYTES
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.items import Fields
from services.api.use_cases.quotas import Quotas
from services.api.use_cases.runs import Runs
from services.api.use_cases.settings import SettingsFields
from shared.bus import streams, subjects
from shared.bus.envelope import Envelope
from shared.bus.errors import NoAnswer
from shared.bus.roles import Role
from shared.problems import Format, Problem, Severity
from shared.stage import wire
from shared.stage.job import Accepted, Failed, Job, Outcome, Progress, Refused, Released, Stored
from shared.stage.messages import ClaimRequest, Command, Go, ProgressRequest, Report, Stop
from tests.support.core import PACKED, Core, a_principal
from tests.support.nats import ACK_WAIT
from tests.support.scripted import Quick, ScriptedStage, working

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from services.api.db.transactions import Transaction
    from services.api.domain.runs import Outcome as DomainOutcome
    from services.api.domain.runs import Run
    from shared.bus.bus import Bus
    from tests.integration.messages.conftest import Loops
    from tests.support.nats import NatsServer

SOON = timedelta(seconds=1)
MD5 = "0" * 32
LOST = Problem(code="md5_mismatch", severity=Severity.ERROR, detail="Not the declared bytes.")
A_MOMENT = timedelta(seconds=0.3)


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110 - the condition is in another process or file
            await asyncio.sleep(0.02)


def dead_letters(url: str) -> list[tuple[str, bytes]]:
    with sqlite3.connect(urlsplit(url).path) as connection:
        found = connection.execute("SELECT subject, payload FROM dead_letters").fetchall()
    connection.close()
    return found


async def ask(bus: Bus, subject: str, payload: bytes) -> bytes:
    envelope = Envelope(type=wire.PROGRESS if ".progress." in subject else wire.CLAIM)
    async with asyncio.timeout(5):
        while True:
            try:
                return await bus.request(subject, payload, envelope, wait=SOON)
            except NoAnswer:
                await asyncio.sleep(0.01)


async def tell(bus: Bus, stage: str, task_id: UUID, payload: bytes, id_: str) -> None:
    envelope = Envelope(type=wire.REPORT, id=id_)
    await bus.publish(subjects.report(stage, task_id), payload, envelope)


async def test_a_task_goes_from_pending_to_its_record(
    core: Core, loops: Loops, nats_server: NatsServer
) -> None:
    task = await core.task()
    async with (
        loops.running(),
        working(nats_server, Quick("download")),
        working(nats_server, Quick("validate")),
    ):
        done = await core.until(task.id, Status.COMPLETED)
    assert done.record_id is not None
    assert done.format is not None
    assert done.format["codec"] == "PCM"


class Reporting(Quick):
    """A validator that remembers its job and sends a report."""

    def __init__(self) -> None:
        super().__init__("validate")
        self.job: Job | None = None

    async def run(self, job: Job, progress: Progress) -> Outcome:
        self.job = job
        outcome = await super().run(job, progress)
        assert isinstance(outcome, Accepted)
        return replace(outcome, report=PACKED)


async def test_a_validator_is_told_what_to_judge_by_and_its_report_is_kept(
    core: Core, loops: Loops, nats_server: NatsServer
) -> None:
    cases, stage = core.use_cases, Reporting()
    who = a_principal("default", "admin")
    await cases.settings.update(who, SettingsFields(delivery_profile="apple-music"))
    task = await core.task()
    assert task.target is not None
    await cases.tracks.update(who, task.target.id, Fields(stereo_duration=215.04))
    async with (
        loops.running(),
        working(nats_server, Quick("download")),
        working(nats_server, stage),
    ):
        await core.until(task.id, Status.COMPLETED)
    assert stage.job is not None
    assert (stage.job.delivery_profile, stage.job.stereo_duration_seconds) == (
        "apple-music",
        215.04,
    )
    assert await cases.reports.of_task(who, task.id) == gzip.decompress(PACKED)


async def test_every_step_is_told_to_the_world_in_order(
    core: Core, loops: Loops, nats_server: NatsServer
) -> None:
    task = await core.task()
    async with (
        nats_server.client(Role.API) as client,
        loops.running(),
        working(nats_server, Quick("download")),
        working(nats_server, Quick("validate")),
    ):
        await core.until(task.id, Status.COMPLETED)
        events = await client.jetstream().subscribe(subjects.ALL_EVENTS, stream=streams.EVENTS)
        told = [await events.next_msg(timeout=2) for _ in range(5)]
    assert [message.subject.rpartition(".")[2] for message in told] == [
        "pending",
        "downloading",
        "downloaded",
        "validating",
        "completed",
    ]
    assert len({(message.headers or {})["ce-id"] for message in told}) == 5


async def test_a_command_that_is_under_way_counts_as_sent(core: Core, loops: Loops) -> None:
    task = await core.task()
    await loops.bus.ensure_topology(SOON)
    await loops.bus.publish(
        subjects.work("download", task.id, 1),
        wire.encode_command(Command(task.id, 1)),
        Envelope(type=wire.COMMAND),
    )
    assert await loops.dispatcher.round() is False
    assert await core.use_cases.dispatch.due(10) == ()


async def test_claims_are_answered_as_the_row_says(
    core: Core, loops: Loops, nats_server: NatsServer
) -> None:
    task = await core.task()
    claim = ClaimRequest(1, uuid7())
    async with loops.running(), nats_server.bus(Role.DOWNLOADER) as worker:
        subject = subjects.claim("download", task.id)
        for _ in range(2):
            answer = await ask(worker, subject, wire.encode_claim(claim))
            reply = wire.decode_claim_reply(answer, task.id, claim)
            assert isinstance(reply, Go)
            assert reply.job.source_uri == task.source_uri
            assert (reply.job.attempt, reply.job.tenant) == (1, "default")
            assert reply.lease == core.use_cases.runs.limits.lease
            assert reply.deadline == core.use_cases.runs.limits.deadlines[Stage.DOWNLOAD]
        stale = ClaimRequest(2, uuid7())
        answer = await ask(worker, subject, wire.encode_claim(stale))
        assert wire.decode_claim_reply(answer, task.id, stale) == Stop("stale")


async def test_who_is_told_to_end_answers_for_the_reports_that_it_took(
    core: Core, loops: Loops, nats_server: NatsServer, sqlite_url: str
) -> None:
    """Else they would come again after a lease, and find that their claims have ended."""
    task = await core.task()
    run = await core.claim(task.id, Stage.DOWNLOAD)
    await loops.bus.ensure_topology(ACK_WAIT)
    reading = asyncio.create_task(loops.reports.run())
    writer = sqlite3.connect(urlsplit(sqlite_url).path, isolation_level=None)
    async with nats_server.client(Role.API) as client, nats_server.bus(Role.DOWNLOADER) as worker:

        async def waiting() -> int:
            js = client.jetstream()
            info = await js.consumer_info(streams.REPORTS, streams.API_CONSUMER)
            return info.num_ack_pending or 0

        async def is_taken() -> bool:
            return await waiting() == 1

        async def is_answered_for() -> bool:
            return await waiting() == 0

        writer.execute("BEGIN IMMEDIATE")
        report = wire.encode_report(Report(1, run.id, Released(reason="shutdown")))
        await tell(worker, "download", task.id, report, "r1")
        await eventually(is_taken)
        reading.cancel()
        await asyncio.sleep(0)
        writer.execute("ROLLBACK")
        with pytest.raises(asyncio.CancelledError):
            await reading
        await eventually(is_answered_for)
    writer.close()
    given_back = await core.use_cases.import_tasks.get(a_principal(), task.id)
    assert (given_back.attempts, given_back.claim) == (0, None)


async def test_a_downloader_is_told_the_header_fields_and_the_room(
    core: Core, loops: Loops, nats_server: NatsServer
) -> None:
    await Quotas(core.use_cases.executor).set("default", 1 << 40)
    fields = TaskFields(
        source_uri="https://cdn.example.com/m.wav", source_headers={"X-Key": "open-sesame"}
    )
    task = await core.use_cases.import_tasks.create(a_principal(), fields)
    claim = ClaimRequest(1, uuid7())
    async with loops.running(), nats_server.bus(Role.DOWNLOADER) as worker:
        subject = subjects.claim("download", task.id)
        answer = await ask(worker, subject, wire.encode_claim(claim))
    reply = wire.decode_claim_reply(answer, task.id, claim)
    assert isinstance(reply, Go)
    assert reply.job.source_headers == {"X-Key": "open-sesame"}
    assert reply.job.max_bytes == 1 << 40
    assert "open-sesame" not in repr(reply)


async def test_progress_is_noted_and_a_lost_claim_is_told(
    core: Core, loops: Loops, nats_server: NatsServer
) -> None:
    task = await core.task()
    run = await core.claim(task.id, Stage.DOWNLOAD)
    subject = subjects.progress("download", task.id)
    async with loops.running(), nats_server.bus(Role.DOWNLOADER) as worker:
        mine = wire.encode_progress(ProgressRequest(1, run.id, 5, 9))
        assert wire.decode_progress_reply(await ask(worker, subject, mine))
        other = wire.encode_progress(ProgressRequest(1, uuid7(), 9, 9))
        assert not wire.decode_progress_reply(await ask(worker, subject, other))
    now = await core.use_cases.import_tasks.get(a_principal(), task.id)
    assert now.progress is not None
    assert (now.progress.done_bytes, now.progress.total_bytes) == (5, 9)


async def test_a_request_that_makes_no_sense_is_buried_and_not_answered(
    core: Core, loops: Loops, nats_server: NatsServer, sqlite_url: str
) -> None:
    task = await core.task()
    async with loops.running(), nats_server.bus(Role.DOWNLOADER) as worker:
        good = wire.encode_claim(ClaimRequest(1, uuid7()))
        await ask(worker, subjects.claim("download", task.id), good)
        for subject in (subjects.claim("download", task.id), "stagedoor.claim.download.nobody"):
            with pytest.raises(NoAnswer):
                await worker.request(subject, b"\xff", Envelope(type=wire.CLAIM), wait=A_MOMENT)
    assert [payload for _, payload in dead_letters(sqlite_url)] == [b"\xff", b"\xff"]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Refused(problems=(LOST,), format=Format(codec="AAC")), Status.DOWNLOAD_FAILED),
        (Failed(problem=LOST, retry_after=SOON), Status.DOWNLOADING),
        (Released(reason="shutdown", retry_after=SOON), Status.DOWNLOADING),
    ],
)
async def test_every_outcome_reaches_the_row(
    core: Core, loops: Loops, nats_server: NatsServer, outcome: Outcome, status: Status
) -> None:
    task = await core.task()
    run = await core.claim(task.id, Stage.DOWNLOAD)
    report = wire.encode_report(Report(1, run.id, outcome))

    async def unclaimed() -> bool:
        return (await core.use_cases.import_tasks.get(a_principal(), task.id)).claim is None

    async with loops.running(), nats_server.bus(Role.DOWNLOADER) as worker:
        await loops.bus.ensure_topology(SOON)
        await tell(worker, "download", task.id, report, "r")
        await eventually(unclaimed)
    now = await core.use_cases.import_tasks.get(a_principal(), task.id)
    assert now.status is status
    findings = (*now.problems, *filter(None, [now.last_failure]))
    assert [f["severity"] for f in findings] == ["error"] * (not isinstance(outcome, Released))


async def test_a_stale_report_is_acknowledged_and_changes_nothing(
    core: Core, loops: Loops, nats_server: NatsServer
) -> None:
    task = await core.task()
    await core.claim(task.id, Stage.DOWNLOAD)
    before = await core.use_cases.import_tasks.get(a_principal(), task.id)
    stale = wire.encode_report(Report(1, uuid7(), Refused(problems=(LOST,))))
    async with nats_server.bus(Role.DOWNLOADER) as worker:
        await loops.bus.ensure_topology(SOON)
        await tell(worker, "download", task.id, stale, "stale")
        async with loops.bus.pulling(streams.REPORTS, "api") as puller:
            await loops.reports.round(puller)
            assert await puller.pull(1, SOON * 1.5) == []
    assert await core.use_cases.import_tasks.get(a_principal(), task.id) == before


async def test_a_report_that_makes_no_sense_is_buried_at_once(
    core: Core, loops: Loops, nats_server: NatsServer, sqlite_url: str
) -> None:
    task = await core.task()
    run = await core.claim(task.id, Stage.DOWNLOAD)
    theirs = Stored(blob_key="other-tenant/master", size_bytes=1, md5=MD5)
    async with nats_server.bus(Role.DOWNLOADER) as worker:
        await loops.bus.ensure_topology(SOON)
        await tell(worker, "download", task.id, b"\xff", "junk")
        await tell(
            worker, "download", task.id, wire.encode_report(Report(1, run.id, theirs)), "thief"
        )
        async with loops.bus.pulling(streams.REPORTS, "api") as puller:
            await loops.reports.round(puller)
            assert await puller.pull(1, SOON * 1.5) == []
    assert len(dead_letters(sqlite_url)) == 2
    now = await core.use_cases.import_tasks.get(a_principal(), task.id)
    assert now.status is Status.DOWNLOADING


class BrokenRuns(Runs):
    """The real ones, but no report can be applied."""

    trouble: type[Exception] = ZeroDivisionError
    calls = 0

    async def report(self, task_id: UUID, run: Run, outcome: DomainOutcome) -> bool:
        type(self).calls += 1
        raise self.trouble(task_id, run, outcome)


@pytest.mark.parametrize(("trouble", "buried"), [(Unavailable, 0), (ZeroDivisionError, 1)])
async def test_a_report_that_keeps_failing_is_given_up_unless_the_trouble_passes(
    core: Core, loops: Loops, sqlite_url: str, trouble: type[Exception], buried: int
) -> None:
    class Broken(BrokenRuns):
        pass

    Broken.trouble = trouble
    runs = core.use_cases.runs
    loops.reports.runs = Broken(
        runs.executor,
        runs.limits,
        runs.silence,
        runs.tasks,
        runs.publications,
    )
    loops.reports.again_after = timedelta(seconds=0.05)
    task = await core.task()
    run = await core.claim(task.id, Stage.DOWNLOAD)

    async def enough() -> bool:
        return Broken.calls >= 3

    async with loops.running(), loops.downloader() as worker:
        await loops.bus.ensure_topology(SOON)
        mine = wire.encode_report(Report(1, run.id, Refused(problems=(LOST,))))
        await tell(worker, "download", task.id, mine, "r")
        await eventually(enough)
        await asyncio.sleep(0.3)
    assert len(dead_letters(sqlite_url)) == buried
    assert (Broken.calls == 3) is bool(buried)
    now = await core.use_cases.import_tasks.get(a_principal(), task.id)
    assert [p["code"] for p in now.problems] == ["internal_error"] * buried


async def test_a_cancel_reaches_the_run(core: Core, loops: Loops, nats_server: NatsServer) -> None:
    stage = ScriptedStage()
    task = await core.task()
    async with loops.running(), working(nats_server, stage):
        await stage.started.get()
        loops.cancels.notify("dispatch")
        loops.cancels.notify(cancel_topic(task.id, 1))
        async with asyncio.timeout(2):
            await stage.cancelled.wait()


async def test_cancels_that_wait_are_bounded(loops: Loops) -> None:
    cancels = Cancels(loops.bus)
    for number in range(MAX_WAITING + 10):
        cancels.notify(cancel_topic(UUID(int=number), 1))
    assert len(cancels._waiting) == MAX_WAITING  # noqa: SLF001 - the bound is the point


async def test_an_event_that_no_broker_takes_does_not_stop_those_behind_it(
    core: Core, loops: Loops, nats_server: NatsServer, sqlite_url: str
) -> None:
    huge = {"subject": subjects.event("default", "pending"), "type": "t", "payload": bytes(3 << 20)}

    def grow(transaction: Transaction) -> None:
        row = huge | {"id": UUID(int=0), "time": transaction.now()}
        transaction.connection.execute(insert(outbox).values(row))

    await core.use_cases.executor.write(grow)
    await core.task()
    await loops.bus.ensure_topology(ACK_WAIT)
    await loops.relay.round()
    assert await core.use_cases.outbox.take(10) == ()
    async with nats_server.client(Role.API) as client:
        info = await client.jetstream().stream_info(streams.EVENTS)
    assert info.state.messages == 1
    [(subject, payload)] = dead_letters(sqlite_url)
    assert (subject, len(payload)) == (huge["subject"], MAX_PAYLOAD_BYTES)
