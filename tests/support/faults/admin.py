"""The operator's program, run on a system as a command beside it."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from tests.support import s3
from tests.support.faults.process import ROOT

if TYPE_CHECKING:
    from tests.support.faults.system import System

_SECONDS = 60.0


async def admin(system: System, *arguments: str, **env: str) -> tuple[int, str]:
    """Run ``python -m services.api.admin``; gives its exit code and what it printed."""
    settings = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "shared" / "gen")]),
        "STAGEDOOR_DATA_DIR": str(system.folder / "admin"),
        "STAGEDOOR_DATABASE_URL": system.database_url,
        "STAGEDOOR_BLOBS_URL": system.blobs_url,
        "STAGEDOOR_SECRETS_KEY": system.secrets_key,
        **(s3.environment(system.store_endpoint) if system.s3 else {}),
    }
    command = (sys.executable, "-m", "services.api.admin", *arguments)
    process = await asyncio.create_subprocess_exec(
        *command,
        env=settings | env,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, printed.decode()
