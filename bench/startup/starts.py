"""Starts: of the embedded stack until it is ready, and of the command until it has answered."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from bench.processes import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).parents[2]
COMMAND: Final = (sys.executable, "-c", "from cli.main import main; main()")
ANY_PORT: Final = "127.0.0.1:0"
CASES: Final = ("in an empty folder", "again")
HELPS: Final = (("--help",), ("tasks", "list", "--help"))
WORKERS: Final = ("downloader", "validator", "publisher")
_HEAD: Final = (
    "| start | wall s | CPU s | the command's | the API's | a worker's | the broker's |",
    "|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds until it was ready, and the processor's in each part, by its name."""

    wall: float
    cpu: Mapping[str, float]


def starts(checkouts: Mapping[str, Path], rounds: int) -> dict[str, list[Start]]:
    """Let checkouts take turns, each with a data folder that is empty, and then with the same."""
    found: dict[str, list[Start]] = defaultdict(list)
    for number in range(rounds + 1):
        for name, checkout in checkouts.items():
            with TemporaryDirectory(prefix="stagedoor-bench-") as folder:
                for case in CASES:
                    print(name, case, file=sys.stderr)  # noqa: T201 - how far it is
                    start = up(checkout, Path(folder) / "data")
                    if number:  # the first round only warms the machine
                        found[f"{name} {case}"].append(start)
    for arguments in HELPS:
        name = f"`stagedoor {' '.join(arguments)}`"
        found[name] = [answered(*arguments) for _ in range(rounds)]
    return found


def table(found: Mapping[str, list[Start]]) -> Iterator[str]:
    """The lines: medians, each of its own."""
    yield from _HEAD
    for name, rounds in found.items():
        wall = median(start.wall for start in rounds)
        cpu = median(sum(start.cpu.values()) for start in rounds)
        parts = [_part(rounds, names) for names in (("up",), ("api",), WORKERS, ("nats",))]
        yield f"| {name} | {wall:.2f} | {cpu:.2f} | {' | '.join(parts)} |"


def _part(rounds: list[Start], names: tuple[str, ...]) -> str:
    """The mean of these parts; nothing where there are none."""
    if names[0] not in rounds[0].cpu:
        return ""
    means = [sum(start.cpu[name] for name in names) / len(names) for start in rounds]
    return f"{median(means):.2f}"


def up(checkout: Path, data: Path) -> Start:
    """Start the stack in a data folder, by the code of a checkout, and stop it again."""
    options = ("--data-dir", str(data), "--http", ANY_PORT, "--grpc", ANY_PORT)
    with (data.parent / "log").open("wb") as log:
        began = time.monotonic()
        with subprocess.Popen(  # noqa: S603 - a program of our own
            (*COMMAND, "up", *options),
            env=_environ(checkout),
            cwd=checkout,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as process:
            assert process.stdout  # noqa: S101 - asked for above
            told = process.stdout.readline()
            wall = time.monotonic() - began
            if not told:
                raise RuntimeError((data.parent / "log").read_text(errors="replace")[-3000:])
            cpu = _spent(process.pid, json.loads((data / "ready.json").read_text())["pids"])
            process.terminate()
            process.communicate()
    return Start(wall, cpu)


def _spent(supervisor: int, pids: Mapping[str, int | list[int]]) -> dict[str, float]:
    """What each part has used; with the supervisor's goes what it had done by others before."""
    spent = {"up": Tree(supervisor).ended_seconds()}
    for name, found in pids.items():
        each = found if isinstance(found, list) else [found]
        spent[name] = sum(Tree(pid).ended_seconds() for pid in each)
    return spent


def answered(*arguments: str) -> Start:
    """Let the command answer, as it does to ``--help``."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(  # noqa: S603 - a program of our own
        (*COMMAND, *arguments), env=_environ(ROOT), check=True, stdout=subprocess.DEVNULL
    )
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Start(wall, {"up": used})


def _environ(checkout: Path) -> dict[str, str]:
    path = os.pathsep.join([str(checkout), str(checkout / "shared" / "gen")])
    environ = {**os.environ, "PYTHONPATH": path}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a user's second start finds what the first made
    return environ
