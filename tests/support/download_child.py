"""``python -m tests.support.download_child FOLDER CA URL TASK``: a process that downloads, to kill.

Prints the kind of the outcome, should it live to see it.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from dataclasses import replace
from pathlib import Path

from shared.origin.tls import tls_context
from tests.support.downloads import QUICK, Bench


async def main(folder: str, ca_file: str, url: str, task: str) -> None:
    """Run the stage once."""
    bench = Bench(
        Path(folder),
        tls_context(Path(ca_file)),
        limits=replace(QUICK, max_bytes=10**9, stall_seconds=30),
        task_id=uuid.UUID(task),
    )
    print(type(await bench.run(url)).__name__)  # noqa: T201 - what it is for


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
