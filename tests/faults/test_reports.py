"""Commands, claims and reports that come twice, late, out of order, from the past or as nonsense.

The tests overhear what the real workers say and repeat it, or speak as a worker themselves.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession

from services.api.domain.lifecycle import Status
from shared.bus import streams, subjects
from shared.bus.envelope import Envelope
from shared.bus.errors import SubjectTaken
from shared.bus.roles import Role
from shared.stage import wire
from shared.stage.checks import MAX_MESSAGE_BYTES
from shared.stage.job import Released, Stored
from shared.stage.messages import Go, Later, Report
from stagedoor.events.v1.work_pb2 import RunReport
from tests.support import replies
from tests.support.faults import broker, large, rows, small, voices
from tests.support.faults.process import without
from tests.support.faults.voices import LIE, ROLES, overhearing, speaking
from tests.support.origin import Gate

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator

    from nats.aio.msg import Msg

    from shared.bus.bus import Bus
    from tests.support.faults import Client, Process, System
    from tests.support.origin import Reply

CLAIMS_AT_ONCE = 12
COMMANDS_AGAIN = 6
TIMES = 3
LATEST_SECONDS = 1.5
NO_ATMOS = b"RIFF" + bytes(40_000)
# Number 15, zero: two bytes that make a message longer and not wrong.
UNKNOWN_FIELD = b"\x78\x00"
WITHIN = 30.0


async def drained(system: System, stream: str) -> None:
    """Wait until nothing is in a stream that is a work queue."""
    async with asyncio.timeout(WITHIN):
        while await broker.waiting(system, stream):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)


def applied(system: System, id_: UUID) -> list[bool]:
    """For each report on a task, in the order of each replica's log, whether it had any effect."""
    said = (event for api in system.apis for event in api.events("report"))
    return [event["applied"] for event in said if event["task"] == str(id_)]


def md5_of(body: bytes) -> str:
    """As clients and the checker know it."""
    return hashlib.md5(body).hexdigest()


