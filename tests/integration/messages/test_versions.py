"""What comes of messages that only another version knows: put aside and counted, one by one."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY
from uuid_utils.compat import uuid7

from services.api.domain.lifecycle import Stage, Status
from shared.bus import streams, subjects
from shared.bus.envelope import Envelope
from shared.bus.errors import NoAnswer
from shared.bus.roles import Role
from shared.stage import wire
from shared.stage.job import Stored
from shared.stage.messages import ClaimRequest, ProgressRequest, Report
from tests.support.core import a_principal
from tests.support.nats import ACK_WAIT, NatsServer
from tests.support.scripted import Quick, working

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.integration.messages.conftest import Loops
    from tests.support.core import Core

FUTURE = "stagedoor.events.v2.Anything"
A_MOMENT = timedelta(seconds=0.5)


def buried() -> float:
    """How many messages of unknown types this process has put aside so far."""
    labels = {"error": "UnknownType"}
    return REGISTRY.get_sample_value("stagedoor_dead_letters_total", labels) or 0.0


async def test_a_report_of_another_version_is_put_aside_once_and_stops_no_other(
    core: Core, loops: Loops, nats_server: NatsServer
) -> None:
    task, before = await core.task(), buried()
    run = await core.claim(task.id, Stage.DOWNLOAD)
    key = f"default/{task.id}/1/{run.id}"
    report = wire.encode_report(Report(1, run.id, Stored(blob_key=key, size_bytes=1, md5="0" * 32)))
    subject = subjects.report("download", task.id)
    async with nats_server.bus(Role.DOWNLOADER) as worker:
        await loops.bus.ensure_topology(ACK_WAIT)
        # The payload would be understood, so that it is the type that decides.
        await worker.publish(subject, report, Envelope(type=FUTURE, id="new"))
        async with loops.bus.pulling(streams.REPORTS, "api") as puller:
            await loops.reports.round(puller)
            now = await core.use_cases.import_tasks.get(a_principal(), task.id)
            assert (now.status, buried() - before) == (Status.DOWNLOADING, 1)
            await worker.publish(subject, report, Envelope(type=wire.REPORT, id="known"))
            await loops.reports.round(puller)
            assert await puller.pull(1, ACK_WAIT * 1.5) == []  # it does not come again
    await core.until(task.id, Status.DOWNLOADED)
    assert buried() - before == 1


async def test_another_version_of_cloudevents_is_another_type(
    core: Core, loops: Loops, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, before = await core.task(), buried()

    def headers(self: Envelope, _: str) -> Mapping[str, str]:
        return {"Nats-Msg-Id": self.id, "ce-specversion": "2.0", "ce-type": self.type}

    async with nats_server.bus(Role.DOWNLOADER) as worker:
        await loops.bus.ensure_topology(ACK_WAIT)
        with monkeypatch.context() as patch:
            patch.setattr(Envelope, "headers", headers)
            letter = Envelope(type=wire.REPORT)
            await worker.publish(subjects.report("download", task.id), b"", letter)
        async with loops.bus.pulling(streams.REPORTS, "api") as puller:
            await loops.reports.round(puller)
    assert buried() - before == 1


async def test_requests_of_another_version_are_put_aside_and_not_answered(
    core: Core, loops: Loops, nats_server: NatsServer
) -> None:
    task, before = await core.task(), buried()
    claim = wire.encode_claim(ClaimRequest(1, uuid7()))
    progress = wire.encode_progress(ProgressRequest(1, uuid7(), 0, None))
    asked = [
        (subjects.claim("download", task.id), claim),
        (subjects.progress("download", task.id), progress),
    ]
    async with loops.running():
        async with working(nats_server, Quick("download")):
            await core.until(task.id, Status.DOWNLOADED)  # now the desk is open
        other = await core.task()
        async with nats_server.bus(Role.DOWNLOADER) as worker:
            for subject, payload in asked:
                with pytest.raises(NoAnswer):
                    await worker.request(subject, payload, Envelope(type=FUTURE), wait=A_MOMENT)
        async with working(nats_server, Quick("download")):
            await core.until(other.id, Status.DOWNLOADED)
    assert buried() - before == len(asked)


async def test_the_brokers_own_answers_are_no_requests_and_no_reports(
    core: Core, loops: Loops, nats_server: NatsServer
) -> None:
    """A worker may name any subject for them, another stage's too: the broker checks that not."""
    task, before = await core.task(), buried()
    await loops.bus.ensure_topology(ACK_WAIT)
    await loops.dispatcher.round()
    forged = subjects.report("validate", task.id)
    async with loops.running(), nats_server.client(Role.DOWNLOADER) as client:
        await client.publish(subjects.report("download", task.id), b"", reply=forged)
        async with asyncio.timeout(20):
            while buried() - before < 3:  # the report, its receipt, the command
                await client.publish(
                    f"$JS.API.CONSUMER.MSG.NEXT.{streams.WORK}.download",
                    b'{"batch":1,"no_wait":true}',
                    reply=subjects.claim("validate", task.id),
                )
                await asyncio.sleep(0.1)
    now = await core.use_cases.import_tasks.get(a_principal(), task.id)
    assert (now.status, now.claim) == (Status.PENDING, None)
