"""Processes that a benchmark starts, and what they have used by Linux's own account."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

START_SECONDS: Final = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Tree:
    """A process with all that it has started."""

    root: int

    def cpu_seconds(self) -> float:
        """Processor time so far, of those that still run."""
        return sum(_cpu_ticks(pid) for pid in self.pids()) / _TICKS

    def ended_seconds(self) -> float:
        """Processor time so far of the root, and of what it started and has seen the end of."""
        stat = _stat(self.root)
        return sum(int(ticks) for ticks in stat[11:15]) / _TICKS

    def peak_mebibytes(self) -> float:
        """The sum of the most memory that each has had resident."""
        return sum(_status(pid, "VmHWM") for pid in self.pids()) / 1024

    def resident_mebibytes(self) -> float:
        """The sum of what each has resident now."""
        return sum(_status(pid, "VmRSS") for pid in self.pids()) / 1024

    def pause(self) -> None:
        """Make all of them stand still."""
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let all of them go on."""
        for pid in self.pids():
            os.kill(pid, signal.SIGCONT)

    def pids(self) -> list[int]:
        """All of them, the root first."""
        children = defaultdict(list)
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (stat := _stat(int(entry.name))):
                children[int(stat[1])].append(int(entry.name))
        found = [self.root]
        for pid in found:
            found += children[pid]
        return found


@contextmanager
def running(
    command: tuple[str, ...], environ: Mapping[str, str], folder: Path, name: str = "log"
) -> Iterator[subprocess.Popen[bytes]]:
    """A process as long as the context lasts; what it says goes to the file of that name."""
    with (folder / name).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - what is compared
            command, cwd=folder, env=os.environ | environ, stdout=log, stderr=log
        )
    try:
        yield process
    except RuntimeError:
        sys.stderr.write((folder / name).read_text(errors="replace")[-3000:])
        raise
    finally:
        if process.poll() is None:
            Tree(process.pid).go_on()
            process.terminate()
            process.wait(30)


def await_(is_so: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a process has started. Raises RuntimeError with its log when it does not."""
    until = time.monotonic() + START_SECONDS
    while not is_so():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(log.read_text(errors="replace")[-3000:])
        time.sleep(0.05)


def listens(port: int) -> bool:
    """Whether somebody takes connections on a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _stat(pid: int) -> list[str]:
    """The fields after the name, which may hold anything; none for a process that has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _cpu_ticks(pid: int) -> int:
    stat = _stat(pid)
    return int(stat[11]) + int(stat[12]) if stat else 0


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0
