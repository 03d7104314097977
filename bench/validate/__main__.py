"""Compare Stagedoor with MediaInfo and FFmpeg: interleaved rounds, medians, one table."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.page import described, put
from bench.validate.masters import CASES, Case, write

_HEAD = (
    (
        "| master | tool | wall s | CPU s | CPU s again | x real time | peak MiB"
        " | x wall | x CPU | x CPU again | x memory |"
    ),
    "|---|---|---|---|---|---|---|---|---|---|---|",
)


@dataclass(slots=True)
class Runs:
    """What one tool needed: seconds on the clock and of the processor, peak memory in MiB.

    ``again`` is the processor's time for a second call in the same process, where there was one.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    mebibytes: list[float] = field(default_factory=list)


def tools_for(case: Case) -> tuple[str, ...]:
    """Return the tools that are compared on a master; FFmpeg takes no more than 64 channels."""
    if case.axml is not None:
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
    # One core for BLAS, and bytecode kept as any installation has it.
    environment = os.environ | {
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    found = {tool: Runs() for tool in tools_for(case)}
    write(path, replace(case, axml=None), 0.0)
    for tool in found:  # a short master warms the caches
        run(tool, path, case, environment)
    seconds = write(path, case, scale)
    for _ in range(rounds):
        for tool, runs in found.items():
            wall, used = run(tool, path, case, environment)
            runs.wall.append(wall)
            runs.cpu.append(used["cpu"])
            runs.mebibytes.append(used["mebibytes"])
            if "again" in used:
                runs.again.append(used["again"])
    path.unlink()
    return [row(case, tool, runs, seconds, found) for tool, runs in found.items()]


def row(case: Case, tool: str, runs: Runs, seconds: float, found: dict[str, Runs]) -> str:
    """Return one line; the ratios are the time and memory of the rival over ours."""
    rival = found.get({"structure": "mediainfo", "audio": "ffmpeg"}.get(tool, ""))
    ratios = "| | | | "
    if rival:
        ratios = (
            f"| {_ratio(rival.wall, runs.wall)} | {_ratio(rival.cpu, runs.cpu)} "
            f"| {_ratio(rival.again, runs.again)} "
            f"| {max(rival.mebibytes) / max(runs.mebibytes):.2f} "
        )
    again = f"{median(runs.again):.3f}" if runs.again else ""
    speed = "" if case.axml is not None else f"{seconds / median(runs.cpu):.0f}"
    return (
        f"| {case.name} | {tool} | {median(runs.wall):.2f} | {median(runs.cpu):.2f} "
        f"| {again} | {speed} | {max(runs.mebibytes):.0f} {ratios}|"
    )


def _ratio(rival: list[float], ours: list[float]) -> str:
    return f"{median(rival) / median(ours):.1f}" if rival and ours else ""


def main() -> None:
    """Print the table, and write it into a page; the masters are removed afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="less sound, as 0.1")
    parser.add_argument("--only", default="", help="only masters with this in their name")
    parser.add_argument("--write", type=Path, help="a page with the marks of the table")
    options = parser.parse_args()
    lines = [*_HEAD]
    print(*lines, sep="\n")  # noqa: T201
    with TemporaryDirectory(prefix="bench-validate-") as folder:
        for case in CASES:
            if options.only in case.name:
                rows = compare(case, Path(folder), options.rounds, options.scale)
                print(*rows, sep="\n", flush=True)  # noqa: T201
                lines += rows
    if options.write:
        said = f"{described()}; medians of {options.rounds} interleaved rounds"
        said += "" if options.scale == 1 else f"; {options.scale:g} times as much sound"
        said += f"; load {os.getloadavg()[2]:.1f} at the end."
        put(options.write, "bench-validate", said, lines)


if __name__ == "__main__":
    main()
