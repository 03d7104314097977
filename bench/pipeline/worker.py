"""A worker of Stagedoor whose stage does nothing: ``python -m bench.pipeline.worker download``."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from shared.bus.roles import Role
from shared.problems import Format
from shared.settings import ServiceSettings
from shared.stage.job import Accepted, Stored
from shared.stage.service import serve

if TYPE_CHECKING:
    from shared.stage.job import Job, Outcome, Progress

# As many as FastStream's and taskiq's workers take at a time, or fewer.
SLOTS = 32
ROLES = {"download": Role.DOWNLOADER, "validate": Role.VALIDATOR}


class NoOp:
    """A stage that ends well at once."""

    def __init__(self, name: str) -> None:
        """Be this stage."""
        self.name = name

    async def run(self, job: Job, progress: Progress) -> Outcome:  # noqa: ARG002 - the protocol's
        """Say that all went well."""
        if self.name == "download":
            return Stored(blob_key=job.output_key, size_bytes=3, md5="0" * 32)
        return Accepted(md5=job.actual_md5, size_bytes=job.size_bytes, format=Format(codec="PCM"))


if __name__ == "__main__":
    stage = sys.argv[1]
    asyncio.run(serve(NoOp(stage), ROLES[stage], ServiceSettings(), SLOTS))
