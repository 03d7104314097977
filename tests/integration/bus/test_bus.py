"""The bus on a real server: publishing, pulling, asking, answering, losing the broker."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from nats.js.api import RetentionPolicy
from structlog.testing import capture_logs

from shared.bus import streams, subjects
from shared.bus.bus import Bus
from shared.bus.envelope import Envelope, size_of
from shared.bus.errors import (
    BusClosed,
    BusUnavailable,
    MessageTooLarge,
    NoAnswer,
    SubjectTaken,
    TopologyMissing,
)
from shared.bus.roles import Role
from tests.support.nats import ACK_WAIT, NatsServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.client import Client

    from shared.bus.pull import Delivery, Puller
    from shared.bus.serve import Request

TASK = UUID("01890000-0000-7000-8000-000000000001")
WORK = subjects.work("download", TASK, 1)
SOON = timedelta(seconds=1)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def letter(id_: str = "", traceparent: str = "") -> Envelope:
    envelope = Envelope(type="stagedoor.events.v1.WorkCommand", traceparent=traceparent)
    return replace(envelope, id=id_) if id_ else envelope


async def take(puller: Puller, wait: timedelta = SOON) -> Delivery:
    (delivery,) = await puller.pull(1, wait)
    return delivery


async def test_a_command_reaches_the_puller_of_its_stage(api: Bus, downloader: Bus) -> None:
    await api.publish(WORK, b"due", letter("one", traceparent=TRACE))
    async with downloader.pulling(streams.WORK, "download") as puller:
        delivery = await take(puller)
        assert (delivery.subject, delivery.payload, delivery.id) == (WORK, b"due", "one")
        assert delivery.traceparent == TRACE
        await delivery.ack()
        assert await puller.pull(1, timedelta(seconds=0.1)) == []


async def test_headers_are_cloudevents_in_binary_mode(api: Bus, nats_server: NatsServer) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=UTC)
    event = Envelope(type="stagedoor.events.v1.E", id="x", time=at, traceparent=TRACE)
    await api.publish(subjects.event("default", "pending"), b"now", event)
    async with nats_server.client(Role.API) as client:
        events = await client.jetstream().subscribe(subjects.ALL_EVENTS, stream=streams.EVENTS)
        message = await events.next_msg(timeout=2)
    assert message.data == b"now"
    assert message.headers == {
        "Nats-Msg-Id": "x",
        "ce-specversion": "1.0",
        "ce-id": "x",
        "ce-source": "/stagedoor/api",
        "ce-type": "stagedoor.events.v1.E",
        "ce-time": "2026-01-02T03:04:05.000600Z",
        "ce-datacontenttype": "application/protobuf",
        "traceparent": TRACE,
    }


async def test_a_second_command_for_a_subject_is_refused_until_the_first_is_done(
    api: Bus, downloader: Bus
) -> None:
    await api.publish(WORK, b"", letter())
    with pytest.raises(SubjectTaken):
        await api.publish(WORK, b"", letter())
    async with downloader.pulling(streams.WORK, "download") as puller:
        delivery = await take(puller)
        with pytest.raises(SubjectTaken):
            await api.publish(WORK, b"", letter())
        await delivery.ack()
        assert await puller.pull(1, timedelta(seconds=0.1)) == []
    await api.publish(WORK, b"", letter())


async def test_a_repeated_report_is_stored_once(api: Bus, downloader: Bus) -> None:
    report = subjects.report("download", TASK)
    for _ in range(2):
        await downloader.publish(report, b"done", letter("run"))
    async with api.pulling(streams.REPORTS, "api") as puller:
        assert [d.id for d in await puller.pull(10, SOON)] == ["run"]


async def test_nak_delivers_again_after_the_delay_and_term_never(api: Bus, downloader: Bus) -> None:
    await api.ensure_topology(timedelta(seconds=0.5))
    await api.publish(WORK, b"", letter("a"))
    async with downloader.pulling(streams.WORK, "download") as puller:
        delivery = await take(puller)
        await delivery.nak(timedelta(seconds=0.3))
        assert await puller.pull(1, timedelta(seconds=0.1)) == []
        delivery = await take(puller)
        assert delivery.id == "a"
        await delivery.term()
        assert await puller.pull(1, SOON) == []


async def test_a_silent_reader_loses_its_message_and_in_progress_keeps_it(
    api: Bus, downloader: Bus
) -> None:
    await api.ensure_topology(timedelta(seconds=0.4))
    await api.publish(WORK, b"", letter("a"))
    async with (
        downloader.pulling(streams.WORK, "download") as puller,
        downloader.pulling(streams.WORK, "download") as other,
    ):
        delivery = await take(puller)
        for _ in range(4):
            await delivery.in_progress()
            assert await other.pull(1, timedelta(seconds=0.2)) == []
        assert (await take(other)).id == "a"


async def test_requests_are_answered_and_none_is_no_answer(api: Bus, downloader: Bus) -> None:
    async def answer(request: Request) -> bytes | None:
        return None if request.payload == b"?" else request.subject.encode() + request.payload

    claim = subjects.claim("download", TASK)
    with pytest.raises(NoAnswer):
        await downloader.request(claim, b"x", letter(), wait=SOON)
    async with api.serving(subjects.ALL_CLAIMS, answer, queue="api"):
        async with asyncio.timeout(2):
            reply = await eventually(downloader, claim, b"!")
        assert reply == claim.encode() + b"!"
        with pytest.raises(NoAnswer):
            await downloader.request(claim, b"?", letter(), wait=timedelta(seconds=0.1))
    with pytest.raises(NoAnswer):
        await downloader.request(claim, b"x", letter(), wait=SOON)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the bus has no event for it on purpose
            await asyncio.sleep(0.01)


async def eventually(bus: Bus, subject: str, payload: bytes) -> bytes:
    while True:
        try:
            return await bus.request(subject, payload, letter(), wait=SOON)
        except NoAnswer:
            await asyncio.sleep(0.01)


async def test_a_handler_that_fails_ends_neither_the_service_nor_its_neighbours(
    api: Bus, downloader: Bus
) -> None:
    async def answer(request: Request) -> bytes:
        if request.payload == b"bad":
            raise ValueError("poison")
        return b"good"

    claim = subjects.claim("download", TASK)
    async with api.serving(subjects.ALL_CLAIMS, answer, queue="api"):
        await eventually(downloader, claim, b"good")
        with capture_logs() as logs, pytest.raises(NoAnswer):
            await downloader.request(claim, b"bad", letter(), wait=timedelta(seconds=0.1))
        assert [entry["event"] for entry in logs] == ["bus_request_failed"]
        assert await downloader.request(claim, b"", letter(), wait=SOON) == b"good"


async def test_handlers_run_side_by_side(api: Bus, downloader: Bus) -> None:
    both = asyncio.Barrier(2)

    async def answer(_: Request) -> bytes:
        await both.wait()
        return b"met"

    claim = subjects.claim("download", TASK)
    async with api.serving(subjects.ALL_CLAIMS, answer, queue="api"):
        await api.publish(WORK, b"", letter())  # the subscription precedes it on its connection
        met = await asyncio.gather(
            *(downloader.request(claim, b"", letter(), wait=SOON) for _ in range(2))
        )
    assert met == [b"met", b"met"]


async def test_ensure_is_idempotent_and_heals(
    api: Bus, downloader: Bus, nats_server: NatsServer
) -> None:
    await api.publish(WORK, b"kept", letter())
    await api.ensure_topology(ACK_WAIT)
    with pytest.raises(SubjectTaken):
        await api.publish(WORK, b"", letter())
    async with nats_server.client(Role.API) as client:
        assert await client.jetstream().delete_consumer(streams.WORK, "download")
    async with downloader.pulling(streams.WORK, "download") as puller:
        with pytest.raises(TopologyMissing):
            await puller.pull(1, SOON)
        await api.ensure_topology(ACK_WAIT)
        assert (await take(puller)).payload == b"kept"


async def test_ensure_brings_an_older_stream_up_to_date(nats_server: NatsServer) -> None:
    async with (
        nats_server.client(Role.API) as client,
        nats_server.bus(Role.API) as api,
    ):
        js = client.jetstream()
        await js.add_stream(
            name=streams.WORK, subjects=[subjects.ALL_WORK], retention=RetentionPolicy.WORK_QUEUE
        )
        await api.ensure_topology(ACK_WAIT)
        config = (await js.stream_info(streams.WORK)).config
    assert (config.max_msgs_per_subject, config.discard_new_per_subject) == (1, True)


async def test_without_topology_nothing_can_be_published_or_pulled(
    nats_server: NatsServer,
) -> None:
    async with nats_server.bus(Role.API) as bus:
        with pytest.raises(TopologyMissing):
            await bus.publish(WORK, b"", letter())
        async with bus.pulling(streams.REPORTS, "api") as puller:
            with pytest.raises(TopologyMissing):
                await puller.pull(256, SOON)


async def test_a_full_stream_is_trouble_that_passes(api: Bus, nats_server: NatsServer) -> None:
    async with nats_server.client(Role.API) as client:
        info = await client.jetstream().stream_info(streams.WORK)
        info.config.max_bytes = 2048
        await client.jetstream().update_stream(info.config)
    await api.publish(WORK, b"x" * 1000, letter())
    with pytest.raises(BusUnavailable, match="maximum bytes"):
        await api.publish(subjects.work("download", TASK, 2), b"x" * 1000, letter())


async def test_a_message_beyond_the_limit_is_refused_for_good(api: Bus) -> None:
    with pytest.raises(MessageTooLarge):
        await api.publish(WORK, bytes(3 << 20), letter())


def room_beside(envelope: Envelope, sender: str, client: Client) -> int:
    """How many bytes the broker takes besides the headers of an envelope."""
    return client.max_payload - size_of(envelope.headers(f"/stagedoor/{sender}"))


async def test_the_headers_of_a_message_count_as_well(api: Bus, nats_server: NatsServer) -> None:
    event, envelope = subjects.event("default", "pending"), letter("ä" * 10, traceparent=TRACE)
    async with nats_server.client(Role.API) as client:
        room = room_beside(envelope, "api", client)
    await api.publish(event, bytes(room), envelope)
    with pytest.raises(MessageTooLarge):
        await api.publish(event, bytes(room + 1), replace(envelope, id="ö" * 10))
    with pytest.raises(MessageTooLarge):
        await api.notify(subjects.cancel(TASK), bytes(room + 1), envelope)
    await api.publish(event, b"", letter())  # the broker has not hung up


async def test_the_headers_of_a_request_count_as_well(
    api: Bus, downloader: Bus, nats_server: NatsServer
) -> None:
    async def answer(request: Request) -> bytes:
        return str(len(request.payload)).encode()

    claim, envelope = subjects.claim("download", TASK), letter()
    async with nats_server.client(Role.DOWNLOADER) as client:
        room = room_beside(envelope, "downloader", client)
    async with api.serving(subjects.ALL_CLAIMS, answer, queue="api"):
        await eventually(downloader, claim, b"")
        told = await downloader.request(claim, bytes(room), envelope, wait=SOON * 5)
        assert told == str(room).encode()
        with pytest.raises(MessageTooLarge):
            await downloader.request(claim, bytes(room + 1), envelope, wait=SOON * 5)
        assert await downloader.request(claim, b"", letter(), wait=SOON * 5) == b"0"


async def test_a_dead_broker_is_told_at_once_and_once_and_comes_back(
    api: Bus, nats_server: NatsServer
) -> None:
    await api.publish(WORK, b"kept", letter())
    with capture_logs() as logs:
        nats_server.kill()
        await until(lambda: not api.connected)
        with pytest.raises(BusUnavailable) as refused:
            await api.publish(WORK, b"", letter())
        assert type(refused.value) is BusUnavailable  # told at once, not after a wait
        async with api.pulling(streams.REPORTS, "api") as puller:
            assert await puller.pull(1, timedelta(seconds=1.2)) == []
            nats_server.start()
            assert await puller.pull(1, SOON) == []
    with pytest.raises(SubjectTaken):
        await api.publish(WORK, b"", letter())
    assert [entry["event"] for entry in logs if entry["event"] != "bus_error"] == [
        "bus_disconnected",
        "bus_connected",
    ]
    errors = [entry["error"] for entry in logs if entry["event"] == "bus_error"]
    assert len(errors) == len(set(errors)) <= 2
    assert not any("exc_info" in entry for entry in logs)


async def test_a_pull_while_the_broker_is_away_takes_nothing_later(
    api: Bus, downloader: Bus, nats_server: NatsServer
) -> None:
    nats_server.kill()
    await until(lambda: not downloader.connected)
    wait = timedelta(seconds=2)
    async with (
        downloader.pulling(streams.WORK, "download") as puller,
        downloader.pulling(streams.WORK, "download") as other,
    ):
        pulls = asyncio.gather(puller.pull(1, wait), other.pull(1, wait))
        await pulls
        nats_server.start()
        await until(lambda: api.connected and downloader.connected)
        await api.publish(WORK, b"", letter())
        await asyncio.sleep(0.2)
        async with nats_server.client(Role.API) as client:
            info = await client.jetstream().consumer_info(streams.WORK, "download")
    assert (info.num_ack_pending, info.num_pending) == (0, 1)


async def test_connecting_waits_for_a_broker_that_is_not_there_yet(
    nats_server: NatsServer,
) -> None:
    url = nats_server.url(Role.API)
    nats_server.kill()
    waiting = asyncio.create_task(Bus.connect(url, Role.API))
    done, _ = await asyncio.wait({waiting}, timeout=0.3)
    assert not done
    nats_server.start()
    async with asyncio.timeout(5):
        bus = await waiting
    await bus.ensure_topology(ACK_WAIT)
    await bus.close()


async def test_closing_is_quick_after_pulls_and_final(api: Bus, nats_server: NatsServer) -> None:
    bus = await Bus.connect(nats_server.url(Role.API), Role.API)
    started = asyncio.get_running_loop().time()
    async with api.pulling(streams.REPORTS, "api") as puller:
        await puller.pull(1, timedelta(seconds=0.1))
    await bus.close()
    assert asyncio.get_running_loop().time() - started < 2
    for call in (
        bus.publish(WORK, b"", letter()),
        bus.request(WORK, b"", letter(), wait=SOON),
        bus.until_closed(),
    ):
        with pytest.raises(BusClosed):
            await call


async def test_a_cancelled_call_ends_its_loop(api: Bus, downloader: Bus) -> None:
    """Also when the cancellation comes in the same moment as the answer."""

    async def answer(_: Request) -> bytes:
        return b""

    async def ask_for_ever() -> None:
        while True:
            await downloader.request(claim, b"", letter(), wait=SOON)

    claim = subjects.claim("download", TASK)
    async with api.serving(subjects.ALL_CLAIMS, answer, queue="api"):
        await eventually(downloader, claim, b"")
        for number in range(300):
            task = asyncio.create_task(ask_for_ever())
            await asyncio.sleep(number % 30 / 20_000)
            task.cancel()
            await asyncio.wait({task}, timeout=1)
            assert task.cancelled()