def half(body: bytes, gate: Gate) -> Reply:
    """Serve one half of a master, and when the gate is open the other one."""
    return replies.file(body, gate=gate, gate_at=len(body) // 2)


async def bring_half(system: System, client: Client, path: str, body: bytes, gate: Gate) -> UUID:
    """Ask for the import of a master that comes in two halves."""
    return await client.create(system.serve(path, half(body, gate)), md5=md5_of(body))


async def test_f21_of_claims_at_once_exactly_one_is_granted(system: System) -> None:
    async with without(*system.downloaders), system.client() as client:
        id_ = await client.bring("/f21-claims.mp4", small())
        runs = [uuid4() for _ in range(CLAIMS_AT_ONCE)]
        async with speaking(system, Role.DOWNLOADER) as bus:
            asked = [voices.claim(bus, "download", id_, run) for run in runs]
            answers = await asyncio.gather(*asked)
            granted = [answer for answer in answers if isinstance(answer, Go)]
            assert len(granted) == 1
            assert sum(isinstance(answer, Later) for answer in answers) == CLAIMS_AT_ONCE - 1
            (winner,) = granted
            again = await voices.claim(bus, "download", id_, winner.job.run_id)
            assert isinstance(again, Go)
            assert again.job == winner.job
            given_back = Report(1, winner.job.run_id, Released(reason="shutdown"))
            await voices.report(bus, "download", id_, given_back)
    system.end_fault()
    async with system.client() as client:
        await client.all_completed(id_)
    await system.check()


async def test_f21_a_command_that_comes_again_while_its_run_goes_on(system: System) -> None:
    """In a fleet another worker may take it, on a laptop the one that runs already."""
    body, gate = large(3), Gate()
    async with system.client() as client:
        id_ = await bring_half(system, client, "/f21.wav", body, gate)
        await client.until_fetched(id_, 1)
        run = (await rows.one(system.database_url, id_))["run_id"]
        async with speaking(system, Role.API) as bus, broker.operator(system) as js:
            for _ in range(COMMANDS_AGAIN):
                with pytest.raises(SubjectTaken):
                    await voices.command(bus, "download", id_)
                await js.purge_stream(streams.WORK, subject=subjects.work("download", id_, 1))
                await voices.command(bus, "download", id_)
                await asyncio.sleep(0.2)
        found = await rows.one(system.database_url, id_)
        assert (found["run_id"], found["attempts"]) == (run, 1)
        gate.open()
        await client.all_completed(id_)
    assert system.origin.served["/f21.wav"] < 1.2 * len(body), "it was fetched twice"
    await system.check()


async def test_f21_a_command_for_what_is_done(system: System) -> None:
    async with system.client() as client:
        id_ = await client.bring("/f21-done.mp4", small())
        await client.all_completed(id_)
    await drained(system, streams.WORK)
    before = await rows.one(system.database_url, id_)
    async with speaking(system, Role.API) as bus:
        for stage in ROLES:
            await voices.command(bus, stage, id_)
    await drained(system, streams.WORK)
    assert await rows.one(system.database_url, id_) == before
    await system.check()


class Echo:
    """Hears every report, and says it again several times, each time a while later."""

    def __init__(self, buses: dict[str, Bus], rng: random.Random) -> None:
        """Speak by these buses, by stage."""
        self._buses = buses
        self._rng = rng
        self.heard: list[Msg] = []
        self._saying: set[asyncio.Task[None]] = set()

    def hear(self, message: Msg) -> None:
        """Note a report of a real worker, and begin to repeat it."""
        self.heard.append(message)
        for _ in range(TIMES):
            saying = asyncio.create_task(self._later(message, self._rng.uniform(0, LATEST_SECONDS)))
            self._saying.add(saying)
            saying.add_done_callback(self._saying.discard)

    async def done(self) -> None:
        """Wait until all is said."""
        await asyncio.gather(*self._saying)

    async def again(self, message: Msg) -> None:
        """Say a report once more."""
        await voices.repeat(self._buses[message.subject.split(".")[2]], message)

    async def _later(self, message: Msg, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.again(message)


@asynccontextmanager
async def echoing(system: System, rng: random.Random) -> AsyncIterator[Echo]:
    """Have every report that a real worker makes meanwhile repeated."""
    async with (
        speaking(system, Role.DOWNLOADER) as downloader,
        speaking(system, Role.VALIDATOR) as validator,
    ):
        echo = Echo({"download": downloader, "validate": validator}, rng)
        spoken: set[bytes] = set()

        def hear(message: Msg) -> None:
            if message.data not in spoken:  # else it is an echo: a run reports once
                spoken.add(message.data)
                echo.hear(message)

        async with overhearing(system, subjects.ALL_REPORTS, hear):
            yield echo
            await echo.done()


async def bring_of_each_kind(system: System, client: Client) -> dict[UUID, str]:
    """Ask for imports that end in different ways; gives how, by the task's id."""
    no_atmos = replies.file(NO_ATMOS)
    missing = system.serve("/f22-missing.mp4", replies.answer(404))
    return {
        await client.bring("/f22-1.mp4", small()): Status.COMPLETED,
        await client.bring("/f22-2.mp4", small()): Status.COMPLETED,
        await client.bring("/f22-3.mp4", small(), declaredMd5="0" * 32): Status.DOWNLOAD_FAILED,
        await client.create(system.serve("/f22-4.mp4", no_atmos)): Status.VALIDATION_FAILED,
        await client.create(missing): Status.DOWNLOAD_FAILED,
    }


async def test_f22_reports_repeated_late_and_shuffled_change_nothing(
    system: System, rng: random.Random
) -> None:
    """Through a restart of the API and one of a worker, whose run gives its claim back."""
    gate = Gate()
    async with system.client() as client, echoing(system, rng) as echo:
        slow = await bring_half(system, client, "/f22.wav", large(3), gate)
        expected = await bring_of_each_kind(system, client) | {slow: Status.COMPLETED}
        await client.until_fetched(slow, 1)
        for downloader in system.downloaders:
            await downloader.term()
        await asyncio.gather(*(each.start() for each in system.downloaders))
        gate.open()
        await rng.choice(system.apis).restart()
        system.end_fault()
        assert await client.all_final(*expected) == expected
        await echo.done()
        await drained(system, streams.REPORTS)
        before = [await rows.one(system.database_url, id_) for id_ in expected]
        storm = echo.heard * TIMES
        rng.shuffle(storm)
        await asyncio.gather(*map(echo.again, storm))
        await drained(system, streams.REPORTS)
        assert [await rows.one(system.database_url, id_) for id_ in expected] == before
    assert "released" in outcomes(echo.heard, slow), "no run has given its claim back"
    await system.check()


def outcomes(heard: list[Msg], id_: UUID) -> list[str | None]:
    """How runs of a task have ended, by their reports."""
    said = (message.data for message in heard if message.subject.endswith(f".{id_}"))
    return [RunReport.FromString(data).WhichOneof("outcome") for data in said]


async def test_f22_a_report_that_was_delayed_until_another_run_had_the_claim(
    system: System, rng: random.Random
) -> None:
    """Before the claim, without it and after it, among others, in any order: nothing counts."""
    async with without(*system.downloaders), system.client() as client:
        ids = [await client.bring(f"/f22-late-{n}.mp4", small()) for n in range(3)]
        runs = {id_: uuid4() for id_ in ids}
        async with speaking(system, Role.DOWNLOADER) as bus:
            early = [(id_, uuid4()) for id_ in ids for _ in range(TIMES)]
            await _lie(bus, early, rng)
            await drained(system, streams.REPORTS)
            for id_, run in runs.items():
                assert isinstance(await voices.claim(bus, "download", id_, run), Go)
    # The real workers take over when the lease of the silent runs has ended.
    async with system.client() as client, speaking(system, Role.DOWNLOADER) as bus:
        system.end_fault()
        await client.all_completed(*ids)
        await _lie(bus, [*runs.items()] * TIMES + early, rng)
        await drained(system, streams.REPORTS)
        assert await client.all_final(*ids) == dict.fromkeys(ids, Status.COMPLETED)
    for id_ in ids:
        # A replica that is slow may hear one of them twice.
        told = applied(system, id_)
        assert told.count(False) >= 3 * TIMES
        assert told.count(True) == 2
    await system.check()


async def _lie(bus: Bus, runs: list[tuple[UUID, UUID]], rng: random.Random) -> None:
    """Report for these runs, in any order, that their tasks have failed for good."""
    rng.shuffle(runs)
    said = (voices.report(bus, "download", id_, Report(1, run, LIE)) for id_, run in runs)
    await asyncio.gather(*said)


@pytest.mark.parametrize("says", ["it was refused", "it was stored"])
async def test_f23_a_report_of_a_generation_before_the_last_change(
    says: str, system: System
) -> None:
    """In the name of the old run and in that of the new one."""
    first, second, path = large(2), large(3), f"/f23-{says[7:]}"
    gates = [Gate(), Gate()]
    async with system.client() as client, speaking(system, Role.DOWNLOADER) as bus:
        id_ = await bring_half(system, client, f"{path}-1.wav", first, gates[0])
        await client.until_fetched(id_, 1)
        old = (await rows.one(system.database_url, id_))["run_id"]
        url = system.serve(f"{path}-2.wav", half(second, gates[1]))
        await client.patch(id_, url=url, md5=md5_of(second))
        await client.until_fetched(id_, 1)
        new = (await rows.one(system.database_url, id_))["run_id"]
        assert new not in {old, None}
        for run in (old, new):
            outcome = LIE if says == "it was refused" else _stored(id_, run)
            await voices.report(bus, "download", id_, Report(1, run, outcome))
        await drained(system, streams.REPORTS)
        found = await rows.one(system.database_url, id_)
        assert (found["status"], found["run_id"]) == (Status.DOWNLOADING, new)
        for gate in gates:
            gate.open()
        await client.all_completed(id_)
    assert applied(system, id_).count(True) == 2
    assert applied(system, id_).count(False) >= 2
    await system.check()


def _stored(id_: UUID, run: UUID) -> Stored:
    return Stored(blob_key=f"default/{id_}/1/{run}", size_bytes=1, md5="0" * 32)


def nonsense(id_: UUID) -> list[tuple[str, bytes, str]]:
    """Subjects, payloads and types of which no sense can be made, each for a reason of its own."""
    subject, good = subjects.report("download", id_), Report(1, uuid4(), LIE)
    whole = wire.encode_report(good)
    astray = Stored(blob_key=f"another/{uuid4()}/1/{uuid4()}", size_bytes=1, md5="0" * 32)
    return [
        (subject, b"", wire.REPORT),
        (subject, b"\xff" * 300, wire.REPORT),
        (subject, whole[:-3], wire.REPORT),
        (subject, whole + UNKNOWN_FIELD * (MAX_MESSAGE_BYTES // 2), wire.REPORT),
        (subject, wire.encode_report(Report(1, good.run_id, astray)), wire.REPORT),
        (subject, whole, "stagedoor.events.v2.RunReport"),
        (subject, whole, ""),
        ("stagedoor.reports.download.no-task", whole, wire.REPORT),
    ]


async def test_f24_messages_of_which_no_sense_can_be_made(system: System) -> None:
    """Each is put aside and counted, at once; what is behind them is done."""
    before = await letters(system)
    async with system.client() as client, without(*system.downloaders):
        id_ = await client.bring("/f24.mp4", small())
        bad = nonsense(id_)
        async with speaking(system, Role.DOWNLOADER) as bus:
            for subject, payload, type_ in bad:
                await voices.publish(bus, subject, payload, type_)
            for asked in (subjects.claim, subjects.progress):
                await bus.notify(asked("download", id_), b"\xff", Envelope(type=wire.CLAIM))
    async with system.client() as client:
        system.end_fault()
        await client.all_completed(id_)
        assert len(await letters(system)) == len(before) + len(bad) + 2
        assert sum([await counted(api) for api in system.apis]) >= len(bad) + 2
    assert applied(system, id_) == [True, True]
    await system.check(dead_letters=len(bad) + 2)


async def test_f24_a_command_of_which_no_sense_can_be_made(system: System) -> None:
    """The worker forgets it, and the dispatcher tells of what is due."""
    async with system.client() as client:
        async with without(*system.downloaders, *system.validators):
            id_ = await client.bring("/f24-command.mp4", small())
            async with speaking(system, Role.API) as bus, broker.operator(system) as js:
                await told(system, id_)
                subject = subjects.work("download", id_, 1)
                await js.purge_stream(streams.WORK, subject=subject)
                await voices.publish(bus, subject, b"\xff", wire.COMMAND)
        system.end_fault()
        await client.all_completed(id_)
    await system.check()


async def letters(system: System) -> list[rows.Row]:
    """What was put aside."""
    return (await rows.read(system.database_url))["dead_letters"]


async def counted(api: Process) -> float:
    """How many messages a replica says to have put aside since its start."""
    async with ClientSession() as http, http.get(f"{api.answer['http']}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    counts = [line for line in lines if line.startswith("stagedoor_dead_letters_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in counts)


async def told(system: System, id_: UUID) -> None:
    """Wait until the dispatcher has told the workers of a task."""
    async with asyncio.timeout(WITHIN):
        while not (await rows.one(system.database_url, id_))["published"]:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
