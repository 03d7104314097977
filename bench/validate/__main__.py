"""Compare Stagedoor with MediaInfo and FFmpeg: interleaved rounds, medians, one table."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.validate.masters import CASES, Case, write


@dataclass(slots=True)
class Runs:
    """What one tool needed: seconds on the clock and of the processor, peak memory in MiB."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    mebibytes: list[float] = field(default_factory=list)


def tools_for(case: Case) -> tuple[str, ...]:
    """Return the tools that are compared on a master; FFmpeg takes no more than 64 channels."""
    if case.structure:
        return "structure", "mediainfo"
    return ("structure", "audio", "mediainfo", "ffmpeg") if case.direct else ("structure", "audio")


def run(
    tool: str, path: Path, case: Case, environment: dict[str, str]
) -> tuple[float, dict[str, float]]:
    """Run a tool in a process of its own; raises CalledProcessError when it fails."""
    mode = "direct" if case.direct else "routed"
    command = [sys.executable, "-m", "bench.validate.tools", tool, str(path), mode]
    start = time.perf_counter()
    child = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)  # noqa: S603
    return time.perf_counter() - start, json.loads(child.stdout)


def compare(case: Case, folder: Path, rounds: int, scale: float) -> list[str]:
    """Write a master, time every tool on it in turns, and return the rows of the table."""
    path = folder / "master.wav"
    seconds = write(path, case, scale)
    # One core for BLAS, and bytecode kept as any installation has it.
    environment = os.environ | {
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    found = {tool: Runs() for tool in tools_for(case)}
    for turn in range(rounds + 1):
        for tool, runs in found.items():
            wall, used = run(tool, path, case, environment)
            if turn:  # the first turn warms the caches
                runs.wall.append(wall)
                runs.cpu.append(used["cpu"])
                runs.mebibytes.append(used["mebibytes"])
    path.unlink()
    return [row(case, tool, runs, seconds, found) for tool, runs in found.items()]


def row(case: Case, tool: str, runs: Runs, seconds: float, found: dict[str, Runs]) -> str:
    """Return one line; the ratio is against the other tool that does the same work."""
    rival = {"structure": "mediainfo", "audio": "ffmpeg"}.get(tool, "")
    ratio = f"{median(found[rival].cpu) / median(runs.cpu):.1f} x {rival}" if rival in found else ""
    return (
        f"| {case.name} | {tool} | {median(runs.wall):.2f} | {median(runs.cpu):.2f} "
        f"| {seconds / median(runs.cpu):.0f} | {ratio} | {max(runs.mebibytes):.0f} |"
    )


def main() -> None:
    """Print the table; the masters are removed afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="shorter masters, as 0.1")
    parser.add_argument("--only", default="", help="only masters with this in their name")
    options = parser.parse_args()
    print("| master | tool | wall s | CPU s | x real time | CPU ratio | peak MiB |")  # noqa: T201
    print("|---|---|---|---|---|---|---|")  # noqa: T201
    with TemporaryDirectory(prefix="bench-validate-") as folder:
        for case in CASES:
            if options.only in case.name:
                for line in compare(case, Path(folder), options.rounds, options.scale):
                    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
