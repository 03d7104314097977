"""Being told to stop, and told again when that is nearly done."""

from __future__ import annotations

import subprocess
import sys

PROCESS = """
import asyncio, os, signal
from shared.stopping import told_by_signals

async def main():
    stop = asyncio.Event()
    with told_by_signals(stop.set):
        os.kill(os.getpid(), {number})
        await stop.wait()
        os.kill(os.getpid(), {number})
    os.kill(os.getpid(), {number})

asyncio.run(main())
os.kill(os.getpid(), {number})
print("ended", end="")
"""


def test_who_ends_hears_no_more_signals() -> None:
    for number in ("signal.SIGTERM", "signal.SIGINT"):
        code = PROCESS.format(number=number)
        ended = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ended", "")
