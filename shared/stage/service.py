"""The process around a worker: its logs, its connection, its signals."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from shared.bus.bus import Bus
from shared.stage.worker import Worker
from shared.telemetry.ready import write_ready_file

if TYPE_CHECKING:
    from shared.bus.roles import Role
    from shared.settings import ServiceSettings
    from shared.stage.job import Stage


async def serve(stage: Stage, role: Role, settings: ServiceSettings, slots: int) -> None:
    """Work on the stage until SIGTERM or SIGINT; then give claims back and end."""
    bus = await Bus.connect(settings.nats_url, role, tls=settings.nats_tls())
    try:
        worker = Worker(bus, stage, slots=slots)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop)
        write_ready_file(settings.ready_file)
        await worker.run()
    finally:
        await bus.close()
