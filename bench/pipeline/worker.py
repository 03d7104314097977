"""A worker of Stagedoor whose stage does nothing.

``python -m bench.pipeline.worker download 0 32``: the stage, for how many seconds it does nothing,
telling its progress, and in how many slots.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from shared.bus.roles import Role
from shared.problems import Format
from shared.settings import ServiceSettings
from shared.stage.job import Accepted, Stored
from shared.stage.service import serve
from shared.telemetry.logs import configure

if TYPE_CHECKING:
    from shared.stage.job import Job, Outcome, Progress

# More often than anybody is told of it.
TELL_EVERY_SECONDS = 0.1
ROLES = {"download": Role.DOWNLOADER, "validate": Role.VALIDATOR}


class NoOp:
    """A stage that ends well, at once or after some seconds."""

    def __init__(self, name: str, seconds: float) -> None:
        """Be this stage."""
        self.name = name
        self.tells = round(seconds / TELL_EVERY_SECONDS)

    async def run(self, job: Job, progress: Progress) -> Outcome:
        """Say that all went well."""
        for told in range(self.tells):
            progress(told, self.tells)
            await asyncio.sleep(TELL_EVERY_SECONDS)
        if self.name == "download":
            return Stored(blob_key=job.output_key, size_bytes=3, md5="0" * 32)
        return Accepted(md5=job.actual_md5, size_bytes=job.size_bytes, format=Format(codec="PCM"))


if __name__ == "__main__":
    stage, lasting, slots = sys.argv[1:]
    configure(stage)
    no_op = NoOp(stage, float(lasting))
    asyncio.run(serve(no_op, ROLES[stage], ServiceSettings(), int(slots)))
