"""The process around a worker: its logs, its connection, its signals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.bus.bus import Bus
from shared.stage.worker import Worker
from shared.stopping import told_by_signals
from shared.telemetry.ready import write_ready_file

if TYPE_CHECKING:
    from shared.bus.roles import Role
    from shared.settings import ServiceSettings
    from shared.stage.job import Stage


async def serve(stage: Stage, role: Role, settings: ServiceSettings, slots: int) -> None:
    """Work on the stage until SIGTERM or SIGINT; then give claims back and end."""
    bus = await Bus.connect(settings.nats_url, role, tls=settings.nats_tls())
    worker = Worker(bus, stage, slots=slots)
    with told_by_signals(worker.stop):
        try:
            write_ready_file(settings.ready_file)
            await worker.run()
        finally:
            await bus.close()
