"""What a server's processes have used, by Linux's own account."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Tree:
    """A process with all that it has started."""

    root: int

    def cpu_seconds(self) -> float:
        """Processor time so far, of those that still run."""
        return sum(_cpu_ticks(pid) for pid in self.pids()) / _TICKS

    def peak_mebibytes(self) -> float:
        """The sum of the most memory that each has had resident."""
        return sum(_status(pid, "VmHWM") for pid in self.pids()) / 1024

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
