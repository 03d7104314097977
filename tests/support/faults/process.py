"""One process of a system under test: started, broken and looked at from outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.stack import tether
from shared.failpoints import VARIABLE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from cli.stack.child import Service

ROOT = Path(__file__).parents[3]
"""The tree whose code runs: this one, also when it is a copy."""

START_SECONDS = 60.0
POLL_SECONDS = 0.02
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_STOPPED = "T"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: its exit code (negative: the signal's number) and how long it took."""

    code: int
    seconds: float


class Process:
    """A direct child, which the kernel kills with this process; a restart keeps its ports.

    Nothing blocks the event loop for longer than a signal takes to arrive. ``peak_rss_bytes`` is
    the most memory that any of its runs was seen with when it was looked at or killed.
    """

    def __init__(self, service: Service, folder: Path) -> None:
        """Take what to run and a folder for its log."""
        self.name = service.name
        self.answer: Mapping[str, Any] = {}
        self.log_file = folder / f"{service.name}.log"
        self.peak_rss_bytes = 0
        self._service = service
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int:
        """The process id of the last run."""
        return self._running().pid

    @property
    def is_running(self) -> bool:
        """Whether it lives; a stopped process does."""
        return self._child is not None and self._child.poll() is None

    # Starting

    def launch(self, failpoints: str = "", **env: str) -> None:
        """Start the program and do not wait for it (see ``start``)."""
        assert not self.is_running, f"{self.name} runs already"
        launch = self._service.launch()
        tied = (sys.executable, "-I", "-S", str(Path(tether.__file__)), str(os.getpid()))
        chosen = {**launch.env, **env, **({VARIABLE: failpoints} if failpoints else {})}
        with self.log_file.open("ab") as log:
            self._log_start = log.tell()
            # The kernel ties it to this very thread, so tests start processes in the main one.
            self._child = subprocess.Popen(
                [*tied, *launch.command],
                cwd=ROOT,
                env=chosen,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def is_ready(self) -> bool:
        """Whether it serves; raises RuntimeError with its log when it has died instead."""
        answer = self._service.answer(self.pid)
        if answer is None and not self.is_running:
            raise RuntimeError(f"{self.name} died at its start:\n{self.log()[-4000:]}")
        if answer is None:
            return False
        self.answer = answer
        return True

    async def start(self, failpoints: str = "", **env: str) -> None:
        """Start the program and return when it serves.

        ``failpoints`` (see shared.failpoints) and ``env`` are for this one start. A failpoint that
        fires before the program serves ends the wait too.
        """
        self.launch(failpoints, **env)
        async with asyncio.timeout(START_SECONDS):
            while not (failpoints and self._is_halted()) and not self.is_ready():  # noqa: ASYNC110 - a file tells nobody
                await asyncio.sleep(POLL_SECONDS)

    async def restart(self, failpoints: str = "", **env: str) -> None:
        """Kill the program if it lives, and start it again."""
        self.kill()
        await self.start(failpoints, **env)

    # Breaking

    def kill(self) -> None:
        """``kill -9``, and reap; what it had started is left to itself."""
        if self._child is not None:
            self._note_peak()
            self._child.kill()
            self._child.wait()

    def stop(self) -> None:
        """Freeze it (SIGSTOP); returns when it stands still."""
        self._running().send_signal(signal.SIGSTOP)
        while self.is_running and self._state() != _STOPPED:
            time.sleep(0.001)

    def cont(self) -> None:
        """Let a frozen process go on (SIGCONT)."""
        self._running().send_signal(signal.SIGCONT)

    async def term(self, within: float = 30.0) -> Ended:
        """Ask it to end (SIGTERM) and wait; raises TimeoutError."""
        self._note_peak()
        began = time.monotonic()
        self._running().terminate()
        code = await self.died(within)
        return Ended(code, time.monotonic() - began)

    async def died(self, within: float = 30.0) -> int:
        """Wait until it is dead, as by a failpoint; gives the exit code. Raises TimeoutError."""
        await self._until(lambda: not self.is_running, within)
        code = self._running().returncode
        assert code is not None
        return code

    async def stopped(self, within: float = 30.0) -> None:
        """Wait until it stands still, as at a failpoint. Raises TimeoutError."""
        await self._until(lambda: self.is_running and self._state() == _STOPPED, within)

    # Looking

    def rss_bytes(self) -> int:
        """How much memory it has now."""
        statm = Path(f"/proc/{self.pid}/statm").read_text("ascii").split()
        return int(statm[1]) * _PAGE_BYTES

    def fds(self) -> int:
        """How many descriptors it has open."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    def cpu_seconds(self) -> float:
        """How much processor time this run has taken."""
        stat = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / _TICKS_PER_SECOND

    def children(self) -> list[int]:
        """The processes that it started and that still are."""
        if not self.is_running:
            return []
        found: list[int] = []
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with suppress(FileNotFoundError):  # a thread that has just ended
                found += [int(pid) for pid in (task / "children").read_text().split()]
        # Between its fork and its exec a child is still us, with all that we have open.
        return [pid for pid in found if _command(pid) != _command(self.pid)]

    def log(self, *, of_all_runs: bool = False) -> str:
        """What it wrote since its last start, or ever."""
        data = self.log_file.read_bytes()
        return data[0 if of_all_runs else self._log_start :].decode(errors="replace")

    def events(self, event: str) -> Iterator[dict[str, Any]]:
        """The log lines of all runs that tell of this event."""
        for line in self.log(of_all_runs=True).splitlines():
            if f'"{event}"' in line:
                with suppress(ValueError):  # the last line may be half written
                    found = json.loads(line)
                    if found.get("event") == event:
                        yield found

    async def logged(self, text: str, within: float = 30.0) -> None:
        """Wait until it has written this since its last start. Raises TimeoutError."""
        await self._until(lambda: text in self.log(), within)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._child is not None, f"{self.name} was never started"
        return self._child

    def _is_halted(self) -> bool:
        return not self.is_running or self._state() == _STOPPED

    def _state(self) -> str:
        stat = Path(f"/proc/{self.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0]

    def _note_peak(self) -> None:
        with suppress(OSError, IndexError):  # it is dead already
            self.peak_rss_bytes = max(self.peak_rss_bytes, self.rss_bytes())

    async def _until(self, is_so: Callable[[], bool], within: float) -> None:
        try:
            async with asyncio.timeout(within):
                while not is_so():  # noqa: ASYNC110 - the kernel tells nobody but a parent that waits
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise TimeoutError(
                f"{self.name}: not within {within} s\n{self.log()[-3000:]}"
            ) from None


async def first_to_die(processes: Sequence[Process], within: float = 30.0) -> Process:
    """Wait until one of them is dead, as by a failpoint that all have. Raises TimeoutError."""
    async with asyncio.timeout(within):
        while True:
            for each in processes:
                if not each.is_running:
                    return each
            await asyncio.sleep(POLL_SECONDS)


@asynccontextmanager
async def without(*processes: Process) -> AsyncIterator[None]:
    """Have these dead meanwhile, and start them in the end."""
    for each in processes:
        each.kill()
    try:
        yield
    finally:
        await asyncio.gather(*(each.start() for each in processes))


async def first_with_a_child(processes: Sequence[Process], within: float = 30.0) -> Process:
    """Wait until one of them has started a process. Raises TimeoutError."""
    async with asyncio.timeout(within):
        while True:
            for each in processes:
                if each.children():
                    return each
            await asyncio.sleep(POLL_SECONDS)


def _command(pid: int) -> bytes:
    """What a process was started as; nothing once it is dead."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


async def reads_below(pid: int, folder: Path, within: float = 30.0) -> None:
    """Wait until a process has a file of this folder open. Raises TimeoutError, OSError."""
    async with asyncio.timeout(within):
        while not any(path.is_relative_to(folder) for path in _open_files(pid)):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(POLL_SECONDS)


def _open_files(pid: int) -> list[Path]:
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            found.append(descriptor.readlink())
    return found


async def gone(pid: int, within: float = 10.0) -> None:
    """Wait until there is no such process, of whoever it was a child. Raises TimeoutError."""
    async with asyncio.timeout(within):
        while is_there(pid):  # noqa: ASYNC110 - only its parent is told
            await asyncio.sleep(POLL_SECONDS)


def is_there(pid: int) -> bool:
    """Whether there is such a process; one that nobody has reaped yet is dead."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
