"""One program that is kept running: started, watched, started again, stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from cli.stack import tether

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Mapping, Sequence

Output = int | IO[bytes]
"""Where output goes: a constant of asyncio.subprocess or an open file."""

START_SECONDS = 60.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.02
FIRST_DELAY_SECONDS = 0.1
MAX_DELAY_SECONDS = 5.0
STEADY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Launch:
    """What to run: the program with its arguments, and its whole environment."""

    command: Sequence[str]
    env: Mapping[str, str]


class Service(Protocol):
    """What a child needs to know about the program that it runs."""

    name: str

    @property
    def start_seconds(self) -> float | None:
        """How long it may take until it is ready; None is any time."""

    def launch(self) -> Launch:
        """How to start it now; clears what an earlier run left."""

    def answer(self, pid: int) -> Mapping[str, Any] | None:
        """What this run says about itself; None while it is not ready."""


class StartError(Exception):
    """A program ended, or stayed silent, before it was ready."""


class Child:
    """A service's process; ``pid`` and ``answer`` are those of the last run that became ready."""

    def __init__(self, service: Service, on_ready: Callable[[], None]) -> None:
        """Take what to run and whom to tell, each time, that it is ready."""
        self.name = service.name
        self.pid: int | None = None
        self.answer: Mapping[str, Any] = {}
        self._service = service
        self._on_ready = on_ready
        self._process: Process | None = None

    async def start(self) -> None:
        """Start the program and return when it is ready.

        Raises StartError.
        """
        limit = self._service.start_seconds
        self._process = process = await spawn(self._service.launch())
        try:
            async with asyncio.timeout(limit):
                answer = await self._await_answer(process)
        except TimeoutError:
            await self._reap(process)
            raise StartError(f"{self.name} was not ready in {limit:.0f} s") from None
        self.pid, self.answer = process.pid, answer
        self._on_ready()

    async def keep(self) -> None:
        """Start the program again whenever it ends; a program that keeps dying waits longer."""
        delay = FIRST_DELAY_SECONDS
        while True:
            since = time.monotonic()
            code = await self._process.wait() if self._process else None
            self.kill()
            if time.monotonic() - since > STEADY_SECONDS:
                delay = FIRST_DELAY_SECONDS
            say(f"{self.name} {describe(code)}; starting it again in {delay:.1f} s")
            await asyncio.sleep(delay)
            delay = min(2 * delay, MAX_DELAY_SECONDS)
            try:
                await self.start()
            except StartError as failure:
                say(str(failure))

    async def stop(self) -> None:
        """Ask the program to end, wait, then insist; what it started goes with it."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            say(f"{self.name} does not stop; killing it")
        finally:
            await self._reap(process)

    def kill(self) -> None:
        """Kill the program, and what it started and left behind, at once."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    async def _reap(self, process: Process) -> None:
        self.kill()
        await process.wait()

    async def _await_answer(self, process: Process) -> Mapping[str, Any]:
        while (answer := self._service.answer(process.pid)) is None:
            if process.returncode is not None:
                raise StartError(f"{self.name} {describe(process.returncode)} before it was ready")
            await asyncio.sleep(POLL_SECONDS)
        return answer


async def spawn(
    launch: Launch, *, stdout: Output | None = None, stderr: Output | None = None
) -> Process:
    """Start a program that dies with this process and hears no Ctrl-C of its terminal.

    Its output goes to our standard error, unless it is said where else.
    """
    tied = (sys.executable, "-I", "-S", str(Path(tether.__file__)), str(os.getpid()))
    return await asyncio.create_subprocess_exec(
        *tied,
        *launch.command,
        env=launch.env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=sys.stderr if stdout is None else stdout,
        stderr=stderr,
        start_new_session=True,
    )


def describe(code: int | None) -> str:
    """How a process ended, in words; no code means that there is none."""
    if code is None:
        return "does not run"
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def say(text: str) -> None:
    """Tell whoever watches the log."""
    sys.stderr.write(f"stagedoor: {text}\n")
    sys.stderr.flush()
