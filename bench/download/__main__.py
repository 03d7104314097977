"""Compare Stagedoor with curl, wget and aria2c: interleaved rounds, medians, one table."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from hashlib import file_digest
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.download.clients import FAR_FILE, MANY_FILES, ONE_FILE, Client, Work
from bench.download.servers import listening, origin, origin_name, write_files
from bench.page import described, put

_HEAD = (
    "| case | client | wall s | MB/s | x first | CPU s/GB | x first's | peak MiB |",
    "|---|---|---|---|---|---|---|---|",
)
_SPAWN = Path(__file__).with_name("spawn.py")


@dataclass(frozen=True, slots=True)
class Case:
    """So many files of so many bytes each; ``far`` puts the long fat link in between.

    The first client is what the others are compared with.
    """

    name: str
    files: int
    size: int
    clients: tuple[Client, ...]
    far: bool = False


CASES = (
    Case("one file of 2 GB", 1, 2_000_000_000, ONE_FILE),
    Case("500 small files of 1 MB", 500, 1_000_000, MANY_FILES),
    Case("256 MB over the long fat link", 1, 256_000_000, FAR_FILE, far=True),
)


@dataclass(slots=True)
class Runs:
    """What one client needed: seconds on the clock and of the processor, peak memory in MiB."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    mebibytes: list[float] = field(default_factory=list)


def fetch(client: Client, work: Work) -> dict[str, float]:
    """Let a client fetch everything into a new folder, check it, and say what it took.

    Raises CalledProcessError when the client fails, ValueError when a file is not what was served.
    """
    work.folder.mkdir()
    work.sums.unlink(missing_ok=True)
    work.ready.unlink(missing_ok=True)
    os.sync()
    command = [sys.executable, "-I", "-S", str(_SPAWN), client.command(work)]
    child = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603
    if client.keeps and _digests(work) != sorted(work.digests.values()):
        raise ValueError(f"{client.name} fetched something else")
    used: dict[str, float] = json.loads(child.stdout)
    if work.ready.exists():
        # A worker runs already when a task comes: what it does not do again is not counted.
        ready = json.loads(work.ready.read_text())
        used["wall"] -= ready["at"] - used["began"]
        used["cpu"] -= ready["cpu"]
    _empty(work.folder)
    return used


def _empty(folder: Path) -> None:
    """Give the room back, but delete nothing yet.

    For minutes ext4 passes over the inodes of deleted files one by one whenever it makes a file:
    each client would pay for how many files the one before it had.
    """
    for path in folder.rglob("*"):
        if path.is_file():
            os.truncate(path, 0)


def _digests(work: Work) -> list[str]:
    """Return the MD5 of all that was fetched: what md5sum said or, where nobody did, says now."""
    if work.sums.exists():
        return sorted(line.split()[0] for line in work.sums.read_text().splitlines())
    found = []
    for path in work.folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                found.append(file_digest(file, "md5").hexdigest())
    return sorted(found)


def compare(case: Case, folder: Path, rounds: int, scale: float) -> list[str]:
    """Time every client on a case in turns, and return the rows of the table."""
    size = round(case.size * scale) if case.files == 1 else case.size
    count = case.files if case.files == 1 else max(round(case.files * scale), 1)
    found: dict[str, Runs] = {client.name: Runs() for client in case.clients if client.is_here}
    with ExitStack() as stack:
        digests = write_files(folder / "served", count, size)
        port = stack.enter_context(origin(folder, folder / "served"))
        if case.far:
            port = stack.enter_context(listening(folder, "link", str(port)))
        work = Work(
            base=f"https://127.0.0.1:{port}",
            digests=digests,
            folder=folder / "fetched",
            scratch=folder,
            ca=folder / "origin" / "ca.pem",
        )
        work.prepare()
        for number in range(rounds):
            for turn, client in enumerate(case.clients):
                if client.is_here:
                    fetched = folder / f"fetched-{number}-{turn}"
                    used = fetch(client, replace(work, folder=fetched))
                    found[client.name].wall.append(used["wall"])
                    found[client.name].cpu.append(used["cpu"])
                    found[client.name].mebibytes.append(used["kib"] / 1024)
    shutil.rmtree(folder / "served")
    first = next(iter(found.values()))
    return [row(case.name, name, runs, first, count * size) for name, runs in found.items()]


def row(case: str, client: str, runs: Runs, first: Runs, size: int) -> str:
    """Return one line; the ratios say how many times as much the first client needed."""
    wall, cpu = median(runs.wall), median(runs.cpu)
    return (
        f"| {case} | {client} | {wall:.2f} | {size / wall / 1e6:.0f} "
        f"| {median(first.wall) / wall:.2f} | {cpu / size * 1e9:.2f} "
        f"| {median(first.cpu) / cpu:.2f} | {max(runs.mebibytes):.0f} |"
    )


def main() -> None:
    """Print the table, and write it into a page; everything fetched is removed afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="smaller or fewer files, as 0.1")
    parser.add_argument("--only", default="", help="only cases with this in their name")
    parser.add_argument("--write", type=Path, help="a page with the marks of the table")
    options = parser.parse_args()
    lines = [*_HEAD]
    print(f"Origin: {origin_name()}.", *lines, sep="\n")  # noqa: T201
    chosen = [case for case in CASES if options.only in case.name]
    absent = {c.needs.strip(":") for case in chosen for c in case.clients if not c.is_here}
    for case in chosen:
        with TemporaryDirectory(prefix="bench-download-") as folder:
            rows = compare(case, Path(folder), options.rounds, options.scale)
        print(*rows, sep="\n", flush=True)  # noqa: T201
        lines += rows
    said = f"{described()}; origin: {origin_name()}; medians of {options.rounds} interleaved rounds"
    said += "" if options.scale == 1 else f"; at {options.scale:g} of the size"
    said += f"; load {os.getloadavg()[2]:.1f} at the end."
    said += f" Not installed: {', '.join(sorted(absent))}." if absent else ""
    print(said)  # noqa: T201
    if options.write:
        put(options.write, "bench-download", said, lines)


if __name__ == "__main__":
    main()
