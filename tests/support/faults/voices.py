"""Speaking on a system's bus as a role would: claims, reports and commands that a test makes up.

Here the test is the worker or the API, past the real ones, with the password of the role.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from shared.bus import subjects
from shared.bus.bus import Bus
from shared.bus.envelope import Envelope
from shared.bus.roles import Role
from shared.problems import Problem, Severity
from shared.stage import wire
from shared.stage.job import Refused
from shared.stage.messages import ClaimRequest, Command, Report
from tests.support.nats_client import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from nats.aio.msg import Msg

    from shared.stage.messages import ClaimReply
    from tests.support.faults.system import System

ROLES = {"download": Role.DOWNLOADER, "validate": Role.VALIDATOR}
"""Who may speak for a stage."""

LIE = Refused(
    problems=(Problem(code="lie", severity=Severity.ERROR, detail="No run has ever said this."),)
)
"""An outcome that would fail its task at once, and that no real worker reports."""

_ANSWER_WITHIN = timedelta(seconds=10)


@asynccontextmanager
async def speaking(system: System, role: Role) -> AsyncIterator[Bus]:
    """The bus of a system as this role has it."""
    bus = await Bus.connect(system.nats_url(role), role)
    try:
        yield bus
    finally:
        await bus.close()


async def claim(
    bus: Bus, stage: str, task_id: UUID, run_id: UUID, generation: int = 1
) -> ClaimReply:
    """Ask for the claim of a stage; raises NoAnswer."""
    request = ClaimRequest(generation, run_id)
    answer = await bus.request(
        subjects.claim(stage, task_id),
        wire.encode_claim(request),
        Envelope(type=wire.CLAIM),
        wait=_ANSWER_WITHIN,
    )
    return wire.decode_claim_reply(answer, task_id, request)


async def report(bus: Bus, stage: str, task_id: UUID, said: Report) -> None:
    """Report, under a message id that nobody has used."""
    await publish(bus, subjects.report(stage, task_id), wire.encode_report(said), wire.REPORT)


async def command(bus: Bus, stage: str, task_id: UUID, generation: int = 1) -> None:
    """Tell the workers that a stage is due; raises SubjectTaken while they have been told so."""
    payload = wire.encode_command(Command(task_id, generation))
    await publish(bus, subjects.work(stage, task_id, generation), payload, wire.COMMAND)


async def publish(bus: Bus, subject: str, payload: bytes, type_: str) -> None:
    """Put a message of any type into its stream, under a message id that nobody has used."""
    await bus.publish(subject, payload, Envelope(type=type_, id=str(uuid4())))


@asynccontextmanager
async def overhearing(
    system: System, subject: str, hear: Callable[[Msg], None]
) -> AsyncIterator[None]:
    """Hear everything that anybody says on a subject meanwhile, in its order."""

    async def heard(message: Msg) -> None:
        hear(message)

    async with connected(system.operator_url()) as client:
        await client.subscribe(subject, cb=heard)
        await client.flush()
        yield


async def repeat(bus: Bus, message: Msg) -> None:
    """Say again what was overheard, so that the broker takes it for another message."""
    await publish(bus, message.subject, message.data, (message.headers or {}).get("ce-type", ""))
